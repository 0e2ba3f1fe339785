"""Workers: they compose registries, credentials included, from their own environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from attrs import evolve, frozen

from oras_adapters.factory import Composition, compose
from oras_adapters.mirroring.rules import HostLimits, Rules
from oras_adapters.settings.settings import load_settings
from oras_core.cancellation import CancelToken
from oras_core.copying.options import DEFAULT_CONCURRENCY, CopyOptions
from oras_core.forks import ForkSafeLock
from oras_core.mirroring.job import Job
from oras_core.mirroring.records import Outcome, Task
from oras_core.mirroring.verification import Difference, verify_job
from oras_core.mirroring.working import perform
from oras_core.model.hosts import canonical_registry
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.throttle import Rate, Throttled

__all__ = ["ComposedRegistries", "Governed", "WorkerSetup", "compare", "opened", "work"]


@frozen
class WorkerSetup:
    """What every worker of a run must know. Picklable; holds no secret.

    Attributes:
        limits: the limits of registries over all workers, by host.
        shares: the number of processes that share the limits.
        jobs: the number of jobs that one worker runs at the same time.
    """

    limits: tuple[tuple[str, HostLimits], ...] = ()
    shares: int = 1
    jobs: int = 1

    @classmethod
    def of(cls, rules: Rules) -> WorkerSetup:
        """Return the setup of the workers of a run.

        The process that plans takes one share of the limits. With threads it is the only
        process, and the plan counts as one more job.
        """
        run = rules.run
        limits = tuple(sorted(rules.limits.items()))
        if run.executor == "threads":
            return cls(limits, 1, run.workers * run.jobs + 1)  # one more for the plan
        return cls(limits, run.workers + 1, 1 if run.executor == "processes" else run.jobs)

    def limits_of(self, host: str) -> HostLimits:
        """Return the limits of a registry over all workers."""
        wanted = canonical_registry(host)
        found = (own for name, own in self.limits if canonical_registry(name) == wanted)
        return next(found, None) or HostLimits()

    def rate(self, host: str) -> Rate:
        """Return the share of one worker of the rate of a registry."""
        return self.limits_of(host).rate.shared(self.shares)

    def concurrency(self, *hosts: str) -> int:
        """Return the number of transfers at the same time of one job between registries.

        Each transfer has at most one request to a registry in flight.
        """
        allowed = [DEFAULT_CONCURRENCY]
        for host in hosts:
            connections = self.limits_of(host).connections
            if connections is not None:
                allowed.append(connections // (self.shares * self.jobs))
        return max(1, min(allowed))


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
