"""Registries that fail while they are mirrored: each ends as docs/scaling.md says."""

from __future__ import annotations

from concurrent.futures import BrokenExecutor, ThreadPoolExecutor
from functools import partial

import pytest

from oras_core.errors import CancelledError, WorkerError
from oras_core.mirroring.hosts import RetryRules
from oras_core.mirroring.ledger import MemoryLedger
from oras_core.mirroring.plan import Mirror
from oras_core.mirroring.records import Record
from oras_core.mirroring.verification import verify_job
from oras_core.mirroring.working import perform, run_job
from oras_core.testing.faults import Refused, ResetResponses, requests_for
from support.mirror_world import (
    ALONE,
    DESTINATION,
    SOURCE,
    World,
    differences,
    jobs_of,
    mirror,
    run,
)

WRITES = requests_for("PUT", "POST", "PATCH")


@pytest.fixture
def world():
    world = World()
    for number in range(4):
        world.push(f"app{number}", "v1", "v2")
    return world


def test_a_storm_of_429_is_waited_out(world):
    """Each refused job is repeated; nothing is lost, and nothing fails."""
    storm = Refused(world.destination, when=WRITES, times=12, status=429)
    world.transports[DESTINATION] = storm
    report = run(world, threads=4, retry=RetryRules(attempts=3, backoff=0.001, max_failures=50))
    assert report.is_complete
    assert report.totals.failed_jobs == 0
    assert differences(world) == []


def test_a_pause_that_a_registry_demands_holds_all_jobs_for_it(world):
    """One worker is told to pause: no other worker gets a job for the registry meanwhile."""
    calls = []

    def work(task):
        calls.append(task.job.source)
        world.demanded = {SOURCE: 0.05} if len(calls) == 1 else {}
        return perform(task, world, options=ALONE)

    report = run(world, threads=1, work=work, in_flight=1)
    assert report.is_complete
    assert report.seconds >= 0.05


def test_a_registry_that_is_down_for_a_while_loses_nothing(world):
    """An outage is no fault of a job: its attempts do not count."""
    world.transports[DESTINATION] = ResetResponses(world.destination, times=30)
    rules = RetryRules(attempts=2, backoff=0.001, max_backoff=0.002, max_failures=1000)
    report = run(world, threads=2, retry=rules)
    assert report.is_complete
    assert differences(world) == []


def test_a_registry_that_stays_down_is_left_alone_and_its_jobs_stay_open(world):
    """The run ends with the reason, and the next run continues."""
    ledger = MemoryLedger()
    world.transports[DESTINATION] = ResetResponses(world.destination)
    report = run(world, ledger)
    assert not report.is_complete
    assert report.totals.open_jobs == 4
    assert report.totals.failed_jobs == 0
    assert DESTINATION in report.given_up
    assert "connection reset" in report.given_up[DESTINATION]
    assert "Run the mirror again" in report.text()

    world.mend(DESTINATION)
    report = run(world, ledger)
    assert report.is_complete
    assert report.totals.done_jobs == 4


def test_other_registries_are_mirrored_while_one_is_down(world):
    """A mirror to a broken registry does not hold up the others."""
    world.transports["broken.example"] = ResetResponses(world.destination)
    report = run(world, None, Mirror(SOURCE, "broken.example"), mirror())
    assert report.totals.done_jobs == 4
    assert report.totals.open_jobs == 4
    assert differences(world) == []


def test_a_source_that_cannot_be_read_is_planned_by_the_next_run(world):
    """A plan without an answer is no empty plan."""
    ledger = MemoryLedger()
    world.transports[SOURCE] = ResetResponses(world.source, when=requests_for(path="_catalog"))
    report = run(world, ledger)
    assert (report.is_complete, report.unplanned) == (False, 1)
    world.mend(SOURCE)
    report = run(world, ledger)
    assert report.is_complete
    assert report.totals.repositories == 4


