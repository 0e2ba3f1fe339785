"""The base of all faults, and the selection of the requests that a fault concerns."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Final
from urllib.parse import urlsplit

from attrs import define, field

from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport

__all__ = ["RANGE_FIELDS", "Fault", "Scripted", "empty_answer", "requests_for"]

Selector = Callable[[HttpRequest], bool]
"""Says whether a fault concerns a request."""

RANGE_FIELDS: Final = ("Range", "If-Range")
"""The header fields of a request for a part of a blob."""


def requests_for(*methods: str, path: str = "") -> Selector:
    """Return a selector of requests for the argument `when` of a fault.

    Args:
        methods: the HTTP methods; none for all methods.
        path: a regular expression that matches a part of the URL's path.
    """
    pattern = re.compile(path)

    def selects(request: HttpRequest) -> bool:
        if methods and request.method not in methods:
            return False
        return pattern.search(urlsplit(request.url).path) is not None

    return selects


def empty_answer(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """Return an answer without a body."""
    return HttpResponse(status, {"Content-Length": "0", **(headers or {})}, body=io.BytesIO())


@define(eq=False)
class Fault(HttpTransport):
    """The base of all faults.

    Attributes:
        transport: the transport to wrap.
        when: selects the requests; by default all for which the fault has a meaning.
        times: the number of requests after which the fault is over; None for no end.
    """

    transport: HttpTransport
    when: Selector = field(default=requests_for(), kw_only=True)
    times: int | None = field(default=None, kw_only=True)
    _count: int = field(default=0, init=False)
    _lock: Lock = field(factory=Lock, init=False, repr=False)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, with the fault if it is selected."""
        if self._concerns(request) and self.when(request) and self._take():
            return self._misbehave(request)
        return self.transport.send(request)

    def _take(self) -> bool:
        with self._lock:
            self._count += 1
            return self.times is None or self._count <= self.times

    def _concerns(self, request: HttpRequest) -> bool:  # noqa: ARG002
        return True

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        return self.transport.send(request)


@define(eq=False)
class Scripted(HttpTransport):
    """Gives each selected request the next fault of a script; afterwards there is none.

    Attributes:
        transport: the transport to wrap.
        faults: functions that wrap `transport` in a fault; None for a request without fault.
        when: selects the requests that take a step of the script.
    """

    transport: HttpTransport
    faults: Iterable[Callable[[HttpTransport], HttpTransport] | None]
    when: Selector = field(default=requests_for(), kw_only=True)
    _steps: Iterator[HttpTransport] = field(init=False, repr=False)
    _lock: Lock = field(factory=Lock, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        """Wrap the transport in each fault."""
        plain = self.transport
        self._steps = iter([fault(plain) if fault else plain for fault in self.faults])

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` through the next step of the script if it is selected."""
        if not self.when(request):
            return self.transport.send(request)
        with self._lock:
            step = next(self._steps, self.transport)
        return step.send(request)
