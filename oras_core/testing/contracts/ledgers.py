"""The contract of the port `Ledger`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from oras_core.mirroring.job import Choice, Job, TaggedRoot
from oras_core.mirroring.ledger import Ledger
from oras_core.mirroring.plan import Planned
from oras_core.mirroring.records import Failure, Record
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.media_types import OCI_MANIFEST
from oras_core.model.platform import Platform

__all__ = ["LedgerContract"]

_HOST = "mirror.example"


def _job(number: int, *, tags: int = 2) -> Job:
    roots = tuple(
        TaggedRoot(f"v{tag}", Descriptor.of(b"%d %d" % (number, tag), OCI_MANIFEST))
        for tag in range(tags)
    )
    choice = Choice(Platform("linux", "arm64", "v8"), ("application/vnd.example",))
    return Job(f"source.example/app{number}", f"{_HOST}/app{number}", roots, choice)


def _done(job: Job, *blobs: Digest) -> Record:
    return Record(
        job.key,
        job.source,
        job.destination,
        tags=len(job.tags),
        moved=3,
        skipped=2,
        mounted=1,
        bytes=10,
        seconds=0.5,
        left_out=("gone",),
        changed=("moved", "too"),
        blobs=blobs,
    )


def _failed(job: Job, message: str = "it does not work") -> Record:
    failure = Failure("RegistryError", message, _HOST, is_passing=True)
    return Record(job.key, job.source, job.destination, failure=failure)


class LedgerContract:
    """Tests of a ledger. A subclass has a fixture `ledger`, an empty one."""

    def test_a_new_run_is_empty(self, ledger: Ledger) -> None:
        """A new run has no jobs, and no plan."""
        assert ledger.begin("rules") is False
        assert list(ledger.open_jobs()) == []
        assert ledger.totals().open_jobs == 0
        assert not ledger.totals().is_planned

    def test_jobs_come_back_unchanged_and_in_order(self, ledger: Ledger) -> None:
        """Open jobs are equal to those that were added."""
        ledger.begin("rules")
        jobs = [_job(number, tags=number % 3) for number in range(600)]
        assert list(ledger.add(jobs)) == jobs
        assert list(ledger.open_jobs()) == jobs

    def test_a_job_is_added_once(self, ledger: Ledger) -> None:
        """Adding a known job again changes nothing, whatever its state."""
        ledger.begin("rules")
        one, two = _job(1), _job(2)
        ledger.add([one])
        ledger.note(_done(one))
        assert list(ledger.add([one, two, two])) == [two]
        assert ledger.totals().open_jobs == 1

    def test_jobs_may_end_during_the_iteration_over_open_jobs(self, ledger: Ledger) -> None:
        """The state of a job may change during the iteration over the open jobs."""
        ledger.begin("rules")
        jobs = [_job(number) for number in range(300)]
        ledger.add(jobs)
        for job in ledger.open_jobs():
            ledger.note(_done(job))
        assert ledger.totals().done_jobs == 300
        assert list(ledger.open_jobs()) == []

    def test_totals_count_jobs_and_add_their_results(self, ledger: Ledger) -> None:
        """The sums are those of the jobs that are done; failed and open ones are counted."""
        ledger.begin("rules")
        jobs = [_job(number) for number in range(4)]
        ledger.add(jobs)
        ledger.note(_done(jobs[0]))
        ledger.note(_done(jobs[1]))
        ledger.note(_failed(jobs[2]))
        totals = ledger.totals()
        assert (totals.open_jobs, totals.open_tags) == (1, 2)
        assert (totals.done_jobs, totals.done_tags, totals.failed_jobs) == (2, 4, 1)
        assert (totals.moved, totals.skipped, totals.mounted, totals.bytes) == (6, 4, 2, 20)
        assert (totals.left_out, totals.changed, totals.seconds) == (2, 4, 1.0)

    def test_an_open_run_is_continued(self, ledger: Ledger) -> None:
        """An open run keeps its jobs and plan; a new run forgets them."""
        ledger.begin("rules")
        ledger.add([_job(1), _job(2)])
        ledger.note(_done(_job(1)))
        ledger.note_planned(Planned("a/b", "c/d"))
        assert ledger.begin("rules") is True
        assert list(ledger.open_jobs()) == [_job(2)]
        assert ledger.is_planned(Planned("a/b", "c/d"))
        ledger.note(_done(_job(2)))
        ledger.note_all_planned()
        ledger.end()
        assert ledger.begin("rules") is False
        assert ledger.totals().done_jobs == 0
        assert not ledger.totals().is_planned
        assert not ledger.is_planned(Planned("a/b", "c/d"))

    def test_other_rules_begin_a_new_run(self, ledger: Ledger) -> None:
        """An open run of other rules is forgotten."""
        ledger.begin("rules")
        ledger.add([_job(1)])
        assert ledger.begin("other rules") is False
        assert list(ledger.open_jobs()) == []

    def test_repositories_are_planned_one_by_one(self, ledger: Ledger) -> None:
        """A repository counts as planned for one destination."""
        ledger.begin("rules")
        ledger.note_planned(Planned("a/b", "c/d"))
        ledger.note_planned(Planned("a/b", "c/d"))
        assert ledger.is_planned(Planned("a/b", "c/d"))
        assert not ledger.is_planned(Planned("a/b", "c/e"))
        assert ledger.totals().repositories == 1
        ledger.note_all_planned()
        assert ledger.totals().is_planned

    def test_failures_come_back_unchanged(self, ledger: Ledger) -> None:
        """The ledger returns records of failures unchanged, of repositories without jobs too."""
        ledger.begin("rules")
        ledger.add([_job(1)])
        records = [_failed(_job(1), "one: 'quoted' \N{SNOWMAN}"), _failed(_job(2, tags=0), "two")]
        for record in records:
            ledger.note(record)
        assert list(ledger.failures(10)) == records
        assert list(ledger.failures(1)) == records[:1]
        assert ledger.totals().failed_jobs == 2

    def test_failed_jobs_can_be_opened_again(self, ledger: Ledger) -> None:
        """Only the failed jobs are open then; a repository that failed is planned again."""
        assert ledger.reopen_failed("rules") is False
        ledger.begin("rules")
        ledger.add([_job(1), _job(2)])
        ledger.note(_done(_job(1)))
        ledger.note(_failed(_job(2)))
        ledger.note_all_planned()
        ledger.end()
        assert ledger.reopen_failed("rules") is True
        assert ledger.begin("rules") is True
        assert list(ledger.open_jobs()) == [_job(2)]
        assert ledger.totals().is_planned
        assert ledger.totals().open_tags == 2
        ledger.note(_failed(_job(3, tags=0)))
        assert ledger.reopen_failed("rules") is True
        assert not ledger.totals().is_planned
        assert ledger.totals().failed_jobs == 0

    def test_failed_jobs_of_other_rules_stay_as_they_are(self, ledger: Ledger) -> None:
        """They are not opened again."""
        ledger.begin("rules")
        ledger.add([_job(1)])
        ledger.note(_failed(_job(1)))
        ledger.end()
        assert ledger.reopen_failed("other rules") is False
        assert list(ledger.open_jobs()) == []
        assert ledger.totals().failed_jobs == 1

    def test_blobs_are_found_by_registry(self, ledger: Ledger) -> None:
        """A blob has the repository of the first record; later runs know it too."""
        ledger.begin("rules")
        one, two, other = (Digest.of(name) for name in (b"one", b"two", b"other"))
        ledger.add([_job(1), _job(2)])
        ledger.note(_done(_job(1), one, two))
        ledger.note(_done(_job(2), two))
        assert ledger.places(_HOST, [one, two, other]) == {one: "app1", two: "app1"}
        assert ledger.places("elsewhere.example", [one]) == {}
        ledger.end()
        ledger.begin("rules")
        assert ledger.places(_HOST, [one]) == {one: "app1"}

    def test_threads_note_records_at_once(self, ledger: Ledger) -> None:
        """Records that several threads note are all kept."""
        ledger.begin("rules")
        jobs = [_job(number) for number in range(24)]
        ledger.add(jobs)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda job: ledger.note(_done(job)), jobs))
        assert ledger.totals().done_jobs == 24
