"""The numbers: the costs of each client in each step, over all repetitions."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from attrs import frozen

from side_by_side.measuring import Measure
from side_by_side.workloads import Step, Workload


@frozen
class Row:
    """One step of one workload."""

    step: Step
    workload: Workload

    @property
    def title(self) -> str:
        """Both, in words."""
        return self.step.of(self.workload.what)


@frozen
class Summary:
    """The costs of one client in one row: medians, and the `least` and `most` wall seconds."""

    wall: float
    least: float
    most: float
    cpu: float
    peak: float
    inside: float | None
    requests: float | None


class Results:
    """All measures so far, and the notes on clients that could not be measured."""

    def __init__(self) -> None:
        self._measures: dict[Row, dict[str, list[Measure]]] = {}
        self.notes: list[str] = []

    def add(self, row: Row, client: str, measured: Measure) -> None:
        """Keep one measure."""
        self._measures.setdefault(row, {}).setdefault(client, []).append(measured)

    def rows(self) -> Iterator[Row]:
        """Give every row, in the order in which they were first measured."""
        yield from self._measures

    def clients(self, row: Row) -> list[str]:
        """Return those that were measured in a row."""
        return list(self._measures.get(row, ()))

    def summary(self, row: Row, client: str) -> Summary | None:
        """Return the costs of a client in a row, or None if it was not measured."""
        measures = self._measures.get(row, {}).get(client)
        if not measures:
            return None
        walls = [one.wall for one in measures]
        return Summary(
            wall=statistics.median(walls),
            least=min(walls),
            most=max(walls),
            cpu=statistics.median(one.cpu for one in measures),
            peak=statistics.median(one.peak for one in measures),
            inside=_median(measures, lambda one: one.inside),
            requests=_median(measures, lambda one: one.requests),
        )


def _median(measures: list[Measure], number: Callable[[Measure], float | None]) -> float | None:
    known = [value for one in measures if (value := number(one)) is not None]
    return statistics.median(known) if known else None
