"""docs/registries.md explains every rule that code, tests and docs cite by its number."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "registries.md").read_text(encoding="utf-8")
RULE = re.compile(r"^\*\*R(\d+)\*\* (.+?)(?=^\*\*R\d|^## |\Z)", re.MULTILINE | re.DOTALL)
RULES = {int(number): text for number, text in RULE.findall(PAGE)}


def cited_in(text: str) -> set[int]:
    """The numbers of the rules that a text names, `R7`, and those that test names begin with."""
    return {
        int(upper or lower)
        for upper, lower in re.findall(r"\bR([1-9]\d?)\b|_r([1-9]\d?)(?=_)", text)
    }


def citations() -> dict[int, Path]:
    files = [
        *(
            p
            for name in ("oras_core", "oras_adapters", "oras")
            for p in (ROOT / name).rglob("*.py")
        ),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docs").glob("*.md"),
        *(ROOT / "examples").rglob("*.py"),
        ROOT / "README.md",
    ]
    return {n: path for path in files for n in cited_in(path.read_text(encoding="utf-8"))}


CITED = citations()


def test_rules_are_numbered_without_gaps():
    assert sorted(RULES) == list(range(1, len(RULES) + 1))


def test_every_rule_is_listed_once():
    assert len(re.findall(r"^\*\*R\d", PAGE, re.MULTILINE)) == len(RULES)


@pytest.mark.parametrize("number", sorted(CITED))
def test_every_rule_that_is_cited_is_explained(number):
    assert number in RULES, f"R{number} is cited in {CITED[number].relative_to(ROOT)}"


@pytest.mark.parametrize("number", sorted(RULES))
def test_every_rule_names_its_source(number):
    assert re.search(r"\*Source: .+\.\*\s*\Z", RULES[number], re.DOTALL)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("as it should (R7, R36)", {7, 36}),
        ("def test_r29_pages_are_followed", {29}),
        ("def test_r27_r28_the_catalog", {27, 28}),
        ("`R14`-style", {14}),
        ("HR2 and R2D2, r5", set()),
    ],
)
def test_citations_are_found(text, numbers):
    assert cited_in(text) == numbers
