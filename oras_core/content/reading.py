"""Read a stream in pieces."""

from __future__ import annotations

from typing import Final

from oras_core.ports.content import ByteStream

__all__ = ["CHUNK_SIZE", "read_rest"]

CHUNK_SIZE: Final = 256 * 1024
"""Bytes of one read: large enough to make calls cheap, small enough for many parallel blobs."""


def read_rest(stream: ByteStream) -> bytes:
    """Return all remaining bytes of a stream that may return fewer bytes than requested."""
    return b"".join(iter(lambda: stream.read(CHUNK_SIZE), b""))
