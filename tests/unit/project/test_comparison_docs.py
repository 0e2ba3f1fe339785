"""The table of features promises nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TABLE = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and "oras-sdk |" not in line]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py::[\w:]+)`", TABLE)))


def names_in(body: list[ast.stmt]) -> dict[str, ast.stmt]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {node.name: node for node in body if isinstance(node, kinds)}


def inherited(module: Path, base: str) -> set[str]:
    """The tests of a contract suite, by its name."""
    for path in sorted((ROOT / "oras_core" / "testing" / "contracts").glob("*.py")):
        found = names_in(ast.parse(path.read_text(encoding="utf-8")).body).get(base)
        if isinstance(found, ast.ClassDef):
            own = set(names_in(found.body))
            return own.union(*(inherited(module, ast.unparse(b)) for b in found.bases))
    return set()


def has_test(named: str) -> bool:
    path, *parts = named.split("::")
    module = ROOT / path
    if not module.is_file():
        return False
    found = names_in(ast.parse(module.read_text(encoding="utf-8")).body).get(parts[0])
    if len(parts) == 1:
        return found is not None
    if not isinstance(found, ast.ClassDef):
        return False
    tests = set(names_in(found.body))
    return parts[1] in tests.union(*(inherited(module, ast.unparse(b)) for b in found.bases))


def test_table_has_rows_and_tests():
    assert len(ROWS) > 40
    assert len(NAMED) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_row_has_five_cells_and_every_tick_cites_a_test(row):
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert len(cells) == 5
    assert all(cells)
    assert ("✓" in cells[1]) == bool(re.fullmatch(r"✓ `tests/[\w/]+\.py::[\w:]+`", cells[1]))


@pytest.mark.parametrize("named", NAMED)
def test_every_cited_test_exists(named):
    assert has_test(named)


@pytest.mark.parametrize(
    "named",
    [
        "tests/unit/test_absent.py::test_x",
        "tests/unit/project/test_comparison_docs.py::test_absent",
        "tests/unit/stores/test_target_contract.py::TestMemoryStore::test_absent",
        "tests/unit/stores/test_target_contract.py::TestAbsent::test_untag_keeps_the_manifest_and_its_other_tags",
    ],
)
def test_citation_of_a_missing_test_is_reported(named):
    assert not has_test(named)
