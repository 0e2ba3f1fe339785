"""The listening socket of a registry, and its connections."""

from __future__ import annotations

import ipaddress
import logging
import socket
import socketserver
import ssl
import sys
import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final

from oras_adapters.http.tls import wrap_connected
from oras_adapters.registry_server.handler import Handler
from oras_core.errors import InvalidConfigurationError
from oras_core.ports.http import HttpTransport

__all__ = ["RegistryServer"]

_LOG = logging.getLogger(__name__)

POLL_SECONDS: Final = 0.02
"""Seconds between two checks whether the server should stop."""


class RegistryServer:
    """Serves a transport at `address` during a `with` block.

    The logger `oras_adapters.registry_server.access` gets a line for each request, without
    the query, which may contain secrets.

    Args:
        transport: answers the requests. Their URL has the `Host` of the client.
        host: a loopback address, or `localhost`.
        port: the port; 0 for a free one.
        tls: the TLS settings of a server; if given, it speaks HTTPS.
        grace: seconds that requests in progress get at the end of the block; connections
            without a request are closed at once.

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
        grace: float = 0.0,
    ) -> None:
        if not _is_loopback_interface(host):
            raise InvalidConfigurationError(host, "the server listens on loopback addresses only")
        self._listener = _Listener(transport, host, port, tls)
        self._grace = grace
        self._thread = threading.Thread(
            target=self._listener.serve_forever, args=(POLL_SECONDS,), name="registry-server"
        )

    @property
    def address(self) -> str:
        """The host and port, as in a reference."""
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
        self._listener.end_connections(self._grace)
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
        self.is_ending = False
        self._tls = tls
        self._connections: set[socket.socket] = set()
        self._busy: set[socket.socket] = set()
        self._changed = threading.Condition()
        super().__init__((host, port), Handler)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"{shown}:{self.server_address[1]}"

    def server_bind(self) -> None:
        # `HTTPServer` would resolve the full name of the host, which may take seconds.
        socketserver.TCPServer.server_bind(self)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        if self._tls is not None:
            # The handshake happens in the thread of the connection: here it would block others.
            connection = wrap_connected(
                self._tls, connection, server_side=True, do_handshake_on_connect=False
            )
        with self._changed:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401 - as the parent has it
        with self._changed:
            self._connections.discard(request)
        self.end_request(request)
        super().shutdown_request(request)

    def begin_request(self, connection: socket.socket) -> None:
        """Note that a request is being answered."""
        with self._changed:
            self._busy.add(connection)

    def end_request(self, connection: socket.socket) -> None:
        """Note that a request was answered."""
        with self._changed:
            self._busy.discard(connection)
            self._changed.notify_all()

    def end_connections(self, grace: float) -> None:
        """Close idle connections, whose threads wait in a read; the others after `grace`."""
        with self._changed:
            self.is_ending = True
            _shut_down(self._connections - self._busy)
            self._changed.wait_for(lambda: not self._busy, grace)
            _shut_down(self._connections)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Log the error that ended a connection; a lost connection is logged as debug."""
        level = logging.DEBUG if isinstance(sys.exception(), OSError) else logging.ERROR
        _LOG.log(level, "a connection ended", exc_info=True)


def _shut_down(connections: set[socket.socket]) -> None:
    for connection in connections:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue  # the client has closed it
