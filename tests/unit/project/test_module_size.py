"""A module is about one subject; past 400 lines, 250 of a translation, it is about two."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MAX_LINES = {"oras_core": 400, "oras_adapters": 400, "oras": 250}
MODULES = sorted(path for package in MAX_LINES for path in (ROOT / package).rglob("*.py"))


def test_packages_have_modules():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(MAX_LINES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_module_is_within_the_line_limit(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    name = path.relative_to(ROOT)
    assert lines <= MAX_LINES[name.parts[0]], f"{name} has {lines} lines: split it by subject"
