"""Workers compose registries, credentials included, from their own environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from attrs import evolve, frozen

from oras_adapters.factory import Composition, compose
from oras_adapters.mirroring.rules import Rules
from oras_adapters.settings.settings import load_settings
from oras_core.cancellation import CancelToken
from oras_core.copying.options import DEFAULT_CONCURRENCY, CopyOptions
from oras_core.forks import ForkSafeLock
from oras_core.mirroring.job import Job
from oras_core.mirroring.limits import WorkerSetup
from oras_core.mirroring.records import Outcome, Task
from oras_core.mirroring.verification import Difference, verify_job
from oras_core.mirroring.working import perform
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.throttle import Throttled

__all__ = [
    "ComposedRegistries",
    "Governed",
    "WorkerSetup",
    "compare",
    "opened",
    "work",
    "worker_setup",
]


def worker_setup(rules: Rules) -> WorkerSetup:
    """Return the setup of the workers of a run."""
    run = rules.run
    if run.executor == "threads":
        return WorkerSetup.of_threads(rules.limits, run.workers * run.jobs)
    jobs = 1 if run.executor == "processes" else run.jobs
    return WorkerSetup.of_processes(rules.limits, run.workers, jobs)


class ComposedRegistries:
    """The registries of one process, by its settings and credentials. Thread-safe."""

    def __init__(self, setup: WorkerSetup, parts: Composition | None = None) -> None:
        """Compose as the settings of this process say, within the limits of `setup`."""
        if parts is None:
            settings = load_settings().with_concurrency(DEFAULT_CONCURRENCY * setup.jobs)
            # Each range of a large blob would be another connection.
            transfer = evolve(settings.transfer, range_connections=1)
            parts = compose(evolve(settings, transfer=transfer))
        self._setup = setup
        self._parts = parts
        self._registries: dict[str, tuple[RemoteRegistry, Throttled]] = {}
        self._lock = ForkSafeLock()

    def registry(self, host: str) -> RemoteRegistry:
        """Return the registry `HOST` or `HOST:PORT`."""
        with self._lock:
            if host not in self._registries:
                throttled = Throttled(self._parts.transport(host), self._setup.rate(host))
                self._registries[host] = self._parts.registry_over(throttled, host), throttled
            return self._registries[host][0]

    def pauses(self) -> Mapping[str, float]:
        """Return the seconds for which registries still demand a pause, by host."""
        with self._lock:
            found = {host: throttled.pause for host, (_, throttled) in self._registries.items()}
        return {host: seconds for host, seconds in found.items() if seconds > 0}

    def options(self, job: Job) -> CopyOptions:
        """Return the options of a job within the limits."""
        return CopyOptions(self._setup.concurrency(job.source_host, job.destination_host))

    def close(self) -> None:
        """Close the connections."""
        self._parts.close()


@lru_cache(maxsize=4)
def process_registries(setup: WorkerSetup) -> ComposedRegistries:
    """Return the registries of this process: its jobs share connections, tokens and pauses."""
    return ComposedRegistries(setup)


@contextmanager
def opened(setup: WorkerSetup) -> Iterator[ComposedRegistries]:
    """Return the registries of this process for a block, which closes them.

    Jobs that run in threads of this process use them too.
    """
    registries = process_registries(setup)
    try:
        yield registries
    finally:
        process_registries.cache_clear()
        registries.close()


def work(setup: WorkerSetup, task: Task) -> Outcome:
    """Carry out one call of a job in a worker. Picklable by name, idempotent.

    Settings and credentials are those of the worker's environment.
    """
    registries = process_registries(setup)
    return perform(task, registries, options=registries.options(task.job))


def compare(setup: WorkerSetup, job: Job, *, deep: bool = False) -> tuple[Difference, ...]:
    """Compare the two sides of a job in a worker. Picklable by name."""
    registries = process_registries(setup)
    return verify_job(job, registries, deep=deep, options=registries.options(job))


@frozen
class Governed:
    """A function whose threads end when a token is cancelled."""

    function: Callable[[Task], Outcome]
    token: CancelToken

    def __call__(self, task: Task) -> Outcome:
        """Call the function."""
        with self.token.scope():
            return self.function(task)
