"""A blob as a file that seeks, and that fetches only the parts that are read."""

from __future__ import annotations

import io
from collections import OrderedDict
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING, Final, Protocol

from oras_core.content.read_sequences import ReadSequence, ReadSequences
from oras_core.content.reading import CHUNK_SIZE
from oras_core.errors import DigestMismatchError, InvalidInputError, SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteStream, Fetcher, RangeFetcher

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["RandomAccess", "Section", "Seekable"]

BLOCK: Final = 64 * 1024
"""Bytes of a block, the unit of fetching and caching: sent in less time than a round trip takes."""

STREAM_AFTER: Final = 1024 * 1024
"""Bytes read in sequence after which the rest of the blob is streamed. Smaller blobs are fetched
whole."""

WINDOWS_BEFORE_STREAM: Final = 2
"""Windows fetched for one sequence, and for no other meanwhile, before a stream: one large read is
no sequence yet."""

SKIP_SIZE: Final = 512 * 1024
"""Bytes of a stream to read and drop. A longer gap takes a new request."""

READ_AHEAD_FACTOR: Final = 3
"""How many times the bytes read so far in sequence are fetched next."""

MAX_SEQUENCES: Final = 4
"""Sequences that are read alternately, and fetched ahead for each."""

CACHE_SIZE: Final = 32 * 1024 * 1024
"""Bytes of blocks kept in memory for one open file. Half of them are for what is fetched ahead of
all sequences, the other half for what was read."""


