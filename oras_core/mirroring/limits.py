"""Limits of registries, and the share of them that each worker of a run has."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen, validators

from oras_core.copying.options import DEFAULT_CONCURRENCY
from oras_core.model.hosts import canonical_registry
from oras_core.registry.transports.throttle import Rate

__all__ = ["HostLimits", "WorkerSetup"]

_positive = validators.optional(validators.gt(0))


@frozen
class HostLimits:
    """Limits for one registry, over all workers of a run. None is no limit.

    Attributes:
        requests: requests a second.
        bytes: bytes a second.
        connections: requests at the same time.
    """

    requests: float | None = field(default=None, validator=_positive)
    bytes: float | None = field(default=None, validator=_positive)
    connections: int | None = field(default=None, validator=validators.optional(validators.ge(1)))

    @property
    def rate(self) -> Rate:
        """The limits of requests and bytes."""
        return Rate(self.requests, self.bytes)


@frozen
class WorkerSetup:
    """The limits that the workers of a run share. Picklable; holds no secret.

    Attributes:
        limits: the limits of registries over all workers, by host.
        shares: the number of processes that share the limits.
        jobs: the number of jobs that one worker runs at the same time.
    """

    limits: tuple[tuple[str, HostLimits], ...] = ()
    shares: int = 1
    jobs: int = 1

    @classmethod
    def of_threads(cls, limits: Mapping[str, HostLimits], jobs: int) -> WorkerSetup:
        """Return the setup of the only process of a run; its plan counts as one more job."""
        return cls(tuple(sorted(limits.items())), 1, jobs + 1)

    @classmethod
    def of_processes(cls, limits: Mapping[str, HostLimits], workers: int, jobs: int) -> WorkerSetup:
        """Return the setup of worker processes; the process that plans takes one share."""
        return cls(tuple(sorted(limits.items())), workers + 1, jobs)

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