@pytest.mark.parametrize("host", [SOURCE, DESTINATION])
def test_a_repository_without_permission_fails_alone(world, host):
    """It is not repeated, the others are mirrored, and the report names it."""
    server = world.source if host == SOURCE else world.destination
    denied = requests_for(path="/app2/(tags|manifests|blobs)")
    refused = Refused(server, when=denied, status=403)
    world.transports[host] = refused
    report = run(world)
    assert report.totals.done_jobs == 3
    assert report.totals.failed_jobs == 1
    assert report.totals.open_jobs == 0
    [failure] = report.failures
    assert failure.source == f"{SOURCE}/app2"
    assert failure.failure.kind == "AccessDeniedError"
    assert "app2" in report.text()
    assert '"kind": "AccessDeniedError"' in report.json()


def test_failed_jobs_can_be_repeated_alone(world):
    """`only_failed` repeats them and nothing else."""
    ledger = MemoryLedger()
    denied = requests_for("PUT", path="/app2/manifests")
    world.transports[DESTINATION] = Refused(world.destination, when=denied, status=403)
    assert run(world, ledger).totals.failed_jobs == 1
    world.mend(DESTINATION)
    calls = []

    def work(task):
        calls.append(task.job.source)
        return perform(task, world, options=ALONE)

    report = run(world, ledger, work=work, only_failed=True)
    assert set(calls) == {f"{SOURCE}/app2"}
    assert report.is_complete
    assert report.totals.done_jobs == 4


def test_a_job_that_always_fails_ends_after_its_attempts(world):
    """A registry that works for others is not to blame."""
    broken = requests_for("PUT", path="/app2/manifests")
    world.transports[DESTINATION] = Refused(world.destination, when=broken, status=500)
    calls = []

    def work(task):
        calls.append(task.job.source)
        outcome = perform(task, world, options=ALONE)
        if isinstance(outcome, Record) and outcome.failure:
            # Another job succeeds between two attempts.
            world.push("app3", f"again{len(calls)}")
        return outcome

    report = run(world, threads=1, work=work, retry=RetryRules(attempts=1, backoff=0.0))
    assert report.totals.failed_jobs == 1
    assert report.totals.done_jobs == 3
    assert calls.count(f"{SOURCE}/app2") <= 4


# --- Tags that move -----------------------------------------------------------------------


def test_a_tag_that_moves_after_the_plan_is_copied_as_planned(world):
    """The artifact of the plan is whole under its tag; the next run copies the new one."""
    [job] = jobs_of(world, tags=("v1",), repositories=("app1",))
    planned = job.tags[0].root
    world.push("app1", "v1", blobs=(b"moved on",))
    record = run_job(job, world, options=ALONE)
    assert record.changed == ()
    assert world.repository("app1", DESTINATION).resolve("v1").digest == planned.digest
    [difference] = [
        d
        for j in jobs_of(world, repositories=("app1",))
        for d in verify_job(j, world)
        if d.name == "v1"
    ]
    assert difference.kind == "other"
    run(world)
    assert differences(world) == []


def test_a_tag_that_moves_and_whose_artifact_is_deleted_is_copied_as_it_is(world):
    """The record names the tag."""
    [job] = jobs_of(world, tags=("v1",), repositories=("app1",))
    new = world.push("app1", "v1", blobs=(b"moved on",))
    world.repository("app1").delete(job.tags[0].root)
    record = run_job(job, world, options=ALONE)
    assert record.failure is None
    assert record.changed == ("v1",)
    assert world.repository("app1", DESTINATION).resolve("v1").digest == new.digest


def test_a_tag_that_is_deleted_is_left_out(world):
    """The other tags of its job are copied."""
    [job] = jobs_of(world, repositories=("app1",))
    lone = world.push("app1", "v3", blobs=(b"short-lived",))
    [job] = jobs_of(world, repositories=("app1",))
    world.repository("app1").delete(lone.descriptor)
    record = run_job(job, world, options=ALONE)
    assert (record.failure, record.left_out, record.tags) == (None, ("v3",), 2)
    assert sorted(world.repository("app1", DESTINATION).tags()) == ["v1", "v2"]


def test_a_blob_that_the_source_lost_is_a_failure(world):
    """It is not repeated, and no tag is created for the artifact."""
    document = world.push("app1", "v3", blobs=(b"lost" * 2000,))
    world.repository("app1").delete(document.layers[0])
    report = run(world)
    [failure] = report.failures
    assert failure.failure.kind == "RegistryNotFoundError"
    assert "v3" not in list(world.repository("app0", DESTINATION).tags())
    assert report.totals.done_jobs == 3


