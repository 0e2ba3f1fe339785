"""urllib3's connections, watched while they send and receive.

urllib3 sends a body under the *connect* timeout, which then counts for each `sendall` as a
whole: a megabyte over a slow line would fail though it moves. It reads under a timeout for
each system call, which a server that sends a byte now and then never exceeds. It goes on
sending where the server has long said no; over TLS that answer is lost with the connection.
And nobody but the server ends what waits for it: here the token of the thread that sends does.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import sys
import time
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    LocationParseError,
    NameResolutionError,
    NewConnectionError,
)
from urllib3.util.wait import wait_for_read, wait_for_socket

from oras_adapters.http.lifelines import Lifeline, connected
from oras_core.cancellation import CancelToken, current_token

__all__ = ["WatchedPoolManager", "WatchedProxyManager"]

SEND_PIECE: Final = 256 * 1024
"""Bytes handed to the system at a time: more brings nothing."""

MIN_PROGRESS: Final = 1024
"""Bytes that must arrive within one timeout, once an answer has begun: no real line is slower."""

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Bytes of a status line and header fields, informational answers before it included."""

EARLY: Final = 4096
"""Bytes looked at of an answer that comes while a body is sent."""

_BLOCKED: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket that does not wait says where there is nothing to do."""

_GONE: Final = (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a send fails where the server has hung up."""


class _WatchedRaw(io.RawIOBase):
    """The receiving side of a socket, which gives up when next to nothing arrives."""

    def __init__(
        self,
        raw: Any,  # noqa: ANN401 - a SocketIO
        patience: float,
        early: bytes,
        lifeline: Lifeline | None,
    ) -> None:
        super().__init__()
        self._lifeline = lifeline
        self._raw = raw
        self._patience = patience
        self._early = early
        self._begun = False
        self._waited = 0.0
        self._arrived = 0
        self.header_budget: int | None = MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        if self._early:
            piece, self._early = self._early[: len(buffer)], self._early[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)
        start = time.monotonic()
        count: int | None = self._raw.readinto(buffer)
        self._watch(count or 0, time.monotonic() - start)
        return count

    def _watch(self, count: int, seconds: float) -> None:
        if self.header_budget is not None:
            self.header_budget -= count
            if self.header_budget < 0:
                raise http.client.HTTPException(f"more than {MAX_HEADER_BYTES} bytes of header")
            if not count and self._begun:
                # http.client would take what has come for the whole header.
                raise http.client.HTTPException("the answer ended within its header")
        # How long a server thinks before its answer is the socket timeout's matter alone.
        self._waited += seconds if self._begun else 0.0
        self._begun = True
        self._arrived += count
        if self._waited > self._patience and count:
            if self._arrived < MIN_PROGRESS:
                raise TimeoutError(
                    f"only {self._arrived} bytes came within {self._patience:g} seconds"
                )
            self._waited = 0.0
            self._arrived = 0

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
            if self._lifeline is not None:
                self._lifeline.release()
        super().close()


class _WatchedSocket:
    """What `http.client.HTTPResponse` wants of a socket: a file to read from."""

    def __init__(
        self,
        sock: Any,  # noqa: ANN401 - or TLS
        patience: float,
        early: bytes,
        lifeline: Lifeline | None,
    ) -> None:
        self._sock = sock
        self._patience = patience
        self._early = early
        self._lifeline = lifeline

    def makefile(self, mode: str) -> io.BufferedReader:
        held = None if self._lifeline is None else self._lifeline.hold()
        self.raw = _WatchedRaw(self._sock.makefile(mode, 0), self._patience, self._early, held)
        return io.BufferedReader(self.raw)


class _WatchedResponse(http.client.HTTPResponse):
    """A response that is read through a `_WatchedRaw`."""

    def __init__(self, sock: _WatchedSocket, *, last: bool, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, **options)  # type: ignore[arg-type]
        self._source = sock
        self._last = last

    def begin(self) -> None:
        super().begin()
        self._source.raw.header_budget = None
        self.will_close = self.will_close or self._last


