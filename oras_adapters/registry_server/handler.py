"""Reads the requests of one connection, and writes the answers of a transport."""

from __future__ import annotations

import io
import json
import logging
import re
import socket
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from typing import ClassVar, Final, Protocol, cast

from oras_adapters.http.framing import ChunkedFrame, SizedFrame
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

HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
"""The form of a Host field."""

FIELD_LINE: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r?\n")
"""The form of a header field (RFC 9112, 5), without the obsolete folding."""

LENGTH: Final = re.compile("[0-9]{1,18}")
"""The form of a Content-Length."""

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
    """A request is malformed, so no further request can be read; has an error code and a text."""


class _HeaderLines(io.BufferedIOBase):
    """The lines of a header, which are checked as they are read.

    The parser of the standard library drops some malformed lines, and makes two fields of a line
    that contains a carriage return.
    """

    def __init__(self, stream: io.BufferedIOBase) -> None:
        self._stream = stream
        self.are_valid = True

    def readline(self, limit: int | None = -1, /) -> bytes:
        """Return the next line."""
        line = self._stream.readline(limit)
        if line not in (b"\r\n", b"\n", b"") and not FIELD_LINE.fullmatch(line):
            self.are_valid = False
        return line


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

    def parse_request(self) -> bool:
        """Read the header of a request."""
        stream = self.rfile
        self.rfile = self._header_lines = _HeaderLines(stream)
        try:
            return super().parse_request()
        finally:
            self.rfile = stream

    def handle_expect_100(self) -> bool:
        """Send `100 Continue` at once: the client waits for it."""
        # Before the response: a server that ends still answers a request that it let continue.
        self._owner.begin_request(self.request)
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def _serve_request(self) -> None:
        try:
            url = self._request_url()
            body = self._request_body()
        except _BrokenRequestError as error:
            self.close_connection = True
            self._answer(_failure(400, *error.args), time.monotonic())
            return
        try:
            started = time.monotonic()
            with self._ask(url, body) as response:
                self._answer(response, started)
        finally:
            if body is not None and not body.drain(DRAINED):
                self.close_connection = True

    def _request_url(self) -> str:
        hosts = self.headers.get_all("Host", [""])
        host = hosts[0] or self._owner.address
        is_valid = self._header_lines.are_valid and len(hosts) == 1 and HOST.fullmatch(host)
        if not is_valid or not self.path.startswith("/"):
            message = "the request line or a header field is malformed"
            raise _BrokenRequestError("UNSUPPORTED", message)
        return f"{self._owner.scheme}://{host}{self.path}"

    def _request_body(self) -> RequestBody | None:
        codings = [coding.lower() for coding in self._listed("Transfer-Encoding")]
        lengths = set(self._listed("Content-Length"))
        if len(codings) + len(lengths) > 1 or codings not in ([], ["chunked"]):
            raise _BrokenRequestError("SIZE_INVALID", "the length of the body is ambiguous")
        if codings:
            return RequestBody(None, ChunkedFrame(self.rfile))
        if not lengths:
            return None
        (length,) = lengths
        if not LENGTH.fullmatch(length):
            raise _BrokenRequestError("SIZE_INVALID", "Content-Length is not a number")
        return RequestBody(int(length), SizedFrame(self.rfile, int(length)))

    def _listed(self, name: str) -> list[str]:
        """Return the members of a field that may be repeated or contain a list (RFC 9110, 5.3)."""
        fields = self.headers.get_all(name, [])
        return [member.strip() for field in fields for member in field.split(",")]

    def _ask(self, url: str, body: RequestBody | None) -> HttpResponse:
        request = HttpRequest(self.command, url, list(self.headers.items()), body)
        try:
            return self._owner.transport.send(request)
        except TransportError:
            self.close_connection = True  # the request was incomplete
            return _failure(400, "SIZE_INVALID", "the request was incomplete")
        except OrasError:
            _LOG.exception("cannot answer %s %s", self.command, self._shown)
            return _failure(500, "UNKNOWN", "the registry failed")

    @property
    def _shown(self) -> str:
        """The path without what may contain secrets: the query, and user information of a URL."""
        return self.path.partition("?")[0] if self.path.startswith("/") else "-"

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


def _failure(status: int, code: str, message: str) -> HttpResponse:
    errors = [{"code": code, "message": message, "detail": None}]
    content = json.dumps({"errors": errors}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return HttpResponse(status, headers, body=io.BytesIO(content))
