"""Streams of faults: bodies that break, and bodies that a proxy compresses."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Final, NoReturn

from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["BreakingSource", "BreakingStream", "GzipStream"]

PIECE: Final = 64 * 1024
"""Bytes of a body compressed at a time."""


class BreakingStream:
    """Gives the first `left` bytes of a stream, then calls `broken`, which raises."""

    def __init__(self, stream: ByteStream, left: int, broken: Callable[[], NoReturn]) -> None:
        self._stream, self._left, self._broken = stream, left, broken

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        if not self._left:
            self._broken()
        piece = self._stream.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        """Close the wrapped stream."""
        self._stream.close()


class BreakingSource:
    """A source whose streams are `BreakingStream`s."""

    def __init__(self, source: ByteSource, after: int, broken: Callable[[], NoReturn]) -> None:
        self._source, self._after, self._broken = source, after, broken

    @property
    def size(self) -> int | None:
        """The size that the source announces."""
        return self._source.size

    def open(self) -> ByteStream:
        """Return a stream that breaks."""
        return BreakingStream(self._source.open(), self._after, self._broken)


class GzipStream:
    """Compresses a stream while it is read."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._gzip = zlib.compressobj(wbits=31)
        self._ready = bytearray()
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes."""
        while not self._ended and (size < 0 or len(self._ready) < size):
            piece = self._stream.read(PIECE)
            self._ready += self._gzip.compress(piece) if piece else self._gzip.flush()
            self._ended = not piece
        count = len(self._ready) if size < 0 else size
        piece = bytes(self._ready[:count])
        del self._ready[:count]
        return piece

    def close(self) -> None:
        """Close the wrapped stream."""
        self._stream.close()
