"""A small internet in memory: registries that demand, and token servers that issue."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from attrs import frozen

from oras_core.ports.http import Headers, HttpRequest, HttpResponse
from oras_core.registry.transports.redirects import origin_of


@frozen
class Seen:
    """A request that arrived, and what it was sent with."""

    method: str
    url: str
    authorization: str
    headers: Headers
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.url}"

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def scopes(self) -> list[str]:
        """The scopes that a token server was asked for."""
        if self.method == "POST":
            return parse_qs(self.body.decode()).get("scope", [""])[0].split()
        return parse_qs(urlsplit(self.url).query).get("scope", [])


@frozen
class Reply:
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


Site = Callable[[Seen], Reply]


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


class World:
    """An `HttpTransport` to sites by origin; a request to no site is an error of the test."""

    def __init__(self, sites: dict[str, Site]) -> None:
        self._sites = {origin_of(origin): site for origin, site in sites.items()}
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        body = b"" if request.body is None else request.body.open().read()
        seen = Seen(
            request.method,
            request.url,
            request.headers.get("Authorization", ""),
            request.headers,
            body,
        )
        with self._lock:
            self._seen.append(seen)
        reply = self._sites[origin_of(request.url)](seen)
        return HttpResponse(reply.status, Headers(reply.headers), body=io.BytesIO(reply.body))

    def to(self, origin: str) -> list[Seen]:
        """Return what arrived at one origin."""
        with self._lock:
            return [one for one in self._seen if origin_of(one.url) == origin_of(origin)]

    @property
    def seen(self) -> list[Seen]:
        with self._lock:
            return list(self._seen)

    @property
    def lines(self) -> list[str]:
        return [one.line for one in self.seen]


class BearerSite:
    """A registry that takes `Bearer VALUE` for the values in `valid`."""

    def __init__(self, challenge: str, *, valid: set[str] | None = None) -> None:
        self.challenge = challenge
        self.valid = {"T1", "T2", "T3", "T4"} if valid is None else valid
        self.reply: Callable[[Seen], Reply] = lambda seen: Reply(200, body=b"ok")

    def __call__(self, seen: Seen) -> Reply:
        if seen.authorization.removeprefix("Bearer ") not in self.valid:
            return Reply(401, (("WWW-Authenticate", self.challenge),), b'{"errors": []}')
        return self.reply(seen)


class BasicSite:
    """A registry that takes one user's password."""

    def __init__(self, username: str, password: str, *, challenge: str = 'Basic realm="r"') -> None:
        self.wanted = basic(username, password)
        self.challenge = challenge

    def __call__(self, seen: Seen) -> Reply:
        if seen.authorization != self.wanted:
            fields = (("WWW-Authenticate", self.challenge),) if self.challenge else ()
            return Reply(401, fields, b"who are you?")
        return Reply(200, body=b"ok")


class TokenSite:
    """A token server: it returns T1, T2, … for requests with one of the values `accepted`."""

    def __init__(self, *accepted: str, field: str = "token", **fields: object) -> None:
        self.accepted = accepted or ("",)
        self.field, self.fields = field, fields
        self._lock = threading.Lock()
        self._count = 0

    def __call__(self, seen: Seen) -> Reply:
        if seen.authorization not in self.accepted:
            return Reply(401, body=b'{"details": "incorrect username or password"}')
        with self._lock:
            self._count += 1
            token = f"T{self._count}"
        return Reply(200, body=json.dumps({self.field: token, **self.fields}).encode())
