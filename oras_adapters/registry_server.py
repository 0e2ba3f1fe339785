"""An `HttpTransport` behind a loopback socket: a registry for development and tests.

`python -m oras_adapters.registry_server` runs one for any client. It listens on the
loopback interface only.
"""

from __future__ import annotations

import argparse
import io
import ipaddress
import json
import logging
import signal
import socket
import socketserver
import ssl
import sys
import threading
from collections.abc import Sequence
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.http.body_frames import ChunkedFrame, SizedFrame
from oras_adapters.http.request_bodies import RequestBody
from oras_core.errors import InvalidConfigurationError, OrasError, TransportError
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.testing.registry.registry import EmbeddedRegistry

__all__ = ["RegistryServer", "main"]

_LOG = logging.getLogger(__name__)

CHUNK: Final = 1024 * 1024
"""Bytes of a body moved at a time."""

IDLE_SECONDS: Final = 60.0
"""Seconds of silence after which a connection is closed."""

DRAINED: Final = 4 * 1024 * 1024
"""Bytes of a request body that are read after an early answer, so that the client sees the
answer; a longer body closes the connection."""

POLL_SECONDS: Final = 0.02
"""Seconds between two checks whether the server should stop."""


class RegistryServer:
    """Serves a transport at `address` during a `with` block.

    Args:
        transport: answers the requests. Their URL has the `Host` of the client.
        host: a loopback address, or `localhost`.
        port: the port; 0 for a free one.
        tls: the TLS settings of a server; if given, it speaks HTTPS.

    Raises:
        InvalidConfigurationError: if other machines could reach `host`.
    """

    def __init__(
        self,
        transport: HttpTransport,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        if not _is_loopback_interface(host):
            raise InvalidConfigurationError(host, "the server listens on loopback addresses only")
        self._listener = _Listener(transport, host, port, tls)
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(POLL_SECONDS,), name="registry-server"
        )

    @property
    def address(self) -> str:
        """`HOST:PORT`, as in a reference."""
        return self._listener.address

    @property
    def url(self) -> str:
        """Scheme, host and port, without a slash at the end."""
        return f"{self._listener.scheme}://{self.address}"

    def __enter__(self) -> RegistryServer:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections, end the threads and free the port."""
        self._listener.shutdown()
        self._listener.end_connections()
        self._listener.server_close()
        self._thread.join()


def _is_loopback_interface(host: str) -> bool:
    # 0.0.0.0 and its other spellings reach this machine, but binding them opens every interface.
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Listener(ThreadingHTTPServer):
    """The listening socket, with one thread for each connection."""

    daemon_threads = False
    request_queue_size = 128

    def __init__(
        self, transport: HttpTransport, host: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        if ":" in host:
            self.address_family = socket.AF_INET6
        self.transport = transport
        self.scheme = "http" if tls is None else "https"
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # `HTTPServer` would resolve the full name of the host, which may take seconds.
        socketserver.TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake happens in the thread of the connection: here it would block others.
            connection = self._tls.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the parent has it
        with self._lock:
            self._connections.discard(request)
        super().shutdown_request(request)

    def end_connections(self) -> None:
        """Close idle connections, whose threads wait in a read."""
        with self._lock:
            for connection in self._connections:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue  # the client has closed it

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log the error that ended a connection; a lost connection is logged as debug."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _LOG.log(level, "a connection ended", exc_info=True)


class _BrokenRequestError(Exception):
    """The framing of a request is wrong, so no further request can be read."""


class _Handler(BaseHTTPRequestHandler):
    """Reads the requests of one connection and writes the answers."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    wbufsize = 64 * 1024  # a short answer is sent in one packet
    disable_nagle_algorithm = True
    server: _Listener

    def _serve(self) -> None:
        try:
            body = self._request_body()
        except _BrokenRequestError as error:
            self.close_connection = True
            self._write(_failure(400, str(error)))
            return
        try:
            with self._ask(body) as response:
                self._write(response)
        finally:
            if body is not None and not body.drain(DRAINED):
                self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - http.server's

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
        host = self.headers.get("Host") or self.server.address
        request = HttpRequest(
            self.command,
            f"{self.server.scheme}://{host}{self.path}",
            list(self.headers.items()),
            body,
        )
        try:
            return self.server.transport.send(request)
        except TransportError:
            self.close_connection = True  # the request was incomplete
            return _failure(400, "the request was incomplete")
        except OrasError:
            _LOG.exception("cannot answer %s %s", self.command, urlsplit(self.path).path)
            return _failure(500, "the registry failed")

    def _write(self, response: HttpResponse) -> None:
        self.send_response_only(response.status, response.reason or None)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Date", formatdate(usegmt=True))
        bodiless = self.command == "HEAD" or response.status in {204, 304}
        sized = bodiless or "Content-Length" in response.headers
        chunked = not sized and self.request_version != "HTTP/1.0"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if not bodiless:
            self._write_body(response, chunked=chunked)
        self.wfile.flush()

    def _write_body(self, response: HttpResponse, *, chunked: bool) -> None:
        left = int(response.headers.get("Content-Length", 0))
        try:
            while piece := response.body.read(CHUNK):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
                left -= len(piece)
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        except OrasError:
            _LOG.exception("cannot finish the answer to %s", urlsplit(self.path).path)
            left = -1
        if not chunked and left:
            self.close_connection = True  # the client sees that bytes are missing
            self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's
        """Log nothing: the query of a request line may contain secrets."""


def _failure(status: int, message: str) -> HttpResponse:
    errors = [{"code": "UNKNOWN", "message": message, "detail": None}]
    content = json.dumps({"errors": errors}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    return HttpResponse(status, headers, body=io.BytesIO(content))


# --- The program --------------------------------------------------------------------------


def _user(text: str) -> tuple[str, str]:
    name, colon, password = text.partition(":")
    if not (name and colon and password):
        raise argparse.ArgumentTypeError("expected NAME:PASSWORD")
    return name, password


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a registry until SIGINT or SIGTERM; its address is the only line of output."""
    parser = argparse.ArgumentParser(
        prog="python -m oras_adapters.registry_server",
        description="Run a registry on the loopback interface, for development and tests.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument(
        "--port", type=int, default=0, help="the port; 0, the default, for a free one"
    )
    parser.add_argument(
        "--storage", metavar="DIR", help="store content in this folder instead of memory"
    )
    parser.add_argument(
        "--user",
        metavar="NAME:PASSWORD",
        type=_user,
        action="append",
        help="require this login; may be repeated",
    )
    options = parser.parse_args(arguments)
    try:
        files = LocalFileTree(options.storage, create=True) if options.storage else None
        registry = EmbeddedRegistry(files, users=dict(options.user) if options.user else None)
        server = RegistryServer(registry, host=options.host, port=options.port)
    except (OrasError, OSError, OverflowError) as error:
        parser.error(str(error))
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with server:
        sys.stdout.write(f"{server.address}\n")
        sys.stdout.flush()
        ended.wait()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
