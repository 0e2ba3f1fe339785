"""The report of a run, and its progress with an estimate."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from attrs import asdict, field, frozen

from oras_core.mirroring.ledger import Totals
from oras_core.mirroring.records import Record

__all__ = ["Progress", "Report", "unreported"]

LISTED: Final = 1000
"""Failures in a report; the number of all is among the totals."""

SHOWN: Final = 20
"""Failures in the text of a report."""


@frozen
class Progress:
    """The state of a run.

    Attributes:
        totals: the sums of the run, earlier processes included.
        done_here: tags that were done since this process began.
        seconds: the time since this process began.
        in_flight: the number of jobs that workers have.
    """

    totals: Totals
    done_here: int
    seconds: float
    in_flight: int

    @property
    def remaining(self) -> float | None:
        """The estimated seconds to the end; None if nothing is done yet.

        While repositories are still being planned, it covers those that are.
        """
        if not self.done_here:
            return None
        return self.totals.open_tags * self.seconds / self.done_here

    def text(self) -> str:
        """Return one line."""
        totals, remaining = self.totals, self.remaining
        known = totals.done_tags + totals.open_tags
        more = "" if totals.is_planned else "+"
        estimate = "" if remaining is None else f", {_duration(remaining)}{more} left"
        failed = f", {totals.failed_jobs} failed" if totals.failed_jobs else ""
        return (
            f"{totals.done_tags:,} of {known:,}{more} tags, "
            f"{_size(totals.bytes)} moved{failed}{estimate}"
        )


def unreported(_: Progress) -> None:
    """Ignore the progress of a run."""


@frozen
class Report:
    """The result of a run.

    Attributes:
        totals: the sums of the run, earlier processes included.
        seconds: the duration in this process.
        failures: the first `LISTED` failures.
        given_up: the last error of each registry that the run gave up, by host. Its jobs are
            open.
        unplanned: the number of repositories that could not be read, and may be readable
            later. They are among the failures.
    """

    totals: Totals
    seconds: float
    failures: Sequence[Record] = ()
    given_up: Mapping[str, str] = field(factory=dict)
    unplanned: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether every job is done."""
        return not (self.totals.open_jobs or self.totals.failed_jobs or self.unplanned)

    def text(self) -> str:
        """Return the report for people."""
        totals = self.totals
        lines = [
            f"{totals.done_tags:,} tags of {totals.repositories:,} repositories are mirrored.",
            f"{totals.moved:,} blobs and manifests were moved ({_size(totals.bytes)}),",
            f"{totals.skipped:,} were present, {totals.mounted:,} were mounted.",
            f"{totals.done_jobs:,} jobs are done; this run took {_duration(self.seconds)}.",
        ]
        if totals.left_out:
            lines.append(f"{totals.left_out:,} tags were left out: the source has them no longer.")
        if totals.changed:
            lines.append(f"{totals.changed:,} tags changed while they were mirrored.")
        for host, message in self.given_up.items():
            lines.append(f"{host} does not work: {message}")
        if totals.open_jobs:
            lines.append(f"{totals.open_jobs:,} jobs are open. Run the mirror again to continue.")
        if self.unplanned:
            lines.append(f"{self.unplanned:,} repositories could not be read. Run it again.")
        if self.failures:
            lines.append(f"{totals.failed_jobs:,} jobs failed for good. Failures:")
        lines += [f"  {r.source}: {r.failure and r.failure.message}" for r in self.failures[:SHOWN]]
        if (more := totals.failed_jobs + self.unplanned - SHOWN) > 0:
            lines.append(f"  and {more:,} more")
        return "\n".join(lines)

    def json(self) -> str:
        """Return the report as JSON, for programs."""
        document: dict[str, Any] = {
            "complete": self.is_complete,
            "seconds": round(self.seconds, 3),
            "totals": {**asdict(self.totals), "seconds": round(self.totals.seconds, 3)},
            "failures": [
                {
                    "source": record.source,
                    "destination": record.destination,
                    **(asdict(record.failure) if record.failure else {}),
                }
                for record in self.failures
            ],
            "given_up": dict(self.given_up),
            "unplanned": self.unplanned,
        }
        return json.dumps(document, indent=2)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
