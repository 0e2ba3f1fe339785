"""Bodies of requests, as a server reads them from a connection."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Final

from oras_core.errors import TransportError
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["ChunkedStream", "RequestBody", "SizedStream"]

CHUNK: Final = 1024 * 1024
"""Bytes read at a time when a body is discarded."""

MAX_CHUNK_LINE: Final = 4096
"""Bytes of a chunk-size line with its extensions, and of a trailer field."""

MAX_TRAILERS: Final = 100
"""Trailer fields of a chunked body; the same number as header fields."""


class RequestBody(ByteSource):
    """The body of a request that is being received; it can be opened once."""

    def __init__(self, size: int | None, stream: SizedStream | ChunkedStream) -> None:
        self._size = size
        self._stream = stream
        self._opened = False

    @property
    def size(self) -> int | None:
        """The `Content-Length` in bytes; None for a chunked body."""
        return self._size

    def open(self) -> ByteStream:
        """Return the stream.

        Raises:
            TransportError: if it was opened before.
        """
        if self._opened:
            raise TransportError(
                "READ", "", "the body of a received request can be read only once", retryable=False
            )
        self._opened = True
        return self._stream

    def drain(self, limit: int) -> bool:
        """Read and discard the rest; False if it exceeds `limit` or ends early."""
        left = limit
        try:
            while piece := self._stream.read(min(left, CHUNK)):
                left -= len(piece)
                if left <= 0:
                    return False
        except (TransportError, OSError):
            return False
        return True


def _broken() -> TransportError:
    return TransportError("READ", "", "the client closed the connection within its request")


class SizedStream(ByteStream):
    """A body whose length `Content-Length` gives."""

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; raise `TransportError` if the body ends early."""
        wanted = self._left if size < 0 else min(size, self._left)
        try:
            piece = self._file.read1(
                wanted
            )  # not `read`: it would wait for bytes that may never come
        except OSError as error:
            raise _broken() from error
        if not piece and wanted:
            raise _broken()
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Do nothing: `RequestBody.drain` discards the rest."""


class ChunkedStream(ByteStream):
    """The data of a chunked body (RFC 9112, section 7.1)."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._left = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; raise `TransportError` if the body ends early."""
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        try:
            return self._next(size)
        except OSError as error:
            raise _broken() from error

    def _next(self, size: int) -> bytes:
        if self._left == 0 and not self._ended:
            self._begin_chunk()
        if self._ended:
            return b""
        piece = self._file.read1(min(size, self._left))
        if not piece and size:
            raise _broken()
        self._left -= len(piece)
        if self._left == 0:
            self._line()  # the line end after the data
        return piece

    def _begin_chunk(self) -> None:
        size = _chunk_size().match(self._line())
        if size is None:
            raise _broken()
        self._left = int(size[1], 16)
        if self._left:
            return
        self._ended = True
        for _ in range(MAX_TRAILERS):
            if not self._line():  # trailer fields are ignored
                return
        raise _broken()

    def _line(self) -> bytes:
        line = self._file.readline(MAX_CHUNK_LINE)
        if not line.endswith(b"\n"):
            raise _broken()
        return line.strip()

    def close(self) -> None:
        """Do nothing: `RequestBody.drain` discards the rest."""


@cache
def _chunk_size() -> re.Pattern[bytes]:
    return re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;|\Z)")
