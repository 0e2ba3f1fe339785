"""Cutting what comes in pieces into blocks of one size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["BLOCK_SIZE", "in_blocks"]

BLOCK_SIZE: Final = 512 * 1024
"""Bytes of a block of an archive. Part of what decides the digest of one that is gzip."""


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut and join pieces into blocks of one size, however they were cut before."""
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        if not length and len(piece) == BLOCK_SIZE:
            yield piece
            continue
        waiting.append(piece)
        length += len(piece)
        if length >= BLOCK_SIZE:
            joined = b"".join(waiting)
            whole = length - length % BLOCK_SIZE
            for start in range(0, whole, BLOCK_SIZE):
                yield joined[start : start + BLOCK_SIZE]
            rest = joined[whole:]
            waiting, length = [rest] if rest else [], len(rest)
    if length:
        yield b"".join(waiting)