class RandomAccess(io.RawIOBase):
    """Reads a blob of a target, at any position. Not thread-safe.

    Reads in sequence are streamed by one request. Reads elsewhere fetch blocks, more of
    them the longer a sequence is, and the blocks that were used last stay in memory. Several
    sequences may alternate.

    Bytes that were read in sequence from the first to the last are verified: the last of
    them are returned only if the digest is right. A part alone cannot be verified by the
    digest of the whole blob.

    Attributes:
        descriptor: of the blob.
    """

    def __init__(
        self, fetcher: Fetcher, descriptor: Descriptor, *, cache_size: int = CACHE_SIZE
    ) -> None:
        """Read from `fetcher`; nothing is fetched yet.

        Args:
            fetcher: a target. One that fetches no ranges is read from the start for each
                step backwards.
            descriptor: of the blob.
            cache_size: bytes of blocks kept in memory, at least `STREAM_AFTER`.
        """
        super().__init__()
        self.descriptor = descriptor
        self._fetcher = fetcher
        self._ranges = fetcher if isinstance(fetcher, RangeFetcher) else None
        self._blocks = _BlockCache(max(cache_size, STREAM_AFTER) // BLOCK)
        self._max_window = self._blocks.capacity * BLOCK // (2 * MAX_SEQUENCES)
        self._position = 0
        self._sequences = ReadSequences(MAX_SEQUENCES, gap=BLOCK)
        self._stream: ByteStream | None = None
        self._stream_position = 0
        self._hasher = descriptor.digest.hasher()
        self._hashed = 0
        if descriptor.data is not None:  # it is below 4 MiB, as its manifest is
            self._fetcher, self._ranges = _Embedded(descriptor.data), None

    @property
    def verified(self) -> bool:
        """Whether the whole blob was read in sequence, and its digest is right."""
        return self._hashed == self.descriptor.size

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, which may be beyond the end; nothing is fetched."""
        self._check_open()
        self._position = _moved(self._position, self.descriptor.size, offset, whence)
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into `buffer` and return the number of bytes; 0 at the end.

        Raises:
            DigestMismatchError: in place of the last bytes, if the blob was read in sequence
                and has another digest.
            OrasError: whatever the target raises.
        """
        self._check_open()
        view = memoryview(buffer).cast("B")
        piece = self._read_some(len(view))
        view[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        """Read what is left, by one request. Raises: as `readinto`."""
        self._check_open()
        content = io.BytesIO()  # a join of pieces would take twice the memory
        while piece := self._read_some(self.descriptor.size):
            content.write(piece)
        return content.getvalue()

    def close(self) -> None:
        """Close the stream beneath, and drop what is in memory."""
        if not self.closed:
            self._leave_stream()
            self._blocks.clear()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("read of a closed file")

    def _read_some(self, size: int) -> bytes:
        """Return at least one and at most `size` bytes at the position, unless at the end."""
        size = min(size, self.descriptor.size - self._position)
        if size <= 0:
            return b""
        sequence = self._sequences.at(self._position)
        piece = self._blocks.read(self._position, size)
        piece = piece or self._from_stream(size) or self._fetched(size, sequence)
        self._hash(piece)
        self._position += len(piece)
        sequence.extend(self._position, len(piece))
        return piece

    def _from_stream(self, size: int) -> bytes:
        """Return bytes of the open stream; none if the position is elsewhere."""
        if self._stream is None:
            return b""
        if not 0 <= self._position - self._stream_position <= SKIP_SIZE:
            self._leave_stream()
        while self._stream is not None and self._stream_position < self._position:
            self._read_stream(self._position - self._stream_position)
        return self._read_stream(size)

    def _read_stream(self, size: int) -> bytes:
        if self._stream is None:
            return b""
        piece = self._stream.read(min(size, CHUNK_SIZE))
        self._stream_position += len(piece)
        if not piece:
            self._leave_stream()
        return piece

    def _fetched(self, size: int, sequence: ReadSequence) -> bytes:
        rest = self.descriptor.size - self._position
        if self._ranges is None:
            return self._streamed(0, self.descriptor.size, size)
        sequence.fetches += 1
        is_long = sequence.length >= STREAM_AFTER and sequence.fetches > WINDOWS_BEFORE_STREAM
        if is_long or size == rest > BLOCK:
            return self._streamed(self._position, rest, size)
        if size > self._max_window:
            return self._streamed(self._position, size, size)
        start, length = self._window(size, sequence)
        with closing(self._part(start, length)) as stream:
            self._blocks.fill(start, self._exactly(stream, length))
        return self._blocks.read(self._position, size)

    def _streamed(self, start: int, length: int, size: int) -> bytes:
        """Open a stream of a part, and return up to `size` bytes from the position on."""
        self._stream, self._stream_position = self._part(start, length), start
        while self._stream is not None and self._stream_position < self._position:
            self._read_stream(self._position - self._stream_position)
        if piece := self._read_stream(size):
            return piece
        raise SizeMismatchError(self.descriptor.size, self._position, what=self._what)

    def _part(self, start: int, length: int) -> ByteStream:
        if self._ranges is None or length == self.descriptor.size:
            return self._fetcher.fetch(self.descriptor)
        return self._ranges.fetch_range(self.descriptor, start, length)

    def _window(self, size: int, sequence: ReadSequence) -> tuple[int, int]:
        """Return the blocks to fetch: those requested, and more in a longer sequence."""
        total = self.descriptor.size
        if total <= STREAM_AFTER:
            return 0, total
        start = self._position - self._position % BLOCK
        # One block more: buffered readers ask for it after a read of many blocks.
        further = BLOCK if size > BLOCK else 0
        asked = self._position - start + size + further
        wanted = max(asked, min(READ_AHEAD_FACTOR * sequence.length, self._max_window))
        end = min(start + wanted + -wanted % BLOCK, total)
        return start, self._blocks.trim(start, end) - start

    def _exactly(self, stream: ByteStream, length: int) -> bytes:
        pieces = []
        while length and (piece := stream.read(length)):
            pieces.append(piece)
            length -= len(piece)
        if length:
            raise SizeMismatchError(self.descriptor.size, self._position, what=self._what)
        return b"".join(pieces)

    def _hash(self, piece: bytes) -> None:
        """Hash the next bytes of the sequence from the start; verify the digest at the end."""
        end = self._position + len(piece)
        if not self._position <= self._hashed < end:
            return
        self._hasher.update(memoryview(piece)[self._hashed - self._position :])
        self._hashed = end
        expected = self.descriptor.digest
        if end == self.descriptor.size and self._hasher.hexdigest() != expected.encoded:
            self._hashed = 0
            actual = f"{expected.algorithm}:{self._hasher.hexdigest()}"
            self._hasher = expected.hasher()
            raise DigestMismatchError(str(expected), actual, what=self._what)

    @property
    def _what(self) -> str:
        return f"blob {self.descriptor.digest}"

    def _leave_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()


class Seekable(Protocol):
    """A binary file that is read at any position."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes; none at the end."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a position."""
        ...


class Section(io.RawIOBase):
    """A part of a file that seeks, as a separate file. Not thread-safe."""

    def __init__(self, file: Seekable, start: int, size: int, lock: Lock | None = None) -> None:
        """Read `size` bytes of `file` from byte `start` on.

        Args:
            file: closed by the caller.
            start: in bytes.
            size: in bytes.
            lock: held while `file` is used; sections of one file share one.
        """
        super().__init__()
        self._lock = lock or Lock()
        self._file = file
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, which may be beyond the end."""
        self._position = _moved(self._position, self._size, offset, whence)
        return self._position

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into `buffer` and return the number of bytes; 0 at the end."""
        view = memoryview(buffer).cast("B")
        size = min(len(view), self._size - self._position)
        if size <= 0:
            return 0
        with self._lock:
            self._file.seek(self._start + self._position)
            piece = self._file.read(size)
        if not piece:
            raise SizeMismatchError(self._size, self._position, what="the file")
        view[: len(piece)] = piece
        self._position += len(piece)
        return len(piece)


def _moved(position: int, size: int, offset: int, whence: int) -> int:
    bases = {io.SEEK_SET: 0, io.SEEK_CUR: position, io.SEEK_END: size}
    if whence not in bases or bases[whence] + offset < 0:
        raise InvalidInputError((offset, whence), "the file has no such position")
    return bases[whence] + offset


class _BlockCache:
    """Blocks by number; those that were used least recently make room for new ones."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    def fill(self, start: int, content: bytes) -> None:
        """Keep `content`, which begins at a block."""
        for offset in range(0, len(content), BLOCK):
            number = (start + offset) // BLOCK
            self._blocks[number] = content[offset : offset + BLOCK]
            self._blocks.move_to_end(number)
        while len(self._blocks) > self.capacity:
            self._blocks.popitem(last=False)

    def trim(self, start: int, end: int) -> int:
        """Return `end`, or the beginning of the blocks before it that are kept."""
        while end > start and (end - 1) // BLOCK in self._blocks:
            end = (end - 1) // BLOCK * BLOCK
        return end

    def read(self, position: int, size: int) -> bytes:
        """Return up to `size` bytes from `position` on; none if their block is not kept."""
        pieces: list[bytes] = []
        while size and (block := self._blocks.get(position // BLOCK)) is not None:
            self._blocks.move_to_end(position // BLOCK)
            piece = block[position % BLOCK : position % BLOCK + size]
            if not piece:
                break
            pieces.append(piece)
            position += len(piece)
            size -= len(piece)
        return b"".join(pieces)

    def clear(self) -> None:
        """Drop all blocks."""
        self._blocks.clear()


class _Embedded:
    """Fetches a blob that its descriptor contains."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def fetch(self, _: Descriptor) -> ByteStream:
        return io.BytesIO(self._content)
