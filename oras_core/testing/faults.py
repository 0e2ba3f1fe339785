"""Faults on request: wrappers of a transport that misbehave as registries and networks do.

They compose, and are thread-safe. docs/testing.md lists them.
"""

from __future__ import annotations

import io
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from threading import Lock
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from attrs import define, evolve, field

from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.testing.fault_streams import BreakingSource, BreakingStream, GzipStream
from oras_core.testing.registry.routes import ApiError

__all__ = [
    "CompressedBodies",
    "Delayed",
    "ExpiringTokens",
    "Fault",
    "OtherHeaders",
    "OtherStatus",
    "RedirectedBlobs",
    "Refused",
    "RelativeLocations",
    "ResetRequests",
    "ResetResponses",
    "Scripted",
    "StalledResponses",
    "WithoutMount",
    "WithoutParameters",
    "WithoutRange",
    "WithoutReferrers",
    "requests_for",
]

Selector = Callable[[HttpRequest], bool]

_RANGE: Final = ("Range", "If-Range")

MAX_REMEMBERED: Final = 10_000
"""Number of redirects, or tokens, that a fault remembers; it forgets the oldest first."""


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


def _forget_oldest(remembered: dict[str, Any]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]


class _Granted(HttpRequest):
    """A request of the other host of a redirect, which the registry has allowed already."""


def _answer(status: int, headers: Mapping[str, str] | None = None) -> HttpResponse:
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


