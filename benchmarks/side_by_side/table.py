"""The results as Markdown: ratios side by side, then every number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from side_by_side.clients.present import HOW_TO_GET, REFERENCES
from side_by_side.results import Results, Row, Summary
from side_by_side.workloads import MEBIBYTE

BEGIN = "<!-- `tox -e benchmarks` writes the text from here -->"
END = "<!-- to here. -->"

_NOTHING = "-"
_DETAILS = (
    "what",
    "client",
    "seconds (least - most)",
    "ratio",
    "operation, s",
    "CPU, s",
    "peak, MiB",
    "requests",
)


def replace_measured(page: str, measured: str) -> str:
    """Return the page with other text between its two markers.

    Raises:
        ValueError: it does not have them.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no place for what was measured: {BEGIN} {END}")
    return f"{before}{BEGIN}\n\n{measured.strip()}\n\n{END}{after}"


def markdown(results: Results, rows: Sequence[Row], clients: Iterable[str]) -> str:
    """Return the tables of some rows and of the measured clients."""
    compared = [name for name in clients if name not in REFERENCES]
    return "\n\n".join(
        [
            "### Ratios",
            _table(
                ["what", "reference", *compared], (_ratios(results, row, compared) for row in rows)
            ),
            "### Every number",
            _table(_DETAILS, (cells for row in rows for cells in _details(results, row))),
            *(f"Not measured: {note}." for note in results.notes),
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _ratios(results: Results, row: Row, names: Sequence[str]) -> list[str]:
    yardstick = _reference(results, row)
    cells = [row.title, _NOTHING]
    if yardstick is not None:
        cells[1] = f"{_seconds(yardstick[1].wall)} s, {yardstick[0]}"
    summaries = (results.summary(row, name) for name in names)
    return [*cells, *(_NOTHING if one is None else _ratio(one, yardstick) for one in summaries)]


def _details(results: Results, row: Row) -> list[list[str]]:
    yardstick = _reference(results, row)
    lines: list[list[str]] = []
    for name in HOW_TO_GET:
        one = results.summary(row, name)
        if one is None:
            continue
        lines.append(
            [
                row.title if not lines else "",
                name,
                f"{_seconds(one.wall)} ({_seconds(one.least)} - {_seconds(one.most)})",
                _ratio(one, yardstick),
                _NOTHING if one.inside is None else _seconds(one.inside),
                _seconds(one.cpu),
                f"{one.peak / MEBIBYTE:.0f}",
                _NOTHING if one.requests is None else f"{one.requests:.0f}",
            ]
        )
    return lines


def _reference(results: Results, row: Row) -> tuple[str, Summary] | None:
    found = ((name, results.summary(row, name)) for name in REFERENCES)
    return next(((name, one) for name, one in found if one is not None), None)


def _ratio(one: Summary, yardstick: tuple[str, Summary] | None) -> str:
    return _NOTHING if yardstick is None else f"{one.wall / yardstick[1].wall:.2f}"


def _seconds(number: float) -> str:
    return f"{number:.2f}" if number >= 1 else f"{number:.3f}"
