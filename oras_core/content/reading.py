"""Read a stream in pieces."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Final

from oras_core.ports.content import ByteStream, ClonableStream

__all__ = ["CHUNK_SIZE", "clone_file", "read_rest", "skip_to"]

CHUNK_SIZE: Final = 256 * 1024
"""Bytes of one read: large enough to make calls cheap, small enough for many parallel blobs."""


def clone_file(
    stream: ByteStream, clone: Callable[[ByteStream], ByteStream | None]
) -> ByteStream | None:
    """Clone the file of a stream, as `ClonableStream.clone_into`; None if it has no file."""
    return stream.clone_into(clone) if isinstance(stream, ClonableStream) else None


def read_rest(stream: ByteStream) -> bytes:
    """Return all remaining bytes of a stream that may return fewer bytes than requested."""
    return b"".join(iter(lambda: stream.read(CHUNK_SIZE), b""))


def skip_to(stream: ByteStream, offset: int, position: int = 0) -> int:
    """Move a stream from `position` to `offset`, by reading if it cannot seek.

    Returns:
        The new position, which is smaller than `offset` if the stream has ended.
    """
    if isinstance(stream, io.RawIOBase | io.BufferedIOBase) and stream.seekable():
        return stream.seek(offset)
    while position < offset and (skipped := stream.read(min(offset - position, CHUNK_SIZE))):
        position += len(skipped)
    return position
