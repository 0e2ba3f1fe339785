"""gzip, written by several threads and read within bounds (RFC 1952)."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from oras_core.content.sources import CHUNK_SIZE
from oras_core.content.tar_format import ArchiveDamage
from oras_core.ports.content import ByteStream

__all__ = ["DEFAULT_LEVEL", "MAGIC", "GzipWriter", "inflate"]

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


class GzipWriter:
    """Compresses what is written to it; the result depends on bytes and level alone.

    Blocks are compressed by several threads, each knowing the window before it, and
    written in order as one gzip member, which every reader reads.
    """

    def __init__(self, write: Callable[[bytes], object], *, level: int = DEFAULT_LEVEL) -> None:
        """Begin a stream that goes to `write`."""
        self._write = write
        self._level = level
        self._buffer = bytearray()
        self._window = b""
        self._crc = 0
        self._size = 0
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="oras-gzip")
        self._running: deque[Future[bytes]] = deque()
        write(_HEADER)

    def write(self, data: bytes) -> None:
        """Append `data`."""
        self._buffer += data
        while len(self._buffer) >= BLOCK_SIZE:
            block = bytes(memoryview(self._buffer)[:BLOCK_SIZE])
            del self._buffer[:BLOCK_SIZE]
            self._note(block)
            self._running.append(
                self._pool.submit(_deflate, block, self._window, self._level, zlib.Z_SYNC_FLUSH)
            )
            self._window = block[-WINDOW_SIZE:]
            if len(self._running) > THREADS:
                self._write(self._running.popleft().result())

    def _note(self, block: bytes) -> None:
        self._crc = zlib.crc32(block, self._crc)
        self._size += len(block)

    def finish(self) -> None:
        """End the stream, once all is written."""
        last = bytes(self._buffer)
        self._note(last)
        compressed = _deflate(last, self._window, self._level, zlib.Z_FINISH)
        while self._running:
            self._write(self._running.popleft().result())
        self._write(compressed)
        self._write(self._crc.to_bytes(4, "little") + (self._size % 2**32).to_bytes(4, "little"))

    def close(self) -> None:
        """Stop the threads, whether or not all is written."""
        self._pool.shutdown(cancel_futures=True)


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
