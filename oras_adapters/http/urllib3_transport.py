"""The HTTP port: kept connections, TLS, proxies; it implements nothing that the core does."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import SplitResult, urlsplit

from attrs import frozen

from oras_adapters.http.dialing import Dialer
from oras_adapters.http.heads import HeadParser, is_visible, parser, request_head
from oras_adapters.http.kept_connections import (
    Answer,
    ConnectionPool,
    ConnectionPools,
    KeptConnection,
)
from oras_adapters.http.links import Dialing
from oras_adapters.http.routes import Route
from oras_core.errors import OrasError, SizeMismatchError, TransportError, redact_url
from oras_core.forks import ClosedOnExit, ConnectionHolder, PerProcess
from oras_core.model.values import Value
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport

if TYPE_CHECKING:
    import ssl

__all__ = ["ProxyChoice", "Timeouts", "Urllib3Transport"]

_LOG = logging.getLogger(__name__)

CHUNK: Final = 256 * 1024
"""Bytes read from a request's body at a time: fewer, larger calls cost less."""

DRAINED: Final = 16 * 1024
"""Bytes of an unread body that are read when it is closed, to keep the connection. Mostly they
have arrived already: a short error. More is not worth the wait."""

DRAIN_SECONDS: Final = 0.2
"""Seconds to wait for these bytes, in all."""

_FRAMING: Final = ("host", "content-length", "transfer-encoding", "connection")
"""Header fields that only the transport sets."""

_EMPTY_IS_ANNOUNCED: Final = frozenset({"POST", "PUT", "PATCH"})


@frozen(eq=False, repr=False)
class Timeouts(Value):
    """Timeouts in seconds.

    Attributes:
        connect: for resolving a name and connecting, and again for the TLS handshake.
        read: for each step of a request: until the response begins, between two pieces of a
            body.
    """

    connect: float = 10.0
    read: float = 60.0


class ProxyChoice(Protocol):
    """Chooses a proxy; `oras_adapters.http.proxies.ProxySettings` implements it."""

    def proxy_for(self, url: str) -> str | None:
        """Return the address of the proxy for `url`; None for a direct connection."""
        ...


