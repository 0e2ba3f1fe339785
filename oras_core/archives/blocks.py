"""Join and split pieces of bytes into blocks of equal size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["BLOCK_SIZE", "in_blocks"]

BLOCK_SIZE: Final = 512 * 1024
"""Bytes of one block. The digest of a gzip archive depends on it."""


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the joined pieces as blocks of `BLOCK_SIZE` bytes; the last may be shorter."""
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
