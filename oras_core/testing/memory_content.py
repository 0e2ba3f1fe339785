"""The bytes of a file in memory, in pieces: a large file is never copied as a whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from oras_core.ports.content import ByteStream

__all__ = ["Content", "ContentBuffer", "ContentStream"]

PIECE: Final = 1024 * 1024
"""Bytes of a piece: shorter writes are collected, so that few pieces make up a file."""


class Content:
    """Immutable bytes, in pieces. Thread-safe."""

    __slots__ = ("pieces", "size")

    def __init__(self, pieces: tuple[bytes, ...] = ()) -> None:
        """Consist of `pieces`."""
        self.pieces: tuple[bytes, ...] = pieces
        self.size: int = sum(map(len, pieces))

    def open(self) -> ContentStream:
        """Return a stream of the bytes."""
        return ContentStream(self)


class ContentBuffer:
    """Collects bytes that are written one after another."""

    def __init__(self, beginning: Content | None = None) -> None:
        """Start with the bytes of `beginning`."""
        self._pieces = list(beginning.pieces) if beginning else []
        self._tail = bytearray()

    def write(self, data: bytes) -> None:
        """Append `data`."""
        if len(data) >= PIECE:
            self._flush()
            self._pieces.append(bytes(data))
            return
        self._tail += data
        if len(self._tail) >= PIECE:
            self._flush()

    def content(self) -> Content:
        """Return the bytes written so far."""
        self._flush()
        return Content(tuple(self._pieces))

    def clear(self) -> None:
        """Discard all bytes."""
        self._pieces.clear()
        self._tail.clear()

    def _flush(self) -> None:
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail = bytearray()


class ContentStream:
    """Reads a `Content`."""

    def __init__(self, content: Content) -> None:
        """Start at the first byte."""
        self.content: Content = content
        self._pieces = content.pieces
        self._number = 0
        self._offset = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes: `size` of them unless the file ends before."""
        parts: list[bytes] = []
        while size and self._number < len(self._pieces):
            piece = self._pieces[self._number]
            end = len(piece) if size < 0 else min(self._offset + size, len(piece))
            part = piece[self._offset : end]
            parts.append(part)
            if size > 0:
                size -= len(part)
            if end == len(piece):
                self._number, self._offset = self._number + 1, 0
            else:
                self._offset = end
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        """Clone the file; see the port."""
        return clone(self)

    def close(self) -> None:
        """Release the bytes."""
        self.content = Content()
        self._pieces = ()
