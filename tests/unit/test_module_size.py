"""A module is about one subject; past 400 lines it is about two."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("oras_core", "oras_adapters", "oras")
MAX_LINES = 400
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def test_there_are_modules_to_measure():
    assert {path.relative_to(ROOT).parts[0] for path in MODULES} == set(PACKAGES)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_module_is_no_longer_than_the_house_allows(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_LINES, f"{path.relative_to(ROOT)} has {lines} lines: split it by subject"