@define(eq=False)
class Delayed(Fault):
    """Waits `seconds` before it sends a request."""

    seconds: float = field(kw_only=True)
    pause: Callable[[float], None] = field(default=time.sleep, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        self.pause(self.seconds)
        return self.transport.send(request)


@define(eq=False)
class Refused(Fault):
    """Answers with an error status, without the wrapped transport: 429, 500, 503 and others.

    `code` is the error code in the body, such as `UNSUPPORTED`; empty for no body. `retry_after`
    is the value of `Retry-After`: seconds, or a date of HTTP; None for no field.
    """

    status: int = field(kw_only=True)
    code: str = field(default="", kw_only=True)
    retry_after: int | str | None = field(default=None, kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002
        after = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.code:
            return ApiError(self.status, self.code, "refused on request", after).response()
        return _answer(self.status, after)


def _reset() -> None:
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
            return response
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

    def _stall(self) -> None:
        self.pause(self.seconds)
        raise TimeoutError("the registry sent nothing more")


@define(eq=False)
class WithoutReferrers(Fault):
    """Has no referrers API: 404 at its endpoint, and no `OCI-Subject` (R31)."""

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        if requests_for(path=r"^/v2/.+/referrers/[^/]+$")(request):
            return _answer(404)
        response = self.transport.send(request)
        return evolve(response, headers=response.headers.without("OCI-Subject"))


@define(eq=False)
class WithoutParameters(Fault):
    """Ignores the parameters `names` of URLs, such as `tag`: an older registry knows fewer."""

    names: Set[str] = field(kw_only=True)

    def _concerns(self, request: HttpRequest) -> bool:
        return not self.names.isdisjoint(dict(parse_qsl(urlsplit(request.url).query)))

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        query = [pair for pair in parse_qsl(url.query) if pair[0] not in self.names]
        plain = urlunsplit(url._replace(query=urlencode(query)))
        return self.transport.send(evolve(request, url=plain))


@define(eq=False)
class WithoutMount(WithoutParameters):
    """Opens an upload session where a mount was asked for."""

    names: Set[str] = field(default=frozenset({"mount", "from"}), kw_only=True)


@define(eq=False)
class WithoutRange(Fault):
    """Ignores `Range` of downloads: the answer is the whole blob with status 200."""

    def _concerns(self, request: HttpRequest) -> bool:
        return request.method in {"GET", "HEAD"}

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers.without(*_RANGE)
        response = self.transport.send(evolve(request, headers=headers))
        return evolve(response, headers=response.headers.without("Accept-Ranges"))


@define(eq=False)
class RelativeLocations(Fault):
    """Makes each `Location` relative to the origin: a path and a query."""

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        location = response.headers.get("Location")
        if location is None:
            return response
        relative = urlunsplit(("", "", *urlsplit(location)[2:]))
        return evolve(response, headers=response.headers.with_fields({"Location": relative}))


@define(eq=False)
class OtherStatus(Fault):
    """Replaces the status of successful answers by another, such as 200 or 204 for 201."""

    status: int = field(kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        if not 200 <= response.status < 300:
            return response
        return evolve(response, status=self.status)


@define(eq=False)
class OtherHeaders(Fault):
    """Replaces or removes header fields of the answers, such as a false `Content-Encoding`.

    `fields` has the new values by name; None removes a field.
    """

    fields: Mapping[str, str | None] = field(kw_only=True)

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        new = {name: value for name, value in self.fields.items() if value is not None}
        headers = response.headers.without(*self.fields).with_fields(new)
        return evolve(response, headers=headers)


@define(eq=False)
class CompressedBodies(Fault):
    """Compresses the bodies of GET by gzip, as some proxies do, and says so."""

    def _concerns(self, request: HttpRequest) -> bool:
        return request.method == "GET"

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        response = self.transport.send(request)
        if response.status != 200:
            return response
        headers = response.headers.without("Content-Length", "Accept-Ranges")
        encoded = evolve(response, headers=headers.with_fields({"Content-Encoding": "gzip"}))
        return encoded.with_body(GzipStream(response.body))


@define(eq=False)
class RedirectedBlobs(Fault):
    """Redirects downloads of blobs to another host, as registries with a CDN do (R32).

    The other host needs no credentials: the query of its URL has a token for one blob. If
    `host` has no port, the port of the request is kept, so that a server on the loopback
    interface is reachable by two names.
    """

    host: str = field(kw_only=True)
    _redirected: dict[str, HttpRequest] = field(factory=dict, init=False, repr=False)

    def _concerns(self, request: HttpRequest) -> bool:
        url = urlsplit(request.url)
        is_blob = re.fullmatch(r"/v2/.+/blobs/[^/]+:[^/]+", url.path) is not None
        return request.method in {"GET", "HEAD"} and is_blob

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; the other host serves what was redirected to it."""
        url = urlsplit(request.url)
        token = dict(parse_qsl(url.query)).get("token", "")
        with self._lock:
            original = self._redirected.get(token)
        if original is None or url.netloc != self._netloc(original):
            return super().send(request)
        if request.method not in {"GET", "HEAD"}:
            return _answer(403)
        asked = {name: request.headers[name] for name in _RANGE if name in request.headers}
        again = _Granted(request.method, original.url, original.headers.without(*_RANGE))
        return self.transport.send(again.with_headers(asked))

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        with self.transport.send(request) as response:
            if not 200 <= response.status < 300:
                return response.with_body(io.BytesIO(response.body.read()))
        token = secrets.token_urlsafe(16)
        with self._lock:
            self._redirected[token] = request
            _forget_oldest(self._redirected)
        url = urlsplit(request.url)
        address = url._replace(netloc=self._netloc(request), query=f"token={token}")
        return _answer(307, {"Location": urlunsplit(address)})

    def _netloc(self, request: HttpRequest) -> str:
        port = urlsplit(request.url).port
        return self.host if port is None or ":" in self.host else f"{self.host}:{port}"


@define(eq=False)
class ExpiringTokens(Fault):
    """Treats each bearer token as expired after `uses` requests: 401 with a challenge."""

    uses: int = field(kw_only=True)
    _used: dict[str, int] = field(factory=dict, init=False, repr=False)

    def _concerns(self, request: HttpRequest) -> bool:
        value = request.headers.get("Authorization", "")
        if isinstance(request, _Granted) or not value.lower().startswith("bearer "):
            return False
        with self._lock:
            used = self._used[value] = self._used.get(value, 0) + 1
            _forget_oldest(self._used)
            return used > self.uses

    def _misbehave(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers.without("Authorization")
        return self.transport.send(evolve(request, headers=headers))
