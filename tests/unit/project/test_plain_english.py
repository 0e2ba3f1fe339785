"""Docs, README and docstrings contain none of the phrases that CONTRIBUTING.md rejects."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("oras", "oras_adapters", "oras_core", "tests")
PAGES = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *(page for page in (ROOT / "docs").rglob("*.md") if page.parent.name != "reference"),
]
RULE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("A test rejects ")[2]
PHRASES = re.findall(r'"([a-z ]+)"', RULE.partition("\n\n")[0])
REJECTED = re.compile(rf"\b(?:{'|'.join(map(re.escape, PHRASES))})\b", re.IGNORECASE)


def rejected_in(text: str) -> list[str]:
    """Return the rejected phrases of a text, whose lines may break anywhere.

    Code may have any names: code in backticks, and the name of an argument before its meaning.
    """
    without_code = re.sub(r"`[^`]*`|^ +\w+:", "`", text, flags=re.MULTILINE)
    return REJECTED.findall(re.sub(r"\s+", " ", without_code))


def docstrings_of(path: Path) -> list[str]:
    """Return the docstrings of a module, those of attributes included."""
    tree = ast.parse(path.read_text("utf-8"))
    return [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    ]


def test_the_list_has_phrases_and_finds_them_across_lines():
    assert len(PHRASES) > 10
    assert rejected_in("Rubbish, and a file of\n    no use.") == ["Rubbish", "of no use"]
    assert rejected_in("Args:\n    stranger: `whom`, or a stranger.") == ["stranger"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_has_no_rejected_phrase(page):
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert rejected_in(text) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_docstrings_have_no_rejected_phrase(folder):
    found = {
        str(path.relative_to(ROOT)): phrases
        for path in sorted((ROOT / folder).rglob("*.py"))
        if (phrases := [one for text in docstrings_of(path) for one in rejected_in(text)])
    }
    assert found == {}
