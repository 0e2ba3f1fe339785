"""Opening connections: TCP, proxies, tunnels, TLS, and how another thread shuts them down.

Requests are sent by `kept_connections`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from oras_adapters.http.dialing import Dialer
from oras_adapters.http.heads import HeadParser, request_head
from oras_adapters.http.receiver import PLAIN, Receiver, SocketErrors
from oras_adapters.http.routes import ProxyLogin, Route
from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import OrasError

if TYPE_CHECKING:
    import ssl

__all__ = ["Dialing", "Lifeline", "Link", "ProxyStepError", "TunnelRefusedError", "open_link"]

SOCKET_OPTIONS: Final = ((socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),)
"""Nagle's algorithm would delay the body of a request, which is sent after the head."""

_OK: Final = range(200, 300)


class Lifeline:
    """A duplicate of a connection's socket, by which any thread can shut the connection down.

    It is a duplicate because a TLS socket object must not be used by two threads. After a fork
    the child's copy has no effect: the connection belongs to the parent.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Duplicate `sock`."""
        self._socket = sock.dup()
        self._process = os.getpid()
        self._forget: Callable[[], None] | None = None

    def tie(self, token: CancelToken) -> None:
        """Shut the connection down when `token` is cancelled; at once if it already is."""
        self.untie()
        self._forget = token.on_cancel(self._cut)

    def untie(self) -> None:
        """Stop watching the token: the request is finished."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()

    def close(self) -> None:
        """Close the duplicate."""
        self.untie()
        self._socket.close()

    def _cut(self) -> None:
        if self._process != os.getpid():
            return
        # Wakes every thread that waits to read or write, in whatever layer.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


class ProxyStepError(Exception):
    """A step before the server itself was reached failed; the cause says why."""


class TunnelRefusedError(Exception):
    """A proxy refused to connect to the server.

    Attributes:
        status: the proxy's status.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep the status."""
        self.status = status
        super().__init__(f"it refused the connection: {status} {reason}".rstrip())


class Dialing(NamedTuple):
    """The settings for opening a connection.

    Attributes:
        dialer: connects to hosts.
        connect: the timeout in seconds, for each of: connecting, the TLS handshake.
        read: the timeout in seconds for responses.
        tls: makes the TLS settings for an authority.
        parse: parses the response of a proxy.
    """

    dialer: Dialer
    connect: float
    read: float
    tls: Callable[[str], ssl.SSLContext]
    parse: HeadParser


class Link:
    """An open connection.

    Attributes:
        sock: the socket, of plain TCP or of TLS.
        errors: the errors by which `sock` tells its state.
        lifeline: shuts the connection down from another thread.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take over a connected socket; the current thread's token can shut it down."""
        self.sock: Any = sock
        self.errors: SocketErrors = PLAIN
        self.lifeline: Lifeline = Lifeline(sock)
        self.lifeline.tie(current_token())

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session, for a later connection to the same server."""
        session: ssl.SSLSession | None = getattr(self.sock, "session", None)
        return session

    def tunnel(self, target: str, login: ProxyLogin, dialing: Dialing) -> None:
        """Let the proxy at the other end connect to `target`, `HOST:PORT`."""
        self.sock.sendall(request_head("CONNECT", target, target, login.fields.items()))
        receiver = Receiver(self.sock, dialing.connect, self.errors)
        while True:
            answer = dialing.parse(receiver.head())
            if answer.status >= 200 or answer.status == 101:
                break
        if answer.status not in _OK:
            raise TunnelRefusedError(answer.status, answer.reason)
        if not receiver.is_idle():
            raise TunnelRefusedError(answer.status, "and more was sent than the head")

    def secure(
        self, context: ssl.SSLContext, name: str, session: ssl.SSLSession | None = None
    ) -> None:
        """Begin TLS with the other end, whose certificate must be for `name`."""
        from oras_adapters.http.tls import TLS, resume, wrap_tls  # noqa: PLC0415 - plain HTTP needs no TLS

        if self.errors is TLS:
            self.sock = wrap_tls(context, self.sock, server_hostname=name)
        else:
            self.sock = resume(context, self.sock, name, session)
            self.errors = TLS

    def close(self) -> None:
        """Close the connection, which sends nothing more."""
        self.sock.close()
        self.lifeline.close()


def open_link(route: Route, dialing: Dialing, session: ssl.SSLSession | None = None) -> Link:
    """Open a connection; a TLS session of an earlier one saves a part of the handshake.

    The current thread's token can shut it down from the beginning.

    Raises:
        ProxyStepError: if a proxy fails; the cause is the error.
        InvalidConfigurationError: if the TLS settings for the server or the proxy are wrong.
        Exception: what TLS or the system raises otherwise.
    """
    context = dialing.tls(route.authority) if route.scheme == "https" else None
    link = _by_proxy(route, dialing) if route.proxy else _dialled(route, dialing)
    try:
        if context is not None:
            link.secure(context, route.server_name, session)
        link.sock.settimeout(dialing.read)
    except BaseException:
        link.close()
        raise
    return link


def _dialled(route: Route, dialing: Dialing) -> Link:
    address = (route.host, route.port)
    token = current_token()
    try:
        sock = dialing.dialer.connect(address, dialing.connect, SOCKET_OPTIONS, token)
    except UnicodeError:
        raise ValueError("a label of the host name is empty or too long") from None
    return Link(sock)


def _by_proxy(route: Route, dialing: Dialing) -> Link:
    """Open a connection to the server of `route`, or to the proxy that gets its requests."""
    try:
        if route.socks:
            return _by_socks(route, dialing)
        return _by_http_proxy(route, dialing)
    except OrasError:
        raise
    except Exception as error:
        raise ProxyStepError from error


def _by_socks(route: Route, dialing: Dialing) -> Link:
    from oras_adapters.http.socks_proxies import connect_by_socks  # noqa: PLC0415 - an extra

    address = (route.host, route.port)
    token = current_token()
    return Link(
        connect_by_socks(route.proxy or "", address, dialing.connect, SOCKET_OPTIONS, token)
    )


def _by_http_proxy(route: Route, dialing: Dialing) -> Link:
    login = ProxyLogin(route.proxy or "")
    proxy = Route.to(urlsplit(login.address))
    context = dialing.tls(proxy.authority) if proxy.scheme == "https" else None
    link = _dialled(proxy, dialing)
    try:
        if context is not None:
            link.secure(context, proxy.server_name)
        if route.scheme == "https":
            link.tunnel(route.target, login, dialing)
    except BaseException:
        link.close()
        raise
    return link
