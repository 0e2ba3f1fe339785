"""The ledger of a run: which jobs are open, done or failed. A port."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Protocol

from attrs import evolve, field, frozen

from oras_core.mirroring.job import Job
from oras_core.mirroring.plan import Planned
from oras_core.mirroring.records import Record
from oras_core.model.digest import Digest

__all__ = ["Ledger", "MemoryLedger", "Totals"]


@frozen
class Totals:
    """The sums of a run.

    Attributes:
        repositories: repositories that are planned: all their jobs are known.
        is_planned: whether all repositories are planned.
        open_jobs: jobs that are neither done nor failed.
        open_tags: the tags of the open jobs.
        done_jobs: jobs that succeeded.
        done_tags: the tags of the jobs that succeeded.
        failed_jobs: jobs, and repositories that could not be planned, that failed for good.
        moved: blobs and manifests that were transferred.
        skipped: blobs and manifests that were present.
        mounted: blobs that were mounted from another repository of the registry.
        bytes: bytes that were transferred.
        seconds: the duration of all jobs together.
        left_out: tags that were deleted at the source, or that lack the platform.
        changed: tags that named another artifact than planned.
    """

    repositories: int = 0
    is_planned: bool = False
    open_jobs: int = 0
    open_tags: int = 0
    done_jobs: int = 0
    done_tags: int = 0
    failed_jobs: int = 0
    moved: int = 0
    skipped: int = 0
    mounted: int = 0
    bytes: int = 0
    seconds: float = field(default=0.0, eq=False)
    left_out: int = 0
    changed: int = 0

    def with_open(self, jobs: Sequence[Job]) -> Totals:
        """Return the sums with further open jobs."""
        tags = sum(len(job.tags) for job in jobs)
        return evolve(self, open_jobs=self.open_jobs + len(jobs), open_tags=self.open_tags + tags)

    def with_end(self, job: Job) -> Totals:
        """Return the sums without an open job."""
        return evolve(self, open_jobs=self.open_jobs - 1, open_tags=self.open_tags - len(job.tags))

    def with_record(self, record: Record) -> Totals:
        """Return the sums with the record of a job that was done or failed."""
        seconds = self.seconds + record.seconds
        if record.failure:
            return evolve(self, failed_jobs=self.failed_jobs + 1, seconds=seconds)
        return evolve(
            self,
            done_jobs=self.done_jobs + 1,
            done_tags=self.done_tags + record.tags,
            moved=self.moved + record.moved,
            skipped=self.skipped + record.skipped,
            mounted=self.mounted + record.mounted,
            bytes=self.bytes + record.bytes,
            seconds=seconds,
            left_out=self.left_out + len(record.left_out),
            changed=self.changed + len(record.changed),
        )


class Ledger(Protocol):
    """Keeps the state of one run. Thread-safe. Every change is durable when a call returns."""

    def begin(self, rules: str) -> bool:
        """Begin a run, or continue one that has not ended and has the same rules.

        A new run forgets the jobs of the run before it.

        Args:
            rules: a text that identifies the rules of the run.

        Returns:
            Whether an earlier run continues.
        """
        ...

    def reopen_failed(self, rules: str) -> bool:
        """Make the failed jobs of the last run open again, and continue it.

        Args:
            rules: the text with which the run began.

        Returns:
            Whether the last run has these rules. If not, nothing changes.
        """
        ...

    def add(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Add open jobs; return those that the run did not know."""
        ...

    def open_jobs(self) -> Iterator[Job]:
        """Iterate over the jobs that are open when the iteration begins."""
        ...

    def note(self, record: Record) -> None:
        """Note that a job is done, or has failed for good."""
        ...

    def note_planned(self, planned: Planned) -> None:
        """Note that all jobs of a repository are known."""
        ...

    def is_planned(self, planned: Planned) -> bool:
        """Tell whether all jobs of a repository are known."""
        ...

    def note_all_planned(self) -> None:
        """Note that all jobs of the run are known."""
        ...

    def places(self, host: str, digests: Collection[Digest]) -> Mapping[Digest, str]:
        """Return a repository of the registry `host` for each blob that a record named."""
        ...

    def totals(self) -> Totals:
        """Return the sums of the run."""
        ...

    def failures(self, limit: int) -> Sequence[Record]:
        """Return up to `limit` records of failures, in the order in which they were noted."""
        ...

    def end(self) -> None:
        """Note that the run has ended: no job is open."""
        ...


class MemoryLedger(Ledger):
    """A ledger in memory, for runs that end with their process."""

    def __init__(self) -> None:
        """Begin without a run."""
        self._places: dict[tuple[str, Digest], str] = {}
        self._rules: str | None = None
        self._ended = True
        self._forget()

    def _forget(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._records: dict[str, Record] = {}
        self._planned: set[Planned] = set()
        self._all_planned = False

    def begin(self, rules: str) -> bool:
        """Begin a run, or continue one."""
        goes_on = not self._ended and self._rules == rules
        if not goes_on:
            self._forget()
        self._rules, self._ended = rules, False
        return goes_on

    def reopen_failed(self, rules: str) -> bool:
        """Make the failed jobs open again."""
        if self._rules != rules:
            return False
        for key in [key for key, record in self._records.items() if record.failure]:
            record = self._records.pop(key)
            if key not in self._jobs:
                self._planned.discard(Planned(record.source, record.destination))
                self._all_planned = False
        self._ended = False
        return True

    def add(self, jobs: Sequence[Job]) -> Sequence[Job]:
        """Add jobs; return the new ones."""
        new = {job.key: job for job in jobs if job.key not in self._jobs}
        self._jobs |= new
        return list(new.values())

    def open_jobs(self) -> Iterator[Job]:
        """Iterate over the open jobs."""
        return iter([job for key, job in self._jobs.items() if key not in self._records])

    def note(self, record: Record) -> None:
        """Note the end of a job."""
        self._records[record.key] = evolve(record, blobs=(), pauses={})
        host, _, repository = record.destination.partition("/")
        for digest in record.blobs:
            self._places.setdefault((host, digest), repository)

    def note_planned(self, planned: Planned) -> None:
        """Note that a repository is planned."""
        self._planned.add(planned)

    def is_planned(self, planned: Planned) -> bool:
        """Tell whether a repository is planned."""
        return planned in self._planned

    def note_all_planned(self) -> None:
        """Note that all repositories are planned."""
        self._all_planned = True

    def places(self, host: str, digests: Collection[Digest]) -> Mapping[Digest, str]:
        """Return the known places of blobs."""
        return {d: self._places[host, d] for d in digests if (host, d) in self._places}

    def totals(self) -> Totals:
        """Return the sums."""
        totals = Totals(repositories=len(self._planned), is_planned=self._all_planned)
        totals = totals.with_open(list(self.open_jobs()))
        for record in self._records.values():
            totals = totals.with_record(record)
        return totals

    def failures(self, limit: int) -> Sequence[Record]:
        """Return the first failures."""
        return [record for record in self._records.values() if record.failure][:limit]

    def end(self) -> None:
        """Note the end of the run."""
        self._ended = True
