"""The bodies of requests, as a server reads them from a connection."""

from __future__ import annotations

import io
import re
from functools import cache
from typing import Final

from oras_core.errors import TransportError
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["ChunkedStream", "RequestBody", "SizedStream"]

CHUNK: Final = 1024 * 1024
"""Bytes read away at a time."""

MAX_CHUNK_LINE: Final = 4096
"""Bytes of a chunk's size with its extensions, and of a trailer field."""

MAX_TRAILERS: Final = 100
"""Trailer fields of a chunked body, as many as header fields are accepted."""


class RequestBody(ByteSource):
    """A body on its way: it can be read once."""

    def __init__(self, size: int | None, stream: SizedStream | ChunkedStream) -> None:
        self._size = size
        self._stream = stream
        self._opened = False

    @property
    def size(self) -> int | None:
        """The number of bytes that the client has announced; None for chunks."""
        return self._size

    def open(self) -> ByteStream:
        """Return the stream.

        Raises:
            TransportError: the second time.
        """
        if self._opened:
            raise TransportError("READ", "", "a request's body comes only once", retryable=False)
        self._opened = True
        return self._stream

    def drain(self, limit: int) -> bool:
        """Read the rest away; False where it has `limit` bytes or more, or does not come."""
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
    return TransportError("READ", "", "the client's request broke off")


class SizedStream(ByteStream):
    """As many bytes as `Content-Length` says."""

    def __init__(self, file: io.BufferedIOBase, size: int) -> None:
        self._file = file
        self._left = size

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; raises `TransportError` where they do not come."""
        wanted = self._left if size < 0 else min(size, self._left)
        try:
            piece = self._file.read1(wanted)  # what is there: more may never come
        except OSError as error:
            raise _broken() from error
        if not piece and wanted:
            raise _broken()
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Leave the rest to `drain`."""


class ChunkedStream(ByteStream):
    """The chunks of RFC 9112, section 7.1, without their sizes."""

    def __init__(self, file: io.BufferedIOBase) -> None:
        self._file = file
        self._left = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; raises `TransportError` where they do not come."""
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
            self._line()  # the end of the chunk's line
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
            if not self._line():  # the fields mean nothing here
                return
        raise _broken()

    def _line(self) -> bytes:
        line = self._file.readline(MAX_CHUNK_LINE)
        if not line.endswith(b"\n"):
            raise _broken()
        return line.strip()

    def close(self) -> None:
        """Leave the rest to `drain`."""


@cache
def _chunk_size() -> re.Pattern[bytes]:
    return re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;|\Z)")
