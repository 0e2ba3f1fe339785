"""docs/performance.md holds what the benchmark writes, with its pictures."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import client_cost
import compressions
import growth
import pytest
import shares
import startup
from side_by_side.clients.present import HOW_TO_GET, OURS, REFERENCES
from side_by_side.results import Row
from side_by_side.table import BEGIN, END, replace_measured
from side_by_side.workloads import FULL, Files, Start, Step, Tags, curves_of, table_of

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "performance.md").read_text("utf-8")
CURVES = curves_of(FULL).values()
SVG = "{http://www.w3.org/2000/svg}"


def without_numbers(text: str) -> str:
    """Runs of other sizes say the same of other numbers."""
    return re.sub(r"[\d.,]+", "N", text)


def tables() -> list[list[list[str]]]:
    measured = PAGE.partition(BEGIN)[2].partition(END)[0]
    blocks = re.findall(r"(?:^\|.*\|\n)+", measured, re.MULTILINE)
    return [
        [[cell.strip() for cell in line[1:-1].split("|")] for line in block.splitlines()]
        for block in blocks
    ]


def titles() -> list[str]:
    found = []
    for workload in table_of(FULL).values():
        steps = [Step.PUSH, Step.PULL]
        if isinstance(workload, Files) and workload.again:
            steps = [Step.PUSH, Step.PUSH_AGAIN, Step.PULL, Step.PULL_AGAIN]
        elif isinstance(workload, Tags):
            steps = [Step.LIST]
        elif isinstance(workload, Start):
            steps = [Step.START]
        found += [without_numbers(Row(step, workload).title) for step in steps]
    return found


def test_the_page_has_a_row_for_every_step():
    ratios, _ = tables()
    head, _, *rows = ratios
    assert head[:3] == ["what", "reference", OURS]
    assert set(head[2:]) <= set(HOW_TO_GET) - set(REFERENCES)
    assert [without_numbers(row[0]) for row in rows] == titles()
    for row in rows:
        assert re.fullmatch(r"[\d.]+ s, (curl|Python alone)", row[1]), row
        assert all(re.fullmatch(r"\d+\.\d\d|-", cell) for cell in row[2:]), row
        assert row[2] != "-", "we do everything"


def test_every_number_is_present():
    _, details = tables()
    head, _, *rows = details
    assert head[0:2] == ["what", "client"]
    assert [without_numbers(row[0]) for row in rows if row[0]] == titles()
    for row in rows:
        assert row[1] in HOW_TO_GET
        assert re.fullmatch(r"[\d.]+ \([\d.]+ - [\d.]+\)", row[2]), row


def test_the_page_names_every_client():
    assert all(name in PAGE or name == "oras (Go)" for name in HOW_TO_GET)


def test_only_text_between_the_markers_is_replaced():
    before, after = PAGE.partition(BEGIN)[0], PAGE.partition(END)[2]
    assert replace_measured(PAGE, "new\n") == f"{before}{BEGIN}\n\nnew\n\n{END}{after}"
    assert replace_measured(replace_measured(PAGE, "a"), "b") == replace_measured(PAGE, "b")


@pytest.mark.parametrize("page", ["", BEGIN, f"{END} {BEGIN}"])
def test_page_without_markers_is_refused(page):
    with pytest.raises(ValueError, match="no place for what was measured"):
        replace_measured(page, "new")


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_every_picture_has_a_width_and_an_alternative_text(curve):
    path = DOCS / f"performance-{curve.name}.svg"
    assert f"]({path.name})" in PAGE
    assert path.stat().st_size < 60_000
    root = ET.fromstring(path.read_text("utf-8"))
    texts = [text for node in root.iter(f"{SVG}text") if (text := "".join(node.itertext()))]
    axes = [without_numbers(text) for text in texts].count(without_numbers(curve.axis))
    assert axes == len(curve.steps)
    assert {*curve.steps, "seconds, the whole process", OURS, "curl"} <= set(texts)


def test_pictures_are_reproducible():
    assert not [path for path in DOCS.glob("*.svg") if "dc:date" in path.read_text("utf-8")]


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("shares.py", {*shares.PARTS.values(), shares.REST}),
        ("startup.py", set(startup.OPERATIONS)),
        ("client_cost.py", set(client_cost.OPERATIONS)),
        ("growth.py", set(growth.TASKS)),
    ],
)
def test_table_has_the_rows_of_the_program_that_prints_it(program, names):
    section = PAGE.partition(f"`python benchmarks/{program}")[2] or PAGE.partition(program)[2]
    table = section.partition("\n| --- ")[2].partition("\n\n")[0]
    assert {row.split("|")[1].strip() for row in table.splitlines()[1:]} == names


def test_table_of_compressions_has_the_rows_of_the_program_that_prints_it():
    page = (DOCS / "configuration.md").read_text("utf-8")
    table = page.partition("`python benchmarks/compressions.py`")[2].partition("\n|---")[2]
    rows = [row.split("|")[1:3] for row in table.partition("\n\n")[0].splitlines()[1:]]
    formats = {name.strip(" `"): kind.strip() for name, kind in rows}
    assert formats == compressions.FORMATS


def test_compressions_of_a_small_folder_are_measured():
    printed = compressions.table(files=3, rounds=1)
    assert "; 3 text files of 0 MB in total" in printed
    assert re.search(r"^\| `zlib` \| gzip \| [\d.]+ s \| [\d.]+ MB \|$", printed, re.MULTILINE)