# --- Interruptions and lost workers -------------------------------------------------------


def test_an_interrupted_run_goes_on(world):
    """Done jobs are not repeated; nothing moves twice."""
    ledger = MemoryLedger()
    calls = []

    def work(task, stop_after):
        calls.append(task.job.source)
        if len(calls) > stop_after:
            raise CancelledError("mirror")
        return perform(task, world, options=ALONE)

    with pytest.raises(WorkerError, match="again to continue it"):
        run(world, ledger, threads=1, work=partial(work, stop_after=4), in_flight=1)
    assert ledger.totals().done_jobs == 2
    report = run(world, ledger, work=partial(work, stop_after=1000))
    assert report.is_complete
    assert report.totals.done_jobs == 4
    uploads = [digest for digest in world.uploads() if "44136fa3" not in digest]
    assert len(uploads) == len(set(uploads)) == 4


@pytest.mark.parametrize("at", ["submit", "result"])
def test_a_broken_executor_ends_the_run_which_goes_on_later(world, at):
    ledger = MemoryLedger()

    class Broken(ThreadPoolExecutor):
        def submit(self, function, /, *arguments, **named):
            if at == "submit" and ledger.totals().done_jobs:
                raise BrokenExecutor("its processes are gone")
            return super().submit(function, *arguments, **named)

    def work(task):
        if at == "result" and ledger.totals().done_jobs:
            raise BrokenExecutor("its processes are gone")
        return perform(task, world, options=ALONE)

    with pytest.raises(WorkerError, match="its processes are gone"):
        run(world, ledger, threads=1, work=work, in_flight=1, executor=Broken)
    assert ledger.totals().done_jobs == 1
    assert run(world, ledger).totals.done_jobs == 4


def test_few_jobs_are_in_memory_however_many_there_are(world):
    """A plan of a million jobs needs no more memory than one of a hundred."""
    world.push("many", *(f"t{number}" for number in range(300)))
    submitted, most = [], []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, /, *arguments, **named):
            submitted.append(arguments[0].job.key)
            most.append(len(set(submitted)) - ledger.totals().done_jobs)
            return super().submit(function, *arguments, **named)

    ledger = MemoryLedger()
    report = run(world, ledger, executor=Counting, in_flight=5, tags_per_job=1)
    assert report.totals.done_jobs == 308
    assert max(most) <= 5 + 1


def test_an_error_of_the_executor_is_repeated(world):
    """Executors have errors of their own, such as that of a lost worker."""
    lost = [RuntimeError("the worker was lost")]

    def work(task):
        if lost:
            raise lost.pop()
        return perform(task, world, options=ALONE)

    assert run(world, work=work).is_complete


# --- What verification finds --------------------------------------------------------------


def test_verification_finds_each_kind_of_difference():
    world = World()
    subject = world.push("app", "v1", "v2")
    signature = world.push("app", subject=subject.descriptor, blobs=(b"signature",))
    index_less = world.push("app", "v3", blobs=(b"third",))
    run(world)
    assert differences(world) == []
    mirrored = world.repository("app", DESTINATION)
    mirrored.untag("v2")
    mirrored.tag(subject.descriptor.plain(), "v3")
    mirrored.delete(subject.layers[0])
    mirrored.delete(signature.descriptor)
    mirrored.delete(index_less.descriptor)
    found = differences(world)
    assert sorted(difference.kind for difference in found) == [
        "blob", "manifest", "manifest", "other", "referrer", "tag",
    ]  # fmt: skip
    assert {d.kind for d in differences(world, deep=False)} == {"other", "referrer", "tag"}
    assert all(difference.repository == f"{DESTINATION}/app" for difference in found)


def test_a_repository_that_cannot_be_compared_is_a_difference(world):
    run(world)
    refused = Refused(world.destination, when=requests_for(path="/app2/"), status=403)
    world.transports[DESTINATION] = refused
    world.forget(DESTINATION)
    [difference] = differences(world)
    assert (difference.kind, difference.repository) == ("unread", f"{DESTINATION}/app2")
    assert "could not be compared" in str(difference)
