"""Run and verify a mirror by its rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from attrs import frozen

from oras_adapters.mirroring.executors import open_executor
from oras_adapters.mirroring.rules import Rules
from oras_adapters.mirroring.sqlite_ledger import SqliteLedger
from oras_adapters.mirroring.workers import (
    ComposedRegistries,
    Governed,
    WorkerSetup,
    compare,
    opened,
    work,
    worker_setup,
)
from oras_core.cancellation import CancelToken, current_token
from oras_core.mirroring.job import host_of
from oras_core.mirroring.report import Progress, Report, unreported
from oras_core.mirroring.running import RunOptions, run_mirrors
from oras_core.mirroring.verification import Difference, verify_mirror

__all__ = ["run_rules", "verify_rules"]

QUEUED: Final = 2
"""Jobs that wait for each job that runs: a worker never waits for the planner."""


@frozen
class _Stage:
    """The open executor and registries of a run."""

    executor: Executor
    registries: ComposedRegistries
    setup: WorkerSetup
    token: CancelToken
    in_flight: int


def run_rules(
    rules: Rules,
    *,
    executor: Executor | None = None,
    listener: Callable[[Progress], None] = unreported,
    only_failed: bool = False,
) -> Report:
    """Mirror by rules, or continue an earlier run of the same rules.

    Args:
        rules: the rules; `read_rules` reads them from a file.
        executor: runs the jobs, in place of the executor that the rules name. If the rules
            have limits, their `executor`, `workers` and `jobs` must describe it.
        listener: called with the progress after each job.
        only_failed: repeat the failed jobs of the last run, instead of a new run.

    Raises:
        InvalidConfigurationError: if the settings, or the ledger, cannot be used.
        UnsupportedError: if the executor is Dask, which is not installed; or if `only_failed` is
            true, and the last run had other rules.
        WorkerError: if the workers ended. The next run continues.
    """
    with SqliteLedger(Path(rules.run.ledger)) as ledger, _stage(rules, executor) as stage:
        call = partial(work, stage.setup)
        return run_mirrors(
            rules.mirrors,
            stage.registries,
            stage.executor,
            Governed(call, stage.token) if _in_threads(rules, executor) else call,
            ledger,
            options=RunOptions(
                in_flight=stage.in_flight,
                tags_per_job=rules.run.tags_per_job,
                concurrency=stage.setup.concurrency(*_sources(rules)),
                retry=rules.retry,
                listener=listener,
            ),
            only_failed=only_failed,
        )


def verify_rules(
    rules: Rules, *, deep: bool = False, executor: Executor | None = None
) -> Iterator[Difference]:
    """Iterate over the differences between both sides of a mirror. Nothing is moved.

    Args:
        rules: the rules of the mirror.
        deep: look also for every manifest and blob at the destination.
        executor: compares, in place of the executor that the rules name.

    Raises: as `run_rules`.
    """
    with _stage(rules, executor) as stage:
        yield from verify_mirror(
            rules.mirrors,
            stage.registries,
            stage.executor,
            partial(compare, stage.setup, deep=deep),
            in_flight=stage.in_flight,
        )


def _sources(rules: Rules) -> list[str]:
    """Return the registries that are planned."""
    return [host_of(mirror.source) for mirror in rules.mirrors]


def _in_threads(rules: Rules, executor: Executor | None) -> bool:
    return executor is None and rules.run.executor == "threads"


@contextmanager
def _stage(rules: Rules, executor: Executor | None) -> Iterator[_Stage]:
    setup = worker_setup(rules)
    token = CancelToken(current_token())
    with ExitStack() as stack:
        if executor is None:
            executor = stack.enter_context(open_executor(rules.run))
        registries = stack.enter_context(opened(setup))
        stack.callback(token.close)
        # First of all, so that threads end their jobs before their executor waits for them.
        stack.callback(token.cancel)
        in_flight = (1 + QUEUED) * rules.run.workers * rules.run.jobs
        yield _Stage(executor, registries, setup, token, in_flight)