class _Watched(HTTPConnection):
    """Sends piece by piece, listening meanwhile, and reads through a `_WatchedRaw`."""

    def __init__(self, *args: Any, patience: float, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._patience = patience
        self._early = b""
        self._cut_short = False
        self._answer: _WatchedResponse | None = None
        self.response_class = self._respond  # type: ignore[assignment]
        self._token = current_token()
        self._lifeline: Lifeline | None = None

    # --- Connecting -----------------------------------------------------------------------

    def tie(self, token: CancelToken) -> None:
        """Serve a request that ends when `token` is cancelled."""
        self._token = token
        if self._lifeline is not None:
            self._lifeline.tie(token)

    def untie(self) -> None:
        """The request is done."""
        if self._lifeline is not None:
            self._lifeline.untie()

    def _new_conn(self) -> socket.socket:
        # As urllib3 does it, but while it waits it looks at the token.
        address, timeout = (self._dns_host, self.port), float(self.timeout or self._patience)
        try:
            sock = connected(address, timeout, self.socket_options or (), self._token)
        except UnicodeError:
            raise LocationParseError(f"{self.host!r}, label empty or too long") from None
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        except TimeoutError as error:
            raise ConnectTimeoutError(self, f"no connection within {timeout:g} s") from error
        except OSError as error:
            raise NewConnectionError(self, f"no connection: {error}") from error
        sys.audit("http.client.connect", self, self.host, self.port)
        self._lifeline = Lifeline(sock)
        self._lifeline.tie(self._token)
        return sock

    # --- Sending --------------------------------------------------------------------------

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client has it
        sock: Any = self.sock
        if not isinstance(sock, socket.socket):
            # None: it connects first. TLS within TLS, to an HTTPS proxy, can only wait.
            if sock is not None:
                sock.settimeout(self._patience)
            super().send(data)
            return
        sock.settimeout(0)
        try:
            self._send_unless_answered(sock, memoryview(data))
        except (BrokenPipeError, *_GONE) as error:
            # After a `BrokenPipeError` urllib3 reads the answer, if there is one. What else
            # the server would read is the rest of this body: no further request may follow.
            self._cut_short = True
            raise BrokenPipeError(str(error)) from error
        finally:
            sock.settimeout(self._patience)

    def _send_unless_answered(self, sock: socket.socket, view: memoryview) -> None:
        self._check_unanswered(sock)
        while view:
            try:
                view = view[sock.send(view[:SEND_PIECE]) :]
            except _BLOCKED as error:
                writing = not isinstance(error, ssl.SSLWantReadError)
                reading = not (writing and self._early)
                if not wait_for_socket(sock, reading, writing, self._patience):
                    raise TimeoutError("timed out") from None
                self._check_unanswered(sock)

    def _check_unanswered(self, sock: socket.socket) -> None:
        """Stop sending where the server has answered: with 401 or 413, or by hanging up."""
        if not self._early:
            if not wait_for_read(sock, timeout=0):
                return
            try:
                self._early = sock.recv(EARLY)
            except _BLOCKED:  # TLS has news of its own
                return
        if not self._early.startswith(b"HTTP/1.1 1"):  # informational: go on
            raise BrokenPipeError("the server answered before the end of the body")

    # --- Receiving ------------------------------------------------------------------------

    def _respond(self, sock: Any, **options: Any) -> _WatchedResponse:  # noqa: ANN401
        source = _WatchedSocket(sock, self._patience, self._early, self._lifeline)
        self._answer = _WatchedResponse(source, last=self._cut_short, **options)
        return self._answer

    def getresponse(self) -> urllib3.HTTPResponse:  # type: ignore[override]
        try:
            return super().getresponse()
        except BaseException:
            # urllib3 leaves the socket open where it refuses the header fields itself.
            if self._answer is not None:
                self._answer.close()
            raise
        finally:
            self._answer = None
            self._early = b""

    def close(self) -> None:
        super().close()
        self._early = b""
        self._cut_short = False
        lifeline, self._lifeline = self._lifeline, None
        if lifeline is not None:
            lifeline.release()


class _WatchedHttps(_Watched, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        super().connect()
        # Where verification is off, `TlsSettings` has said so once; urllib3 would warn at
        # every request.
        self.is_verified = True


class _Pool(HTTPConnectionPool):
    """Ties a connection to the token of the thread that uses it, for as long as it does."""

    ConnectionCls: Any = _Watched

    def _get_conn(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - a `_Watched`
        connection: Any = super()._get_conn(timeout)
        connection.tie(current_token())
        return connection

    def _put_conn(self, conn: Any) -> None:  # noqa: ANN401 - a `_Watched`, or None
        if conn is not None:
            conn.untie()
        super()._put_conn(conn)


class _HttpsPool(_Pool, HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _WatchedHttps


class _Pools(urllib3.PoolManager):
    """Makes pools of watched connections."""

    patience: float

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        self.pool_classes_by_scheme = {"http": _Pool, "https": _HttpsPool}
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.conn_kw["patience"] = self.patience
        return pool

    def clear(self) -> None:
        # urllib3 leaves it to the garbage collector to close what its pools keep.
        for key in self.pools.keys():  # noqa: SIM118 - it refuses to be iterated over
            pool = self.pools.get(key)
            if pool is not None:
                pool.close()
        super().clear()


class WatchedPoolManager(_Pools):
    """A `PoolManager` whose connections give up after `patience` seconds without progress."""

    def __init__(self, *, patience: float, **options: Any) -> None:  # noqa: ANN401
        self.patience = patience
        super().__init__(**options)


class WatchedProxyManager(_Pools, urllib3.ProxyManager):
    """A `ProxyManager` whose connections give up after `patience` seconds without progress."""

    def __init__(self, proxy_url: str, *, patience: float, **options: Any) -> None:  # noqa: ANN401
        self.patience = patience
        super().__init__(proxy_url, **options)
