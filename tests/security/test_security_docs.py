"""docs/security.md promises nothing that no test backs."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from mutations import MUTATIONS, ROOT
from rows import ROWS

DOCUMENT = (ROOT / "docs" / "security.md").read_text("utf-8")
PROMISE = re.compile(r"^\| ([A-Z]\d+) \| (.+?) \| (`.+`) \|$", re.MULTILINE)
PROMISES = PROMISE.findall(DOCUMENT)


def named_tests() -> set[str]:
    folders = (Path(__file__).parent, ROOT / "tests" / "unit", ROOT / "tests" / "adapters")
    sources = [path.read_text("utf-8") for folder in folders for path in folder.rglob("test_*.py")]
    function = re.compile(r"^def (test_\w+)", re.MULTILINE)
    return {name for source in sources for name in function.findall(source)}


def test_every_promise_cites_existing_tests():
    existing = {case.id for case in ROWS} | named_tests()
    named = {test for _, _, tests in PROMISES for test in re.findall(r"`([^`]+)`", tests)}
    assert named - existing == set()


def test_every_promise_has_a_unique_name():
    names = [name for name, _, _ in PROMISES]
    assert len(names) > 40
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: f"{m.promise}-{m.path}")
def test_every_mutation_names_an_existing_promise(mutation):
    backing = {name: tests for name, _, tests in PROMISES}[mutation.promise]
    own = {re.sub(r"-https?$", "", test.partition("::")[2] or test) for test in mutation.tests}
    assert own & set(re.findall(r"`([^`]+)`", backing)), "its tests are not those of the promise"
    source = (ROOT / mutation.path).read_text("utf-8")
    assert source.count(mutation.kept) == 1, "the line that keeps it stands elsewhere now"


def test_mutations_cover_twenty_promises():
    assert len({mutation.promise for mutation in MUTATIONS}) >= 20


def test_numbers_of_rows_equal_those_of_the_tables():
    counted = Counter(case.id.partition("-")[0] for case in ROWS for _ in case.schemes)
    counted["all"] = counted.total()
    line = re.compile(r"^\| (\w+) \| (\d+) \| \d+ \|", re.MULTILINE)
    told = {kind: int(number) for kind, number in line.findall(DOCUMENT)}
    assert told == counted
