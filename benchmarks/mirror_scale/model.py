"""How long a mirror takes: a model, and its parameters, counted and measured."""

from __future__ import annotations

import math
import time
from collections import Counter

from attrs import frozen

from mirror_scale.simulation import DESTINATION, SOURCE, Setup, SyntheticRegistries
from mirror_scale.synthetic import Shape
from oras_core.copying.options import CopyOptions
from oras_core.mirroring.job import Job
from oras_core.mirroring.plan import Mirror, plan_mirror
from oras_core.mirroring.working import run_job
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.registry import RemoteRegistry


@frozen
class Costs:
    """The costs of one tag.

    Attributes:
        source: requests to the source.
        destination: requests to the destination.
        seconds: processor time of the worker.
    """

    source: float
    destination: float
    seconds: float


@frozen
class Model:
    """The duration of a mirror. Times are in seconds.

    Attributes:
        costs: of one tag.
        latency: from a request to its answer.
        tags_per_job: tags of one job.
        concurrency: tags of one job that are copied at the same time.
        requests: requests a second that a registry allows; None for no limit. The process that
            plans takes one share of them, and each worker another.
    """

    costs: Costs
    latency: float
    tags_per_job: int
    concurrency: int
    requests: float | None = None

    def seconds(self, tags: int, workers: int, jobs: int = 1) -> float:
        """Return the duration for so many tags, workers, and jobs at a time of each worker.

        The duration is the longest of three: waiting for answers, the processors of the
        workers, and the limit of the busier registry.
        """
        return max(
            self.waiting(tags, workers, jobs),
            self.computing(tags, workers),
            self.limited(tags, workers),
        )

    def waiting(self, tags: int, workers: int, jobs: int) -> float:
        """Return the time that answers take, with so many jobs at a time of each worker."""
        return math.ceil(tags / self.tags_per_job / (workers * jobs)) * self.job(workers)

    def job(self, workers: int) -> float:
        """Return the time that answers take for one job: a stage waits for the one before."""
        tags = self.tags_per_job
        blobs = tags + 2  # one for each tag, the config, and the blob that repositories share
        stages = (  # items, requests for each, and the most of these to one registry
            (tags, 1, 1),  # the referrers at the source
            (tags, 2, 1),  # the manifest: HEAD at the destination, GET at the source
            (1, 2, 2),  # the repository at the destination: HEAD of a blob, GET of the tags
            (blobs, 4, 3),  # HEAD, POST and PUT at the destination, GET at the source
            (tags, 2, 2),  # the manifest: HEAD and PUT
            (tags, 2, 2),  # the tag: HEAD and PUT
        )
        rate = self.share(workers)
        return sum(
            max(
                math.ceil(items / self.concurrency) * requests * self.latency,
                items * limited / rate,
            )
            for items, requests, limited in stages
        )

    def share(self, workers: int) -> float:
        """Return the requests a second of one worker to a registry."""
        return math.inf if self.requests is None else self.requests / (workers + 1)

    def computing(self, tags: int, workers: int) -> float:
        """Return the time that the processors need, one for each worker."""
        return tags * self.costs.seconds / workers

    def limited(self, tags: int, workers: int) -> float:
        """Return the time that the limit needs for the requests of all workers."""
        busier = max(self.costs.source, self.costs.destination)
        return tags * busier / (self.share(workers) * workers)


class _Counting(HttpTransport):
    def __init__(self, transport: HttpTransport, counts: Counter[str], host: str) -> None:
        self._transport = transport
        self._counts = counts
        self._host = host

    def send(self, request: HttpRequest) -> HttpResponse:
        self._counts[self._host] += 1
        return self._transport.send(request)


def costs(tags: int) -> Costs:
    """Count and measure the copy of a job of so many tags, without latency."""
    setup = Setup(Shape(1, tags), 0.0, 1)
    registries = SyntheticRegistries(setup)
    counts: Counter[str] = Counter()
    for host in (SOURCE, DESTINATION):
        counted = _Counting(registries.registry(host).transport, counts, host)
        registries.replace(host, RemoteRegistry(host, counted))
    mirror = Mirror(SOURCE, DESTINATION)
    jobs = [e for e in plan_mirror(mirror, registries, concurrency=1) if isinstance(e, Job)]
    counts.clear()
    started = time.process_time()
    for job in jobs:
        record = run_job(job, registries, options=CopyOptions(concurrency=1))
        assert record.failure is None, record.failure
    seconds = time.process_time() - started
    return Costs(counts[SOURCE] / tags, counts[DESTINATION] / tags, seconds / tags)
