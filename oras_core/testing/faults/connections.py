"""Faults of connections: delays, resets and timeouts."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from attrs import define, field

from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.faults.fault import Fault
from oras_core.testing.faults.streams import BreakingSource, BreakingStream

__all__ = ["Delayed", "ResetRequests", "ResetResponses", "StalledResponses"]


@define(eq=False)
class Delayed(Fault):
    """Waits `seconds` before it sends a request."""

    seconds: float = field(kw_only=True)
    pause: Callable[[float], None] = field(default=time.sleep, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        self.pause(self.seconds)
        return self.transport.send(request)


def _reset() -> NoReturn:
    raise ConnectionResetError("connection reset by peer")


@define(eq=False)
class ResetResponses(Fault):
    """Resets the connection after `after` bytes of the response body; None: before the header."""

    after: int | None = field(default=None, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        if self.after is None:
            response.close()
            _reset()
        return response.with_body(BreakingStream(response.body, self.after, _reset))


@define(eq=False)
class ResetRequests(Fault):
    """Resets the connection after `after` bytes of the request body."""

    after: int = field(kw_only=True)

    def _concerns(self, request: HttpRequest) -> bool:
        return request.body is not None

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        body = request.body
        if body is None:
            return self.transport.send(request)
        return self.transport.send(request.with_body(BreakingSource(body, self.after, _reset)))


@define(eq=False)
class StalledResponses(Fault):
    """Sends `after` bytes of the response body, waits `seconds`, and raises a timeout."""

    after: int = field(kw_only=True)
    seconds: float = field(default=0, kw_only=True)
    pause: Callable[[float], None] = field(default=time.sleep, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        return response.with_body(BreakingStream(response.body, self.after, self._stall))

    def _stall(self) -> NoReturn:
        self.pause(self.seconds)
        raise TimeoutError("the registry sent nothing more")
