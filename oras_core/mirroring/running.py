"""Run a mirror: plan it, hand the jobs to an executor, keep the ledger."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures import CancelledError as FutureCancelledError
from contextlib import ExitStack
from itertools import chain, islice
from typing import Any, Final

from attrs import frozen

from oras_core.cancellation import CancelToken, current_token, sleep
from oras_core.copying.options import DEFAULT_CONCURRENCY
from oras_core.errors import CancelledError, UnsupportedError, WorkerError
from oras_core.mirroring.claims import Claims
from oras_core.mirroring.hosts import Hosts, RetryRules
from oras_core.mirroring.job import Job
from oras_core.mirroring.ledger import Ledger
from oras_core.mirroring.plan import TAGS_PER_JOB, Mirror, PlanEvent, Planned, plan_mirror
from oras_core.mirroring.records import Examined, Failure, Outcome, Record, Task
from oras_core.mirroring.report import LISTED, Progress, Report, unreported
from oras_core.mirroring.working import Registries

__all__ = ["RunOptions", "run_mirrors"]

PLANNED_AT_ONCE: Final = 16
"""Jobs that are planned before the run looks at its workers again."""


@frozen
class RunOptions:
    """Options of a run.

    Attributes:
        in_flight: the number of jobs in memory. Three for each job that runs at the same time
            keep all workers busy.
        tags_per_job: the largest number of tags of one job.
        concurrency: the number of tags that are resolved at the same time.
        retry: how often and when failed jobs are repeated.
        listener: called with the progress after each job.
    """

    in_flight: int = 64
    tags_per_job: int = TAGS_PER_JOB
    concurrency: int = DEFAULT_CONCURRENCY
    retry: RetryRules = RetryRules()  # noqa: RUF009 - frozen
    listener: Callable[[Progress], None] = unreported


def run_mirrors(
    mirrors: Sequence[Mirror],
    registries: Registries,
    executor: Executor,
    perform: Callable[[Task], Outcome],
    ledger: Ledger,
    *,
    options: RunOptions | None = None,
    only_failed: bool = False,
) -> Report:
    """Mirror registries and repositories, or continue an earlier run that stopped.

    Jobs that fail because a registry does not answer, or is overloaded, are repeated later;
    others fail for good. A failure never ends the run.

    Args:
        mirrors: what to mirror.
        registries: the registries, to plan from in this process.
        executor: runs `perform`, in threads or in other processes.
        perform: carries out one call of a job; picklable if the executor has processes.
        ledger: keeps the state of the run.
        options: how to run.
        only_failed: repeat the failed jobs of the last run, instead of a new run.

    Returns:
        The report.

    Raises:
        UnsupportedError: if `only_failed` is true and the last run had other rules.
        WorkerError: if the executor lost its workers. The next run continues.
        CancelledError: if the thread's token is cancelled. The next run continues.

    Example:
        >>> mirror = Mirror("localhost:5001/team/model", "localhost:5001/copy/model")
        >>> with ThreadPoolExecutor() as threads:
        ...     work = partial(perform, registries=registries)
        ...     report = run_mirrors([mirror], registries, threads, work, MemoryLedger())
        >>> report.is_complete, report.totals.done_tags
        (True, 3)
    """
    options = options or RunOptions()
    rules = "\n".join(map(repr, mirrors))
    if not only_failed:
        ledger.begin(rules)
    elif not ledger.reopen_failed(rules):
        reason = "the last run in the ledger had other rules, or there was none; begin a run first"
        raise UnsupportedError("repeat only the failed jobs", reason)
    plans: Iterable[PlanEvent] = ()
    if not ledger.totals().is_planned:
        plans = chain.from_iterable(
            plan_mirror(
                mirror,
                registries,
                is_planned=ledger.is_planned,
                tags_per_job=options.tags_per_job,
                concurrency=options.concurrency,
            )
            for mirror in mirrors
        )
    with CancelToken(current_token()).scope() as token:
        run = _Run(iter(plans), executor, perform, ledger, options=options, token=token)
        try:
            return run.run()
        except BrokenExecutor as error:
            raise WorkerError(f"{type(error).__name__}: {error}") from error
        finally:
            token.cancel()
            run.close()
            token.close()


class _Run:
    """The loop of a run. One thread uses it; another one plans."""

    def __init__(
        self,
        events: Iterator[PlanEvent],
        executor: Executor,
        perform: Callable[[Task], Outcome],
        ledger: Ledger,
        *,
        options: RunOptions,
        token: CancelToken,
    ) -> None:
        self._events = events
        self._executor = executor
        self._perform = perform
        self._ledger = ledger
        self._options = options
        self._token = token
        self._planner = ThreadPoolExecutor(1, thread_name_prefix="oras-plan")
        self._planning: Future[list[PlanEvent]] | None = None
        self._is_planned = False
        self._unplanned: list[Record] = []
        self._backlog = ledger.open_jobs()
        self._ready: deque[Task] = deque()
        self._waiting: list[Task] = []
        self._running: dict[Future[Outcome], Task] = {}
        self._claims = Claims()
        self._hosts = Hosts(options.retry)
        self._attempts: dict[str, tuple[int, int]] = {}
        self._messages: dict[str, str] = {}
        self._started = time.monotonic()
        self._totals = ledger.totals()
        self._done_before = self._totals.done_tags
        self._woken: Future[None] = Future()
        self._stack = ExitStack()
        self._stack.callback(token.on_cancel(lambda: self._woken.set_result(None)))

    def close(self) -> None:
        """Drop the jobs that no worker has begun, and end the planner."""
        for future in self._running:
            future.cancel()
        self._stack.close()
        self._planner.shutdown(wait=True, cancel_futures=True)

    def run(self) -> Report:
        while True:
            self._token.raise_if_cancelled("run the mirror")
            self._refill()
            held = self._submit()
            futures: set[Future[Any]] = {*self._running, *filter(None, [self._planning])}
            if futures:
                done, _ = wait({*futures, self._woken}, held, return_when=FIRST_COMPLETED)
                self._handle(done)
            elif held is not None:
                sleep(held)
            elif not self._ready:
                return self._report()

    def _report(self) -> Report:
        if self._is_planned and not self._unplanned:
            self._ledger.note_all_planned()
        totals = self._ledger.totals()
        if totals.is_planned and not totals.open_jobs:
            self._ledger.end()
        given_up = {host: self._messages.get(host, "") for host in self._hosts.given_up()}
        seconds = time.monotonic() - self._started
        failures = (*self._unplanned, *self._ledger.failures(LISTED))
        return Report(totals, seconds, failures[:LISTED], given_up, len(self._unplanned))

    # --- Plan -----------------------------------------------------------------------------

    def _refill(self) -> None:
        """Take jobs from the ledger and from the plan, up to the bound."""
        room = self._options.in_flight - (
            len(self._running) + len(self._ready) + len(self._waiting)
        )
        if room <= 0:
            return
        open_jobs = list(islice(self._backlog, room))
        self._ready.extend(Task(job) for job in open_jobs if not self._is_given_up(job))
        if not open_jobs and self._planning is None and not self._is_planned:
            self._planning = self._planner.submit(self._plan_some, min(room, PLANNED_AT_ONCE))

    def _plan_some(self, count: int) -> list[PlanEvent]:
        with self._token.scope():
            return list(islice(self._events, count))

    def _take_plan(self, events: Sequence[PlanEvent]) -> None:
        self._is_planned = not events
        new = self._ledger.add([event for event in events if isinstance(event, Job)])
        self._totals = self._totals.with_open(new)
        self._ready.extend(Task(job) for job in new if not self._is_given_up(job))
        for event in events:
            if isinstance(event, Planned):
                self._ledger.note_planned(event)
            elif isinstance(event, Record) and event.failure:
                if event.failure.is_passing:
                    self._unplanned.append(event)
                else:
                    self._end(event)

    # --- Work -----------------------------------------------------------------------------

    def _submit(self) -> float | None:
        """Hand ready tasks to workers.

        Returns:
            The seconds until a task may start whose registry demands a pause; None for none.
        """
        held: list[Task] = []
        pause: float | None = None
        while self._ready:
            task = self._ready.popleft()
            job = task.job
            if self._is_given_up(job):
                self._claims.release(job.key)
                continue
            remaining = self._hosts.remaining(job.source_host, job.destination_host)
            if remaining > 0:
                held.append(task)
                pause = remaining if pause is None else min(pause, remaining)
            elif (ready := self._with_mounts(task)) is None:
                self._waiting.append(task)
            else:
                self._running[self._executor.submit(self._perform, ready)] = ready
        self._ready.extend(held)
        return pause

    def _with_mounts(self, task: Task) -> Task | None:
        """Claim the blobs that a task moves; None if another job is moving one of them."""
        if task.examined is None or not task.examined.blobs:
            return task
        host = task.job.destination_host
        mounts = self._ledger.places(host, task.examined.blobs)
        wanted = [digest for digest in task.examined.blobs if digest not in mounts]
        if not self._claims.claim(task.job.key, host, wanted):
            return None
        return Task(task.job, task.examined, mounts)

    def _handle(self, done: Iterable[Future[Any]]) -> None:
        for future in done:
            if future is self._planning:
                self._planning = None
                self._take_plan(future.result())
            elif (task := self._running.pop(future, None)) is not None:
                self._take_outcome(task, self._outcome(task, future))

    def _outcome(self, task: Task, future: Future[Outcome]) -> Outcome:
        try:
            return future.result()
        except (CancelledError, FutureCancelledError):
            self._token.raise_if_cancelled("run the mirror")
            raise WorkerError("a job was cancelled by its executor") from None
        except BrokenExecutor:
            raise
        except Exception as error:  # noqa: BLE001 - an executor has errors of its own
            failure = Failure(type(error).__name__, str(error), is_passing=True)
            return Record.failed(task.job, failure)

    def _take_outcome(self, task: Task, outcome: Outcome) -> None:
        self._hosts.note_pauses(outcome.pauses)
        if isinstance(outcome, Examined):
            self._ready.appendleft(Task(task.job, outcome))
            return
        job, failure = task.job, outcome.failure
        self._claims.release(job.key)
        self._ready.extendleft(reversed(self._waiting))
        self._waiting.clear()
        if failure is None:
            self._hosts.note_success(job.source_host, job.destination_host)
        elif failure.is_passing and self._is_repeated(job, failure):
            if not self._is_given_up(job):
                self._ready.append(Task(job))
            return
        self._totals = self._totals.with_end(job)
        self._attempts.pop(job.key, None)
        self._end(outcome)

    def _is_repeated(self, job: Job, failure: Failure) -> bool:
        """Note a failed attempt; tell whether there is another one, now or in the next run.

        An attempt counts only if another job of the registry has succeeded since the attempt
        before: an outage does not use up the attempts.
        """
        host = failure.host or job.destination_host
        self._messages[host] = failure.message
        self._hosts.note_failure(host)
        count, served = self._attempts.get(job.key, (0, -1))
        serves = self._hosts.successes(host)
        self._attempts[job.key] = (count + (served != serves), serves)
        return self._attempts[job.key][0] < self._options.retry.attempts

    def _end(self, record: Record) -> None:
        self._ledger.note(record)
        self._totals = self._totals.with_record(record)
        done_here = self._totals.done_tags - self._done_before
        seconds = time.monotonic() - self._started
        self._options.listener(Progress(self._totals, done_here, seconds, len(self._running)))

    def _is_given_up(self, job: Job) -> bool:
        return self._hosts.is_given_up(job.source_host, job.destination_host)
