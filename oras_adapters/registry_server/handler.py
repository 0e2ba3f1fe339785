"""Reads the requests of one connection, and writes the answers of a transport."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Final, Protocol, cast
from urllib.parse import urlsplit

from oras_adapters.http.body_frames import ChunkedFrame, SizedFrame
from oras_adapters.http.request_bodies import RequestBody
from oras_core.errors import OrasError, TransportError
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport

__all__ = ["Handler"]

_LOG = logging.getLogger(__name__)
_ACCESS_LOG = logging.getLogger("oras_adapters.registry_server.access")

CHUNK: Final = 1024 * 1024
"""Bytes of a body moved at a time."""

IDLE_SECONDS: Final = 60.0
"""Seconds of silence after which a connection is closed."""

DRAINED: Final = 4 * 1024 * 1024
"""Bytes of a request body that are read after an early answer, so that the client sees the
answer; a longer body closes the connection."""

REPEATED: Final = frozenset({"oci-tag"})
"""Fields that are sent once for each value: clients compare whole fields with one tag."""


class _Server(Protocol):
    """The server of a connection."""

    transport: HttpTransport
    scheme: str
    address: str
    is_ending: bool

    def begin_request(self, connection: socket.socket) -> None: ...

    def end_request(self, connection: socket.socket) -> None: ...


class _BrokenRequestError(Exception):
    """The framing of a request is wrong, so no further request can be read."""


class Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    timeout: ClassVar[float | None] = IDLE_SECONDS
    close_connection: bool
    wbufsize = 64 * 1024  # a short answer is sent in one packet
    disable_nagle_algorithm = True

    @property
    def _owner(self) -> _Server:
        return cast("_Server", self.server)

    def _serve(self) -> None:
        self._owner.begin_request(self.request)
        try:
            self._serve_request()
        finally:
            if self._owner.is_ending:
                self.close_connection = True
            self._owner.end_request(self.request)

    # The names are those of http.server.

    def do_GET(self) -> None:
        """Answer a request."""
        self._serve()

    def do_HEAD(self) -> None:
        """Answer a request by the header alone."""
        self._serve()

    def do_POST(self) -> None:
        """Answer a request that may have a body."""
        self._serve()

    def do_PUT(self) -> None:
        """Answer a request that may have a body."""
        self._serve()

    def do_PATCH(self) -> None:
        """Answer a request that may have a body."""
        self._serve()

    def do_DELETE(self) -> None:
        """Answer a request."""
        self._serve()

    def handle_expect_100(self) -> bool:
        """Send `100 Continue` at once: the client waits for it."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _serve_request(self) -> None:
        try:
            body = self._request_body()
        except _BrokenRequestError as error:
            self.close_connection = True
            self._answer(_failure(400, str(error)), time.monotonic())
            return
        try:
            started = time.monotonic()
            with self._ask(body) as response:
                self._answer(response, started)
        finally:
            if body is not None and not body.drain(DRAINED):
                self.close_connection = True

    def _request_body(self) -> RequestBody | None:
        coding = self.headers.get("Transfer-Encoding", "").strip().lower()
        length = self.headers.get("Content-Length")
        if coding:
            if coding != "chunked" or length is not None:
                raise _BrokenRequestError("the length of the body is ambiguous")
            return RequestBody(None, ChunkedFrame(self.rfile))
        if length is None:
            return None
        if not (length.isascii() and length.isdigit()):
            raise _BrokenRequestError("Content-Length is not a number")
        return RequestBody(int(length), SizedFrame(self.rfile, int(length)))

    def _ask(self, body: RequestBody | None) -> HttpResponse:
        host = self.headers.get("Host") or self._owner.address
        request = HttpRequest(
            self.command,
            f"{self._owner.scheme}://{host}{self.path}",
            list(self.headers.items()),
            body,
        )
        try:
            return self._owner.transport.send(request)
        except TransportError:
            self.close_connection = True  # the request was incomplete
            return _failure(400, "the request was incomplete")
        except OrasError:
            _LOG.exception("cannot answer %s %s", self.command, self._shown)
            return _failure(500, "the registry failed")

    @property
    def _shown(self) -> str:
        """The path without the query, which may contain secrets."""
        return urlsplit(self.path).path

    def _answer(self, response: HttpResponse, started: float) -> None:
        sent = 0
        try:
            sent = self._write(response)
        finally:
            seconds = time.monotonic() - started
            _ACCESS_LOG.info(
                "%s %s %d %d bytes %.3f s",
                self.command,
                self._shown,
                response.status,
                sent,
                seconds,
            )

    def _write(self, response: HttpResponse) -> int:
        """Write an answer, and return the bytes of its body."""
        self.send_response_only(response.status, response.reason or None)
        for name, value in response.headers.items():
            for line in value.split(", ") if name.lower() in REPEATED else [value]:
                self.send_header(name, line)
        self.send_header("Date", formatdate(usegmt=True))
        bodiless = self.command == "HEAD" or response.status in {204, 304}
        sized = bodiless or "Content-Length" in response.headers
        chunked = not sized and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        sent = 0 if bodiless else self._write_body(response, chunked=chunked)
        self.wfile.flush()
        return sent

    def _write_body(self, response: HttpResponse, *, chunked: bool) -> int:
        sent = 0
        is_complete = False
        try:
            while piece := response.body.read(CHUNK):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
                sent += len(piece)
            is_complete = chunked or str(sent) == response.headers.get("Content-Length")
        except OrasError:
            _LOG.exception("cannot finish the answer to %s", self._shown)
        if not is_complete:
            self.close_connection = True  # the client sees that bytes are missing
        elif chunked:
            self.wfile.write(b"0\r\n\r\n")
        return sent

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Log nothing: the query of a request line may contain secrets."""


def _failure(status: int, message: str) -> HttpResponse:
    errors = [{"code": "UNKNOWN", "message": message, "detail": None}]
    content = json.dumps({"errors": errors}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return HttpResponse(status, headers, body=io.BytesIO(content))