class Urllib3Transport(ConnectionHolder, HttpTransport, ClosedOnExit):
    """Sends requests over connections that it keeps for further requests.

    urllib3 escapes addresses with unusual characters, and makes TLS within the TLS of a proxy. It
    is imported when one of them is needed.

    A context manager: leaving it closes the idle connections. A forked process opens its own.

    Args:
        tls: makes the TLS settings for a server, `HOST` or `HOST:PORT`, on first use; by default
            those of the system.
        proxies: chooses proxies; without it no proxy is used.
        timeouts: the timeouts.
        max_connections: idle connections that are kept for one server. More may be in use.
        parse: parses heads of responses; by default the fastest parser that is installed.
    """

    _in_a_worker = "Make one in the worker."

    def __init__(
        self,
        *,
        tls: Callable[[str], ssl.SSLContext] | None = None,
        proxies: ProxyChoice | None = None,
        timeouts: Timeouts = Timeouts(),
        max_connections: int = 16,
        parse: HeadParser | None = None,
    ) -> None:
        self._tls = tls
        self._proxies = proxies
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._parse = parse or parser()
        self._pools = PerProcess(self._new_pools, ConnectionPools.close_copies)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; see the port.

        If the server answers early, the rest of the body is not sent.

        Raises:
            TlsError: if the server is not trusted, or TLS fails.
            TransportTimeoutError: if a step takes longer than the timeouts allow.
            TransportError: if there is no response for another reason; also raised while
                the response's body is read. `Guarded` tells errors of the request's own body.
            InvalidConfigurationError: if the TLS or proxy settings for the server are wrong.
        """
        try:
            with _closing_pieces(request.body) as pieces:
                pool, connection, answer = self._exchange(request, pieces)
        except OrasError:
            raise
        except Exception as error:
            failure = _failure(error, request, begun=False)
            if failure is None:
                raise
            raise failure from failure.__cause__
        head = answer.head
        if _LOG.isEnabledFor(logging.DEBUG):
            _LOG.debug("%s %s: %s", request.method, redact_url(request.url), head.status)
        body = _Body(pool, connection, answer, request)
        return HttpResponse(
            head.status, Headers(head.fields), body=body, reason=head.reason, url=request.url
        )

    def close(self) -> None:
        """Close the idle connections. The transport can still be used."""
        self._pools.get().close()

    def _exchange(
        self, request: HttpRequest, pieces: Iterator[bytes] | None
    ) -> tuple[ConnectionPool, KeptConnection, Answer]:
        parts = _split(request.url)
        pool = self._pools.get().pool(parts.scheme, parts.netloc)
        head = _head(request, parts, pool)
        if pieces is not None and request.body is not None and request.body.size is None:
            pieces = _chunked(pieces)
        connection = pool.take()
        try:
            answer = connection.exchange(request.method, head, pieces)
        except BaseException:
            pool.give_back(connection)
            raise
        return pool, connection, answer

    def _new_pools(self) -> ConnectionPools:
        @cache  # one context may be that of several servers
        def prepared(context: ssl.SSLContext | None) -> ssl.SSLContext:
            from oras_adapters.http.tls import for_http  # noqa: PLC0415 - plain HTTP needs no TLS

            return for_http(context)

        tls = cache(lambda authority: prepared(self._tls(authority) if self._tls else None))
        timeouts = self._timeouts
        dialing = Dialing(Dialer(), timeouts.connect, timeouts.read, tls, self._parse)

        def new_pool(scheme: str, location: str) -> ConnectionPool:
            url = f"{scheme}://{location}/"
            proxy = self._proxies.proxy_for(url) if self._proxies else None
            route = Route.to(SplitResult(scheme, location, "", "", ""), proxy)
            return ConnectionPool(route, dialing, self._max_connections)

        return ConnectionPools(new_pool)


# --- Requests -----------------------------------------------------------------------------


def _split(url: str) -> SplitResult:
    if not is_visible(url):
        from urllib3.util import parse_url  # noqa: PLC0415 - slow to import, and rarely needed

        url = parse_url(url).url  # escapes what must not be sent, and encodes host names
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ValueError("neither http nor https")
    if not parts.hostname:
        raise ValueError("no host")
    return parts


def _head(request: HttpRequest, parts: SplitResult, pool: ConnectionPool) -> bytes:
    fields = [item for item in request.headers.items() if item[0].lower() not in _FRAMING]
    if "accept-encoding" not in request.headers:
        fields.append(("Accept-Encoding", "identity"))
    if request.body is None:
        if request.method in _EMPTY_IS_ANNOUNCED:
            fields.append(("Content-Length", "0"))
    elif request.body.size is None:
        fields.append(("Transfer-Encoding", "chunked"))
    else:
        fields.append(("Content-Length", str(request.body.size)))
    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    host = pool.host_field
    if pool.route.is_forwarded:
        target = f"http://{host}{target}"
        fields.extend(pool.fields.items())
    return request_head(request.method, target, host, fields)


def _closing_pieces(
    body: ByteSource | None,
) -> AbstractContextManager[Generator[bytes, None, None] | None]:
    # Closed at once: a traceback may keep the generator alive.
    return nullcontext() if body is None else closing(_pieces(body))


def _pieces(body: ByteSource) -> Generator[bytes, None, None]:
    """Yield the bytes of `body` and check its size."""
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


def _chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Frame pieces as chunks (RFC 9112, section 7.1)."""
    for piece in pieces:
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


# --- Responses ----------------------------------------------------------------------------


class _Body(ByteStream):
    """The body of a response; it gives the connection back at its end."""

    def __init__(
        self,
        pool: ConnectionPool,
        connection: KeptConnection,
        answer: Answer,
        request: HttpRequest,
    ) -> None:
        self._pool = pool
        self._connection: KeptConnection | None = connection
        self._frame = answer.body
        self._request = request
        self._process = os.getpid()
        self._failure: TransportError | None = None
        if self._frame.ended:
            self._release()

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            from oras_core.content.reading import read_rest  # noqa: PLC0415 - most read in pieces

            return read_rest(self)
        if self._failure is not None:
            raise self._failure
        if self._connection is None:
            return b""
        if self._process != os.getpid():
            reason = "another process opened this response; send the request again"
            raise TransportError(self._request.method, self._request.url, reason, retryable=False)
        try:
            piece = self._frame.read(size)
        except Exception as error:
            self._failure = _failure(error, self._request, begun=True)
            if self._failure is None:
                raise
            self._release()
            raise self._failure from self._failure.__cause__
        if self._frame.ended:
            self._release()
        return piece

    def close(self) -> None:
        if self._connection is not None and self._process == os.getpid():
            self._connection.drain(DRAINED, DRAIN_SECONDS)
            self._release()

    def __del__(self) -> None:
        # A program may delete a response without closing it.
        if self._process == os.getpid():
            self._release()

    def _release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.give_back(connection)


def _failure(error: Exception, request: HttpRequest, *, begun: bool) -> TransportError | None:
    """Return the port's error for an error of a connection; None for any other error."""
    from oras_adapters.http.transport_errors import FAILURES, translated  # noqa: PLC0415 - rare

    return translated(error, request, begun=begun) if isinstance(error, FAILURES) else None
