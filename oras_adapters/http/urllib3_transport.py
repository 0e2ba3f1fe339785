"""The HTTP port on urllib3: pooled connections, TLS, proxies; nothing that the core does."""

from __future__ import annotations

import http.client
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Final, Protocol
from urllib.parse import unquote, urlsplit

import urllib3
from attrs import frozen
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from oras_adapters.http.urllib3_connection import WatchedPoolManager, WatchedProxyManager
from oras_core.errors import (
    SizeMismatchError,
    TlsError,
    TransportError,
    TransportTimeoutError,
    redact_url,
)
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport

__all__ = ["ProxyChoice", "Timeouts", "Urllib3Transport"]

_LOG = logging.getLogger(__name__)

CHUNK: Final = 256 * 1024
"""Bytes read from a request's body at a time: fewer, larger calls cost less."""

DRAINED: Final = 16 * 1024
"""Bytes of an unread body that are read away at its close, to keep the connection: mostly
they are here already, an error's few words. More is not worth the wait."""

DRAIN_SECONDS: Final = 0.2
"""How long that may wait for bytes that are not here."""

HOSTS: Final = 32
"""Hosts for which idle connections are kept; registries redirect to a few storage hosts."""

_FRAMING: Final = ("host", "content-length", "transfer-encoding", "connection")
"""Header fields that are the transport's own business."""


@frozen
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: for a connection, TLS handshake included.
        read: for something to move: an answer to begin, a body to go on, either way.
    """

    connect: float = 10.0
    read: float = 60.0


class ProxyChoice(Protocol):
    """Knows the way to an address; `oras_adapters.http.proxies.ProxySettings` does."""

    def proxy_for(self, url: str) -> str | None:
        """Return the address of the proxy for `url`; None for a direct connection."""
        ...


class Urllib3Transport(HttpTransport):
    """Sends requests by urllib3 and keeps connections for the next ones.

    A context manager; leaving it closes the idle connections.

    Args:
        tls: makes the TLS settings, when the first `https` address is asked for.
        proxies: says through which proxy to go; through none if None.
        timeouts: how long to wait.
        max_connections: idle connections kept for one host. More may be in use at once.
    """

    def __init__(
        self,
        *,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
        proxies: ProxyChoice | None = None,
        timeouts: Timeouts = Timeouts(),
        max_connections: int = 16,
    ) -> None:
        self._tls = tls
        self._proxies = proxies
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._lock = threading.Lock()
        self._managers: dict[tuple[bool, str | None], urllib3.PoolManager] = {}
        for name in ("urllib3.connection", "urllib3.connectionpool"):
            logging.getLogger(name).addFilter(_OWN_REQUESTS)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; see the port.

        A server that answers before it has read the whole body is listened to.

        Raises:
            TlsError: where the server is not trusted, or TLS cannot be agreed upon.
            TransportTimeoutError: where nothing moved for as long as `timeouts` allow.
            TransportError: where there is no answer for another reason, and while the
                body is read. What the request's own body raises is passed on as it is.
        """
        size = request.body.size if request.body else None
        headers = request.headers.without(*_FRAMING)
        if size is not None:
            headers = headers.with_fields({"Content-Length": str(size)})
        try:
            # Closed here, whatever urllib3 has read of it: what an error holds lives on.
            with _Unlogged(), _closing_pieces(request.body) as pieces:
                response = self._manager(request.url).urlopen(
                    request.method,
                    request.url,
                    body=pieces,
                    headers=dict(headers),
                    chunked=request.body is not None and size is None,
                    redirect=False,
                    retries=False,
                    preload_content=False,
                    decode_content=False,
                )
        except _BodyFailedError as failure:
            raise failure.reason from failure.reason.__cause__
        except (HTTPError, OSError, http.client.HTTPException, ValueError) as error:
            raise _translated(error, request, begun=False) from _shown(error)
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("%s %s: %s", request.method, redact_url(request.url), response.status)
        body = _Body(response, request)
        if response.length_remaining == 0:
            body.read()  # gives the connection back at once
        return HttpResponse(
            response.status,
            Headers(response.headers.items()),
            body=body,
            reason=response.reason or "",
            url=request.url,
        )

    def close(self) -> None:
        """Close the idle connections. The transport can go on to be used."""
        with self._lock:
            managers = list(self._managers.values())
            self._managers.clear()
        for manager in managers:
            manager.clear()

    def __enter__(self) -> Urllib3Transport:
        """Return the transport itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the idle connections."""
        self.close()

    def _manager(self, url: str) -> urllib3.PoolManager:
        scheme = urlsplit(url).scheme
        if scheme not in {"http", "https"}:
            raise ValueError("neither http nor https")
        proxy = self._proxies.proxy_for(url) if self._proxies else None
        # Reading the authorities takes tens of milliseconds: plain HTTP does without.
        secure = "https" in (scheme, urlsplit(proxy or "").scheme)
        with self._lock:
            manager = self._managers.get((secure, proxy))
            if manager is None:
                manager = self._managers[secure, proxy] = self._new_manager(proxy, secure=secure)
            return manager

    def _new_manager(self, proxy: str | None, *, secure: bool) -> urllib3.PoolManager:
        context = self._tls() if secure else None
        options: dict[str, Any] = {
            "patience": self._timeouts.read,
            "timeout": urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
            "maxsize": self._max_connections,
            "num_pools": HOSTS,
            "ssl_context": context,
        }
        if proxy is None:
            return WatchedPoolManager(**options)
        address, login = _split_login(proxy)
        return WatchedProxyManager(
            address,
            proxy_headers=urllib3.make_headers(proxy_basic_auth=login) if login else {},
            proxy_ssl_context=context,
            **options,
        )


