"""Faults of access: another host for blobs, and tokens that expire."""

from __future__ import annotations

import io
import re
import secrets
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from attrs import define, evolve, field

from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.faults.fault import RANGE_FIELDS, Fault, empty_answer

__all__ = ["ExpiringTokens", "RedirectedBlobs"]

MAX_REMEMBERED: Final = 10_000
"""Number of redirects, or tokens, that a fault remembers; it forgets the oldest first."""


class _Granted(HttpRequest):
    """A request of the other host of a redirect, which the registry has allowed already."""


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
            return empty_answer(403)
        asked = {name: request.headers[name] for name in RANGE_FIELDS if name in request.headers}
        again = _Granted(request.method, original.url, original.headers.without(*RANGE_FIELDS))
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
        return empty_answer(307, {"Location": urlunsplit(address)})

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


def _forget_oldest(remembered: dict[str, Any]) -> None:
    if len(remembered) > MAX_REMEMBERED:
        del remembered[next(iter(remembered))]
