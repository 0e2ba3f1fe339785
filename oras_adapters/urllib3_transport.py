"""The HTTP port on connections that urllib3 makes; nothing that the core does."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Iterator
from types import TracebackType
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from attrs import frozen
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
)

from oras_adapters.http1_connection import Http1Connection
from oras_adapters.http1_messages import MessageError, encode_head
from oras_adapters.idle_connections import IdleConnections, Loan
from oras_adapters.urllib3_connection import ProxyFailure, Route
from oras_core.errors import (
    SizeMismatchError,
    TlsError,
    TransportError,
    TransportTimeoutError,
    redact_url,
)
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport

__all__ = ["ProxyChoice", "Timeouts", "Urllib3Transport"]

_LOG = logging.getLogger(__name__)

CHUNK: Final = 1024 * 1024
"""Bytes read from a request's body at a time: fewer, larger calls cost less."""

JOINED: Final = 64 * 1024
"""Bytes of a request's body that are sent together with its head: one packet less."""

DRAINED: Final = 16 * 1024
"""Bytes of an unread body that are read away at its close, to keep the connection: mostly
they are here already, an error's few words. More is not worth the wait."""

DRAIN_SECONDS: Final = 0.2
"""How long that may wait for bytes that are not here."""

_FRAMING: Final = frozenset({"host", "content-length", "transfer-encoding", "connection"})
"""Header fields that are the transport's own business."""

_ANNOUNCES_NOTHING: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
"""Methods that have no body, of which nothing needs to be said (RFC 9110, section 8.6)."""

_VISIBLE: Final = "".join(map(chr, range(0x21, 0x7F)))


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
    """Knows the way to an address; `oras_adapters.proxies.ProxySettings` does."""

    def proxy_for(self, url: str) -> str | None:
        """Return the address of the proxy for `url`; None for a direct connection."""
        ...


class Urllib3Transport(HttpTransport):
    """Sends requests, over connections that urllib3 makes and that are kept for the next ones.

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
        self._context: ssl.SSLContext | None = None
        self._proxies = proxies
        self._timeouts = timeouts
        self._idle = IdleConnections(max_connections)
        self._lock = threading.Lock()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; see the port.

        A server that answers before it has read the whole body is listened to.

        Raises:
            TlsError: where the server is not trusted, or TLS cannot be agreed upon.
            TransportTimeoutError: where nothing moved for as long as `timeouts` allow.
            TransportError: where there is no answer for another reason, and while the
                body is read. What the request's own body raises is passed on as it is.
        """
        connection = None
        try:
            route = Route.to(urlsplit(request.url), self._proxy_for(request.url))
            head, pieces = _head_of(request, route), _pieces(request.body)
            if request.body and (request.body.size or JOINED + 1) <= JOINED:
                head += b"".join(pieces)
            connection = self._idle.take(route) or self._dial(route)
            answer, stream = connection.exchange(head, pieces, request.method)
        except BaseException as error:
            if connection is not None:
                connection.close()
            if isinstance(error, _BodyFailedError):
                raise error.reason from error.reason.__cause__
            if not isinstance(error, _FAILURES):
                raise
            raise _translated(error, request, begun=False) from _shown(error)
        _LOG.debug("%s %s: %s", request.method, redact_url(request.url), answer.status)
        body = _Body(stream, answer.length, request, Loan(connection, route, self._idle))
        return HttpResponse(
            answer.status, answer.fields, body=body, reason=answer.reason, url=request.url
        )

    def _proxy_for(self, url: str) -> str | None:
        return self._proxies.proxy_for(url) if self._proxies else None

    def _dial(self, route: Route) -> Http1Connection:
        sock = route.dial(self._tls_context, self._timeouts.connect)
        return Http1Connection(sock, self._timeouts.read)

    def _tls_context(self) -> ssl.SSLContext:
        with self._lock:
            if self._context is None:
                self._context = self._tls()
            return self._context

    def close(self) -> None:
        """Close the idle connections. The transport can go on to be used."""
        self._idle.clear()

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


# --- Requests -----------------------------------------------------------------------------


