"""Limits on the requests and bytes that a client sends to a registry in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from attrs import field, frozen, validators

from oras_core.cancellation import sleep
from oras_core.forks import ForkSafeLock
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.retries import is_retryable, retry_after

__all__ = ["Rate", "Throttled"]

CHUNK: Final = 64 * 1024
"""Bytes per read under a limit of bytes: small, so that the transfer is even."""

_positive = validators.optional(validators.gt(0))


@frozen
class Rate:
    """Limits for one registry.

    Attributes:
        requests: requests a second; None for no limit.
        bytes: bytes a second, of the bodies of requests and responses together; None for no
            limit.
    """

    requests: float | None = field(default=None, validator=_positive)
    bytes: float | None = field(default=None, validator=_positive)

    def shared(self, parts: int) -> Rate:
        """Return the share of one of `parts` equal processes."""
        return Rate(
            None if self.requests is None else self.requests / parts,
            None if self.bytes is None else self.bytes / parts,
        )


class Throttled(HttpTransport):
    """A transport that keeps to a rate. Thread-safe: the threads of a process share the rate.

    Its `pause` is the latest `Retry-After` of the registry. Only `Retrying` waits for it.
    """

    def __init__(
        self,
        transport: HttpTransport,
        rate: Rate | None = None,
        *,
        sleep: Callable[[float], object] = sleep,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap `transport`.

        Args:
            transport: sends the requests to one registry.
            rate: the limits; by default there is none.
            sleep: waits for a number of seconds, or raises if it is cancelled.
            now: a monotonic clock in seconds.
        """
        rate = rate or Rate()
        self._transport = transport
        self._requests = _Spacing(rate.requests, sleep, now)
        self._bytes = None if rate.bytes is None else _Spacing(rate.bytes, sleep, now)
        self._now = now
        self._lock = ForkSafeLock()
        self._not_before = 0.0

    @property
    def pause(self) -> float:
        """The seconds for which the registry still demands a pause; 0 for none."""
        return max(0.0, self._not_before - self._now())

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` when the rate allows it."""
        self._requests.take(1)
        if self._bytes is not None and request.body is not None:
            request = request.with_body(_ThrottledSource(request.body, self._bytes))
        response = self._transport.send(request)
        if is_retryable(response.status):
            asked = retry_after(response.headers)
            if asked is not None:
                until = self._now() + asked
                with self._lock:
                    self._not_before = max(self._not_before, until)
        if self._bytes is None:
            return response
        return response.with_body(_ThrottledStream(response.body, self._bytes))


class _Spacing:
    """Spaces events evenly. Thread-safe."""

    def __init__(
        self, rate: float | None, sleep: Callable[[float], object], now: Callable[[], float]
    ) -> None:
        self._rate = rate
        self._sleep = sleep
        self._now = now
        self._free_at = now()
        self._lock = ForkSafeLock()

    def take(self, count: int) -> None:
        """Wait until `count` further events fit into the rate."""
        if self._rate is None:
            return
        with self._lock:
            now = self._now()
            start = max(now, self._free_at)
            self._free_at = start + count / self._rate
        if start > now:
            self._sleep(start - now)


@frozen
class _ThrottledSource(ByteSource):
    source: ByteSource
    spacing: _Spacing

    @property
    def size(self) -> int | None:
        return self.source.size

    def open(self) -> ByteStream:
        return _ThrottledStream(self.source.open(), self.spacing)


@frozen
class _ThrottledStream(ByteStream):
    stream: ByteStream
    spacing: _Spacing

    def read(self, size: int = -1, /) -> bytes:
        data = self.stream.read(min(size, CHUNK) if size > 0 else size)
        self.spacing.take(len(data))
        return data

    def close(self) -> None:
        self.stream.close()
