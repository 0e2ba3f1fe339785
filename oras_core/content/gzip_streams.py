"""gzip, written by several threads and read within bounds (RFC 1952)."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from oras_core.content.sources import CHUNK_SIZE
from oras_core.content.tar_format import ArchiveDamage
from oras_core.ports.content import ByteStream

__all__ = ["DEFAULT_LEVEL", "MAGIC", "deflate", "in_blocks", "inflate"]

DEFAULT_LEVEL: Final = 5
"""Within 2 % of the size that level 6 gives, in two thirds of its time."""

MAGIC: Final = b"\x1f\x8b"

BLOCK_SIZE: Final = 512 * 1024
"""Bytes compressed by one thread at a time. Part of what decides the digest."""

WINDOW_SIZE: Final = 32 * 1024
"""Bytes before a block to which it may refer; deflate looks back no further."""

THREADS: Final = 4
"""zlib gives up the interpreter's lock; more threads than this wait for the reading."""

INPUT_SIZE: Final = 128 * 1024
"""Bytes inflated at a time: what zlib leaves over is copied, so this is kept small."""

# No name, no time, no flags; "unknown" as operating system, whichever it is.
_HEADER: Final = MAGIC + b"\x08" + bytes(6) + b"\xff"


def deflate(blocks: Iterable[bytes], *, level: int = DEFAULT_LEVEL) -> Generator[bytes, None, None]:
    """Compress blocks; the result depends on them and on the level alone.

    They are compressed by several threads, each knowing the window before its block, and
    given in order as one gzip member, which every reader reads. The threads end when the
    iterator does, or is closed.

    Args:
        blocks: to be had from `in_blocks`.
        level: 1, fast, to 9, small.
    """
    window, crc, size = b"", 0, 0
    running: deque[Future[bytes]] = deque()
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="oras-gzip")
    try:
        yield _HEADER
        for block in blocks:
            running.append(pool.submit(_deflate, block, window, level, zlib.Z_SYNC_FLUSH))
            crc, size = zlib.crc32(block, crc), size + len(block)
            window = block[-WINDOW_SIZE:]
            if len(running) > THREADS:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
        yield _deflate(b"", b"", level, zlib.Z_FINISH)
        yield struct.pack("<LL", crc, size % 2**32)
    finally:
        pool.shutdown(cancel_futures=True)


def in_blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Cut and join pieces into blocks of one size, however they were cut before."""
    waiting: list[bytes] = []
    length = 0
    for piece in pieces:
        waiting.append(piece)
        length += len(piece)
        if length >= BLOCK_SIZE:
            joined = b"".join(waiting)
            whole = length - length % BLOCK_SIZE
            for start in range(0, whole, BLOCK_SIZE):
                yield joined[start : start + BLOCK_SIZE]
            waiting, length = [joined[whole:]], length - whole
    if length:
        yield b"".join(waiting)


def _deflate(block: bytes, window: bytes, level: int, flush: int) -> bytes:
    deflater = zlib.compressobj(
        level, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY, window
    )
    return deflater.compress(block) + deflater.flush(flush)


def inflate(stream: ByteStream, beginning: bytes) -> Iterator[bytes]:
    """Decompress `beginning` and what follows it in `stream`, which is read to its end.

    No piece is larger than a chunk, however much a bomb would give. Several gzip members
    after one another are one stream, and zeros may follow the last (RFC 1952, 2.2).

    Raises:
        ArchiveDamage: if it is no gzip stream, breaks off, or something follows it.
    """
    inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
    data = beginning
    while True:
        try:
            chunk = inflater.decompress(data, CHUNK_SIZE)
        except zlib.error as error:
            raise ArchiveDamage(f"its compression is damaged ({error})") from error
        if chunk:
            yield chunk
        data = inflater.unconsumed_tail
        if inflater.eof:
            data = _after_member(inflater.unused_data, stream)
            if not data:
                return
            inflater = zlib.decompressobj(zlib.MAX_WBITS | 16)
        elif not data and not chunk:
            data = stream.read(INPUT_SIZE)
            if not data:
                raise ArchiveDamage("its compressed data breaks off")


def _after_member(data: bytes, stream: ByteStream) -> bytes:
    """Return what begins the next member; nothing at the end of the stream."""
    while not (data := data.lstrip(b"\0")):
        data = stream.read(INPUT_SIZE)
        if not data:
            return b""
    return data
