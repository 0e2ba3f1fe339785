"""A server's inside that answers everything and remembers it, for any number of requests."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

from attrs import field, frozen

from oras_adapters.registry_server import RegistryServer
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport


@frozen
class Received:
    """One request, with its whole body."""

    method: str
    url: str
    headers: Headers
    body: bytes


@frozen
class Reply:
    """What is answered."""

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""


class RecordingTransport(HttpTransport):
    """Asks `reply` what to answer. Thread-safe as far as `reply` is."""

    def __init__(self, reply: Callable[[Received], Reply] | None = None) -> None:
        self._reply = reply or (lambda _: Reply())
        self._lock = Lock()
        self.received: list[Received] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        """Read the body, and answer."""
        body = b""
        if request.body is not None:
            stream = request.body.open()
            body = b"".join(iter(lambda: stream.read(1 << 20), b""))
            stream.close()
        received = Received(request.method, request.url, request.headers, body)
        with self._lock:
            self.received.append(received)
        reply = self._reply(received)
        stream = io.BytesIO(reply.body)
        return HttpResponse(reply.status, reply.headers, body=stream, url=request.url)


@contextmanager
def serving(
    reply: Callable[[Received], Reply] | None = None,
) -> Iterator[tuple[str, list[Received]]]:
    """Run a server; give its address, and the list of what it receives."""
    transport = RecordingTransport(reply)
    with RegistryServer(transport) as server:
        yield server.address, transport.received
