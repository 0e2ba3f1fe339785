"""Connections by urllib3: TLS, proxies, tunnels, and how another thread shuts them down.

Requests are sent by `kept_connections`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError
from urllib3.util import parse_url

from oras_adapters.http.dialing import Dialer
from oras_adapters.http.heads import HeadParser, request_head
from oras_adapters.http.receiver import Receiver
from oras_adapters.http.routes import DEFAULT_PORTS, ProxyLogin, Route
from oras_core.cancellation import CancelToken, current_token

__all__ = ["Dialing", "Lifeline", "Link", "ProxyStepError", "TunnelRefusedError", "open_link"]


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


_OK: Final = range(200, 300)


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


class _Opening(HTTPConnection):
    """Connects by a `Dialer` and opens tunnels with the checks of every other response."""

    dialing: Dialing
    lifeline: Lifeline
    proxied: bool = False

    def _new_conn(self) -> socket.socket:
        token, timeout = current_token(), float(self.dialing.connect)
        options = self.socket_options or ()
        try:
            sock = self._dial(timeout, options)
        except UnicodeError:
            raise ValueError("a label of the host name is empty or too long") from None
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        self.lifeline = Lifeline(sock)
        self.lifeline.tie(token)
        return sock

    def _dial(self, timeout: float, options: Any) -> socket.socket:  # noqa: ANN401
        address = (self._dns_host, self.port)
        return self.dialing.dialer.connect(address, timeout, options, current_token())

    def _tunnel(self) -> None:
        target = f"{self._tunnel_host}:{self._tunnel_port}"
        fields = self._tunnel_headers  # type: ignore[attr-defined]
        self.sock.sendall(request_head("CONNECT", target, target, fields.items()))
        receiver = Receiver(self.sock, float(self.dialing.connect))
        while True:
            answer = self.dialing.parse(receiver.head())
            if answer.status >= 200 or answer.status == 101:
                break
        if answer.status not in _OK:
            raise TunnelRefusedError(answer.status, answer.reason)
        if not receiver.is_idle():
            raise TunnelRefusedError(answer.status, "and more was sent than the head")
        self.proxied = True


class _OpeningTls(_Opening, HTTPSConnection):
    """The same over TLS."""


class _OpeningSocks(_Opening):
    """Connects through a SOCKS proxy."""

    route: Route

    def _dial(self, timeout: float, options: Any) -> socket.socket:  # noqa: ANN401
        from oras_adapters.http.socks_proxies import connect_by_socks  # noqa: PLC0415 - an extra

        sock = connect_by_socks(
            self.route.proxy or "", (self.host, self.port), timeout, options, current_token()
        )
        self.proxied = True
        return sock


class _OpeningSocksTls(_OpeningSocks, HTTPSConnection):
    """The same over TLS."""


class Link:
    """An open connection.

    Attributes:
        sock: the socket, of plain TCP or of TLS.
        lifeline: shuts the connection down from another thread.
    """

    def __init__(self, connection: _Opening) -> None:
        """Take over a connected `connection`."""
        self._connection = connection
        self.sock: Any = connection.sock
        self.lifeline: Lifeline = connection.lifeline
        # A pool closes forgotten connections when it is deleted: they must not refer to it.
        del connection.dialing

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session, for a later connection to the same server."""
        return self.sock.session if isinstance(self.sock, ssl.SSLSocket) else None

    def close(self) -> None:
        """Close the connection, which sends nothing more."""
        self._connection.close()
        self.lifeline.close()


class _WrappingContext:
    """A TLS context that wraps connected sockets only, and may resume a session."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        self.__dict__.update(_context=context, _session=session)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the context has
        return getattr(self._context, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._context, name, value)

    def wrap_socket(self, sock: socket.socket, **options: Any) -> ssl.SSLSocket:  # noqa: ANN401
        if self._session is not None:
            options["session"] = self._session
        from oras_adapters.http.tls import wrap_connected  # noqa: PLC0415 - plain HTTP needs no TLS

        return wrap_connected(self._context, sock, **options)


def open_link(route: Route, dialing: Dialing, session: ssl.SSLSession | None = None) -> Link:
    """Open a connection; a TLS session of an earlier one saves a part of the handshake.

    The current thread's token can shut it down from the beginning.

    Raises:
        ProxyStepError: if a proxy fails; the cause is the error.
        Exception: what urllib3, TLS or the system raises otherwise.
    """
    connection = _prepared(route, dialing, session)
    try:
        connection.connect()
    except BaseException as error:
        connection.close()
        if hasattr(connection, "lifeline"):
            connection.lifeline.close()
        if route.proxy and not connection.proxied and isinstance(error, Exception):
            raise ProxyStepError from error
        raise
    connection.sock.settimeout(dialing.read)
    return Link(connection)


def _prepared(route: Route, dialing: Dialing, session: ssl.SSLSession | None) -> _Opening:
    options: dict[str, Any] = {"timeout": dialing.connect}
    secure = route.scheme == "https"
    if secure:
        options["ssl_context"] = _context(dialing.tls(route.authority), session)
    if route.proxy is None or route.socks:
        kinds: dict[tuple[bool, bool], type[_Opening]] = {
            (False, False): _Opening,
            (False, True): _OpeningTls,
            (True, False): _OpeningSocks,
            (True, True): _OpeningSocksTls,
        }
        kind = kinds[route.socks, secure]
        connection = kind(route.host, route.port, **options)
        if isinstance(connection, _OpeningSocks):
            connection.route = route
    else:
        connection = _proxied(route, dialing, options)
    connection.dialing = dialing
    return connection


def _proxied(route: Route, dialing: Dialing, options: dict[str, Any]) -> _Opening:
    login = ProxyLogin(route.proxy or "")
    proxy = parse_url(login.address)
    scheme = proxy.scheme or "http"
    tls = scheme == "https"
    port = proxy.port or DEFAULT_PORTS[scheme]
    host = (proxy.host or "").strip("[]")
    context = _context(dialing.tls(Route(scheme, host, port).authority)) if tls else None
    config = ProxyConfig(
        context, use_forwarding_for_https=False, assert_hostname=None, assert_fingerprint=None
    )
    if context is not None:
        options.setdefault("ssl_context", context)
    kind = _OpeningTls if tls or route.scheme == "https" else _Opening
    connection = kind(host, port, proxy=proxy, proxy_config=config, **options)
    if route.scheme == "https":
        tunnel_host = f"[{route.host}]" if ":" in route.host else route.host
        connection.set_tunnel(tunnel_host, route.port, login.fields, scheme=scheme)
    return connection


def _context(context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> Any:  # noqa: ANN401
    # A context of another library may check the certificates of the peer itself, which a resumed
    # session does not repeat.
    return _WrappingContext(context, session if type(context) is ssl.SSLContext else None)