def _head_of(request: HttpRequest, route: Route) -> bytes:
    fields = [(n, v) for n, v in request.headers.items() if n.lower() not in _FRAMING]
    if "Accept-Encoding" not in request.headers:
        fields.append(("Accept-Encoding", "identity"))
    if request.body is None:
        if request.method not in _ANNOUNCES_NOTHING:
            fields.append(("Content-Length", "0"))
    elif request.body.size is None:
        fields.append(("Transfer-Encoding", "chunked"))
    else:
        fields.append(("Content-Length", str(request.body.size)))
    parts = urlsplit(request.url)
    host = parts.netloc.rpartition("@")[2]
    target = parts.path or "/"
    if parts.query:
        target = f"{target}?{parts.query}"
    if route.is_forwarded:
        target = f"{parts.scheme}://{host}{target}"
        fields += route.proxy_fields.items()
    return encode_head(request.method, quote(target, safe=_VISIBLE), [("Host", host), *fields])


class _BodyFailedError(Exception):
    """A request's body could not be read: not the connection's fault, whatever its type."""

    def __init__(self, reason: Exception) -> None:
        super().__init__()
        self.reason = reason


def _pieces(body: ByteSource | None) -> Generator[bytes, None, None]:
    """Yield the bytes of `body`, framed as the head has announced them."""
    if body is None:
        return
    in_chunks = body.size is None
    try:
        for piece in _sized(body):
            yield b"%x\r\n%b\r\n" % (len(piece), piece) if in_chunks else piece
    except Exception as error:
        raise _BodyFailedError(error) from error
    if in_chunks:
        yield b"0\r\n\r\n"


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


# --- Answers ------------------------------------------------------------------------------


class _Body(ByteStream):
    """The body of an answer. Gives the connection back as soon as all of it was read."""

    def __init__(
        self, stream: ByteStream, length: int | None, request: HttpRequest, loan: Loan
    ) -> None:
        self._stream = stream
        self._left = length
        self._request = request
        self._loan: Loan | None = loan
        if length == 0:
            self._end()

    def read(self, size: int = -1, /) -> bytes:
        if self._loan is None or size == 0:
            return b""
        try:
            piece = self._stream.read(size)
        except (TransportError, OSError, MessageError) as error:
            self._break_off()
            raise _translated(error, self._request, begun=True) from _shown(error)
        if self._left is not None:
            self._left -= len(piece)
        if size < 0 or not piece or self._left == 0:
            self._end()
        return piece

    def close(self) -> None:
        if self._loan is not None and not self._drains(self._loan.connection):
            self._break_off()

    def __del__(self) -> None:
        self._break_off()  # of an answer that was dropped and not closed

    def _drains(self, connection: Http1Connection) -> bool:
        """Read the rest of a short body away: the connection can then be used again."""
        if self._left is None or self._left > DRAINED:
            return False
        connection.hasten(DRAIN_SECONDS)
        try:
            while self._loan is not None:
                self.read(DRAINED)
        except TransportError:
            _LOG.debug("the rest of an answer was not to be had")
        return self._loan is None

    def _end(self) -> None:
        loan, self._loan = self._loan, None
        if loan is not None:
            loan.end()

    def _break_off(self) -> None:
        loan, self._loan = self._loan, None
        if loan is not None:
            loan.connection.close()


# --- Errors -------------------------------------------------------------------------------


_FAILURES: Final = (HTTPError, ProxyFailure, MessageError, TransportError, OSError, ValueError)


def _root(error: BaseException) -> BaseException:
    """Return the innermost error that was wrapped as an argument or a cause."""
    inner = next((arg for arg in reversed(error.args) if isinstance(arg, BaseException)), None)
    if inner is None and isinstance(error, HTTPError | TransportError | ProxyFailure):
        inner = error.__cause__
    return error if inner is None else _root(inner)


def _shown(error: BaseException) -> BaseException | None:
    """Return the cause to be chained: none where its text may repeat a secret.

    urllib3 quotes an address that it refuses.
    """
    root = _root(error)
    return None if isinstance(root, ValueError) and not isinstance(root, OSError) else root


def _translated(error: Exception, request: HttpRequest, *, begun: bool) -> TransportError:
    """Say in the port's terms what urllib3 raised; `begun` once an answer has come."""
    method, url = request.method, request.url
    root = _root(error)
    via = ""
    if isinstance(error, ProxyFailure):
        via, error = "the proxy: ", error.reason
    if isinstance(root, TimeoutError):
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