def _split_login(proxy: str) -> tuple[str, str]:
    """Take `user:password` out of a proxy's address."""
    parts = urlsplit(proxy)
    login, _, host = parts.netloc.rpartition("@")
    return parts._replace(netloc=host).geturl(), unquote(login)


# --- Bodies -------------------------------------------------------------------------------


class _Body(ByteStream):
    """The body of an answer."""

    def __init__(self, response: urllib3.BaseHTTPResponse, request: HttpRequest) -> None:
        self._response = response
        self._request = request

    def read(self, size: int = -1, /) -> bytes:
        try:
            with _Unlogged():
                return self._response.read(None if size < 0 else size)
        except (HTTPError, OSError, http.client.HTTPException, ValueError) as error:
            raise _translated(error, self._request, begun=True) from _shown(error)

    def close(self) -> None:
        with _Unlogged():
            if not self._response.closed:
                self._drain()
                self._response.close()
            # A connection that was read to its end is kept, one that was cut is closed by now.
            self._response.release_conn()

    def _drain(self) -> None:
        """Read the rest of a short body away: the connection can then be used again."""
        sock = getattr(self._response.connection, "sock", None)
        rest = self._response.length_remaining
        if sock is None or rest is None or rest > DRAINED:
            return
        try:
            sock.settimeout(DRAIN_SECONDS)
            self._response.read()
        except (HTTPError, OSError):
            _LOG.debug("the rest of an answer was not to be had")


class _BodyFailedError(Exception):
    """A request's body could not be read: not the connection's fault, whatever its type."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _closing_pieces(
    body: ByteSource | None,
) -> AbstractContextManager[Generator[bytes, None, None] | None]:
    return nullcontext() if body is None else closing(_pieces(body))


def _pieces(body: ByteSource) -> Generator[bytes, None, None]:
    """Yield the bytes of `body`, and hold it to the size that it has announced."""
    try:
        yield from _sized(body)
    except Exception as error:
        raise _BodyFailedError(error) from error


def _sized(body: ByteSource) -> Iterator[bytes]:
    announced = body.size
    sent = 0
    stream = body.open()
    try:
        while piece := stream.read(CHUNK):
            sent += len(piece)
            if announced is not None and sent > announced:
                break
            yield piece
    finally:
        stream.close()
    if announced is not None and sent != announced:
        raise SizeMismatchError(announced, sent, what="the body to be sent")


# --- Errors -------------------------------------------------------------------------------


def _root(error: BaseException) -> BaseException:
    """Return the innermost error that urllib3 has wrapped as an argument or a cause."""
    inner = next((arg for arg in reversed(error.args) if isinstance(arg, BaseException)), None)
    if inner is None and isinstance(error, HTTPError):
        inner = error.__cause__
    return error if inner is None else _root(inner)


def _shown(error: BaseException) -> BaseException | None:
    """Return the cause to be chained: none where its text may repeat a secret.

    `http.client` quotes a header field that it refuses, urllib3 an address.
    """
    root = _root(error)
    return None if isinstance(root, ValueError) and not isinstance(root, OSError) else root


def _translated(error: Exception, request: HttpRequest, *, begun: bool) -> TransportError:
    """Say in the port's terms what urllib3 raised; `begun` once an answer has come."""
    method, url = request.method, request.url
    root = _root(error)
    via = "the proxy: " if isinstance(error, ProxyError) else ""
    if isinstance(root, TimeoutError) or isinstance(error, ReadTimeoutError):
        return TransportTimeoutError(method, url, via + _timeout_reason(error, root, begun=begun))
    if isinstance(root, ssl.SSLError) and not isinstance(root, ssl.SSLEOFError) and not begun:
        return TlsError(method, url, via + _tls_reason(root))
    if isinstance(error, NameResolutionError) or isinstance(root, socket.gaierror):
        unknown = getattr(root, "errno", None) == socket.EAI_NONAME
        return TransportError(
            method, url, via + "the host name cannot be resolved", retryable=not unknown
        )
    if _shown(error) is None:
        reason = "the address or a header field holds what may not be sent"
        return TransportError(method, url, reason, retryable=False)
    # A proxy that refuses a tunnel is reported by its status in a text.
    refused = str(root).startswith("Tunnel connection failed: 4")
    return TransportError(method, url, via + _words(root), retryable=not refused)


def _timeout_reason(error: Exception, root: BaseException, *, begun: bool) -> str:
    if "bytes came" in str(root):
        return str(root)
    if isinstance(error, ConnectTimeoutError) and not isinstance(error, NewConnectionError):
        return "no connection was made in time"
    return "nothing more came in time" if begun else "the server did not answer in time"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "the server does not speak TLS; plain HTTP has to be chosen for this registry"
    return f"TLS failed: {(error.reason or _words(error)).lower().replace('_', ' ')}"


def _words(error: BaseException) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


# --- urllib3's log ------------------------------------------------------------------------

_SENDING: Final[ContextVar[bool]] = ContextVar("_SENDING", default=False)


class _OwnRequests(logging.Filter):
    """Drops what urllib3 logs about our requests: whole URLs, signatures included."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: ARG002 - logging's signature
        return not _SENDING.get()


_OWN_REQUESTS: Final = _OwnRequests()


class _Unlogged:
    """A block in which what urllib3 logs is dropped.

    A class and not a generator, since it is entered several times for every request.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _SENDING.set(True)

    def __exit__(self, *exception: object) -> None:
        _SENDING.reset(self._token)
