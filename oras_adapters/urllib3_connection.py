"""urllib3's connections, with a limit on how long nothing may move in either direction.

urllib3 sends a body under the *connect* timeout, which then counts for each `sendall` as a
whole: a megabyte over a slow line would fail though it moves. It reads under a timeout for
each system call, which a server that sends a byte now and then never exceeds.
"""

from __future__ import annotations

import http.client
import io
import ssl
import time
from typing import Any, Final

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool

__all__ = ["WatchedPoolManager", "WatchedProxyManager"]

SEND_PIECE: Final = 256 * 1024
"""Bytes that must leave within one timeout. TLS takes a piece whole or not at all."""

MIN_PROGRESS: Final = 1024
"""Bytes that must arrive within one timeout, once an answer has begun: no real line is slower."""

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Bytes of a status line and header fields, informational answers before it included."""

_GONE: Final = (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a send fails where the server has hung up."""


class _WatchedRaw(io.RawIOBase):
    """The receiving side of a socket, which gives up when next to nothing arrives."""

    def __init__(self, raw: Any, patience: float) -> None:  # noqa: ANN401 - a SocketIO or alike
        super().__init__()
        self._raw = raw
        self._patience = patience
        self._begun = False
        self._waited = 0.0
        self._arrived = 0
        self.header_budget: int | None = MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
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
        super().close()


class _WatchedSocket:
    """What `http.client.HTTPResponse` wants of a socket: a file to read from."""

    def __init__(self, sock: Any, patience: float) -> None:  # noqa: ANN401 - plain or TLS socket
        self._sock = sock
        self._patience = patience

    def makefile(self, mode: str) -> io.BufferedReader:
        self.raw = _WatchedRaw(self._sock.makefile(mode, 0), self._patience)
        return io.BufferedReader(self.raw)


class _WatchedResponse(http.client.HTTPResponse):
    """A response that is read through a `_WatchedRaw`."""

    def __init__(self, sock: _WatchedSocket, **options: Any) -> None:  # noqa: ANN401
        super().__init__(sock, **options)  # type: ignore[arg-type]
        self._source = sock

    def begin(self) -> None:
        super().begin()
        self._source.raw.header_budget = None


class _Watched(HTTPConnection):
    """Sends piece by piece and reads through a `_WatchedRaw`."""

    def __init__(self, *args: Any, patience: float, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._patience = patience
        self._answer: _WatchedResponse | None = None
        self.response_class = self._respond  # type: ignore[assignment]

    def _respond(self, sock: Any, **options: Any) -> _WatchedResponse:  # noqa: ANN401
        self._answer = _WatchedResponse(_WatchedSocket(sock, self._patience), **options)
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

    def send(self, data: Any) -> None:  # noqa: ANN401 - as http.client has it
        if self.sock is None:  # connects, then sends the header fields
            super().send(data)
            return
        self.sock.settimeout(self._patience)
        view = memoryview(data)
        try:
            while view:
                view = view[self.sock.send(view[:SEND_PIECE]) :]
        except _GONE as error:
            # urllib3 goes on to read the answer after this very error: a server may answer
            # 401 or 413 and hang up before it has read the whole body.
            raise BrokenPipeError(str(error)) from error


class _WatchedHttps(_Watched, HTTPSConnection):
    """The same over TLS."""

    def connect(self) -> None:
        super().connect()
        # Where verification is off, `TlsSettings` has said so once; urllib3 would warn at
        # every request.
        self.is_verified = True


class _Pools(urllib3.PoolManager):
    """Makes pools of watched connections."""

    patience: float

    def _new_pool(
        self, scheme: str, host: str, port: int, request_context: dict[str, Any] | None = None
    ) -> HTTPConnectionPool:
        pool = super()._new_pool(scheme, host, port, request_context)
        pool.ConnectionCls = _WatchedHttps if scheme == "https" else _Watched
        pool.conn_kw["patience"] = self.patience
        return pool


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
