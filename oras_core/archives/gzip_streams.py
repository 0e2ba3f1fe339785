"""gzip (RFC 1952): compressed by several threads, decompressed with bounded memory."""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Protocol, Self

from attrs import field, frozen

from oras_core.archives.blocks import in_blocks
from oras_core.ports.compression import DamagedStreamError, Decompressor
from oras_core.threads import can_start_threads

__all__ = ["GZIP", "DeflateLibrary", "Gzip"]

DEFAULT_LEVEL: Final = 5
"""Output within 2 % of the size of level 6, in two thirds of the time."""

MAGIC: Final = b"\x1f\x8b"

WINDOW_SIZE: Final = 32 * 1024
"""Bytes before a block that the block may refer to: the window of deflate (RFC 1951)."""

THREADS: Final = 4
"""The libraries release the GIL. More threads than this only wait for input."""

# No name, no time and no flags; operating system "unknown", for the same bytes everywhere.
_HEADER: Final = MAGIC + b"\x08" + bytes(6) + b"\xff"


class DeflateLibrary(Protocol):
    """The interface of the module `zlib`, which other libraries share."""

    @property
    def error(self) -> type[Exception]:
        """The exception for malformed data."""
        ...

    @property
    def compressobj(self) -> Callable[..., Any]:
        """Make a compressor of a level, method, window bits, memory level and strategy."""
        ...

    def decompressobj(self, wbits: int, /) -> Any:  # noqa: ANN401 - as above
        """Return a decompressor."""
        ...

    def crc32(self, data: bytes, value: int, /) -> int:
        """Update a checksum."""
        ...


@frozen
class Gzip:
    """gzip, by a library with the interface of `zlib`.

    Attributes:
        name: name of the library.
        library: the module.
        level: compression level, on the scale of the library.
    """

    name: str
    library: DeflateLibrary = field(repr=False)
    level: int

    suffix = "gzip"
    magic = MAGIC
    padding = b"\0"
    """Zeros may follow a member, as the gzip tool and tape drives write them."""

    def compress(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Compress pieces; the result depends only on their bytes, the library and the level.

        Several threads compress blocks of equal size, each with the window before its block.
        The result is one gzip member in order, which every reader accepts. The threads end
        when the iterator is exhausted or closed.
        """
        window, crc, size = b"", 0, 0
        with _Workers(THREADS if can_start_threads() else 0) as workers:
            yield _HEADER
            for block in in_blocks(pieces):
                yield from workers.submit(self._deflate, block, window, zlib.Z_SYNC_FLUSH)
                crc, size = self.library.crc32(block, crc), size + len(block)
                window = block[-WINDOW_SIZE:]
            yield from workers.rest()
            yield self._deflate(b"", b"", zlib.Z_FINISH)
            yield struct.pack("<LL", crc, size % 2**32)

    def decompressor(self) -> Decompressor:
        """Return a decompressor for one gzip member."""
        return _Inflater(self.library)

    def _deflate(self, block: bytes, window: bytes, flush: int) -> bytes:
        deflater = self.library.compressobj(
            self.level,
            zlib.DEFLATED,
            -zlib.MAX_WBITS,
            zlib.DEF_MEM_LEVEL,
            zlib.Z_DEFAULT_STRATEGY,
            *([window] if window else []),
        )
        compressed: bytes = deflater.compress(block) + deflater.flush(flush)
        return compressed


GZIP: Final = Gzip("zlib", zlib, DEFAULT_LEVEL)
"""gzip by the standard library, which is always available."""


class _Workers:
    """Threads whose results are in order. Without threads, the caller does the work."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._running: deque[Future[bytes]] = deque()
        self._pool = ThreadPoolExecutor(max(threads, 1), thread_name_prefix="oras-gzip")

    def submit(self, task: Callable[..., bytes], *arguments: object) -> Iterator[bytes]:
        """Begin a task, and yield the result of an earlier one if all threads have work."""
        if not self._threads:
            yield task(*arguments)
            return
        self._running.append(self._pool.submit(task, *arguments))
        if len(self._running) > self._threads:
            yield self._running.popleft().result()

    def rest(self) -> Iterator[bytes]:
        """Yield the results of all tasks that are left."""
        while self._running:
            yield self._running.popleft().result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown(cancel_futures=True)


class _Inflater:
    """A decompressor of the library, with its unconsumed input."""

    def __init__(self, library: DeflateLibrary) -> None:
        self._error = library.error
        self._inflater = library.decompressobj(zlib.MAX_WBITS | 16)
        self._data = b""
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return bool(self._inflater.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inflater.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        try:
            chunk: bytes = self._inflater.decompress(self._data + data, max_length)
        except self._error as error:
            raise DamagedStreamError(str(error)) from error
        self._data = self._inflater.unconsumed_tail
        # Even with all input consumed, the library may hold output that exceeded `max_length`.
        self.needs_input = not self._data and len(chunk) < max_length
        return chunk
