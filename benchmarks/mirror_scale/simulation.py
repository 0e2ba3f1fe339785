"""Workers whose registries are synthetic, and the runs with them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import Executor, wait
from contextlib import ExitStack
from functools import lru_cache, partial

from attrs import frozen

from mirror_scale.synthetic import Shape, Sink, SyntheticSource
from oras_adapters.mirroring.executors import open_executor
from oras_adapters.mirroring.rules import RunRules
from oras_core.copying.options import CopyOptions
from oras_core.mirroring.ledger import MemoryLedger
from oras_core.mirroring.plan import Mirror
from oras_core.mirroring.records import Outcome, Task
from oras_core.mirroring.report import Report
from oras_core.mirroring.running import RunOptions, run_mirrors
from oras_core.mirroring.working import perform
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.throttle import Rate, Throttled
from oras_core.verbs.mirror import mirror

SOURCE, DESTINATION = "source.example", "mirror.example"

WARM = 6.0
"""Seconds that each worker is occupied at the start: processes take that long on a busy machine."""


@frozen
class Setup:
    """A simulated line and its limits. Times are in seconds."""

    shape: Shape
    latency: float
    concurrency: int
    requests: float | None = None
    shares: int = 1


class SyntheticRegistries:
    """Both registries of a simulation."""

    def __init__(self, setup: Setup) -> None:
        rate = Rate(setup.requests).shared(setup.shares)
        self._registries = {
            SOURCE: RemoteRegistry(
                SOURCE, Throttled(SyntheticSource(setup.shape, latency=setup.latency), rate)
            ),
            DESTINATION: RemoteRegistry(DESTINATION, Throttled(Sink(latency=setup.latency), rate)),
        }

    def registry(self, host: str) -> RemoteRegistry:
        """Return a registry."""
        return self._registries[host]

    def replace(self, host: str, registry: RemoteRegistry) -> None:
        """Reach a registry in another way."""
        self._registries[host] = registry

    def pauses(self) -> Mapping[str, float]:
        """Return no pause."""
        return {}


@lru_cache(maxsize=1)
def _registries(setup: Setup) -> SyntheticRegistries:
    return SyntheticRegistries(setup)


def work(setup: Setup, task: Task) -> Outcome:
    """Carry out one call of a job with synthetic registries."""
    options = CopyOptions(concurrency=setup.concurrency)
    return perform(task, _registries(setup), options=options)


def warm(seconds: float) -> None:
    """Occupy a worker, so that all of them have started."""
    time.sleep(seconds)


def simulate(setup: Setup, run: RunRules) -> tuple[Report, float]:
    """Mirror the synthetic registry; return the report and the seconds, without the start."""
    everything = Mirror(SOURCE, DESTINATION)
    slots = run.workers * run.jobs
    with ExitStack() as stack:
        executor: Executor = stack.enter_context(open_executor(run))
        wait([executor.submit(warm, WARM) for _ in range(slots)])
        started = time.monotonic()
        report = run_mirrors(
            [everything],
            SyntheticRegistries(setup),
            executor,
            partial(work, setup),
            MemoryLedger(),
            options=RunOptions(in_flight=3 * slots, concurrency=16),
        )
        return report, time.monotonic() - started


def one_process(setup: Setup) -> float:
    """Mirror each repository by the verb `mirror`, with 16 threads; return the seconds."""
    registries = SyntheticRegistries(setup)
    options = CopyOptions(concurrency=setup.concurrency)
    started = time.monotonic()
    for number in range(setup.shape.repositories):
        name = setup.shape.name(number)
        source, destination = (
            registries.registry(host).repository(name) for host in (SOURCE, DESTINATION)
        )
        mirror(source, destination, options=options)
    return time.monotonic() - started
