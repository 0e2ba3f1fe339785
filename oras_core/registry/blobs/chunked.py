"""Chunked uploads: each chunk continues at the offset that the registry reports (R17)."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from attrs import frozen

from oras_core.content.reading import CHUNK_SIZE, read_rest
from oras_core.content.sources import BytesSource
from oras_core.errors import RegistryError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteStream
from oras_core.registry.blobs.session import UploadSession
from oras_core.registry.blobs.verified_source import VerifiedSource

__all__ = ["send_chunks"]

MAX_STALLS: Final = 3
"""Accepted chunks in a row without a higher offset, after which the upload fails."""

MAX_BREAKS: Final = 5
"""Connection failures in a row without a higher offset, after which the upload fails.

Downloads have the same bound."""


def send_chunks(
    session: UploadSession,
    descriptor: Descriptor,
    source: VerifiedSource,
    chunk_size: int,
    *,
    start: int = 0,
) -> None:
    """Send `source` in chunks of `chunk_size` bytes, and complete the upload.

    The last bytes are sent only if the whole source matches the descriptor. Chunks are not
    kept in memory: bytes that must be sent again are read again from the source.

    Args:
        session: the upload.
        descriptor: the descriptor of the blob.
        source: the bytes of the blob.
        chunk_size: the size of every chunk but the last, in bytes.
        start: the number of bytes that the registry already holds.

    Raises:
        RegistryError: if the registry refuses a chunk, or repeatedly loses bytes.
        TransportError: if the connection fails repeatedly, or the upload was lost with it.
        ContentError: if the source does not match the descriptor.
    """
    offset = furthest = start
    stalls = 0
    with closing(_Reading(source)) as reading:
        while offset < descriptor.size:
            broken: TransportError | RegistryError | None = None
            length = min(chunk_size, descriptor.size - offset)
            try:
                offset = session.patch(offset, _Chunk(reading, offset, length))
            except (TransportError, RegistryError) as error:
                broken, offset = error, session.held_after(error, descriptor.size)
            stalls = 0 if offset > furthest else stalls + 1
            furthest = max(furthest, offset)
            if stalls >= (MAX_BREAKS if broken else MAX_STALLS):
                stuck = f"it still holds {offset} bytes after several chunks"
                raise broken or session.breach(stuck)
    session.finish(descriptor.digest, BytesSource(b""))


class _Reading:
    """The stream from which all chunks are read, and further streams for bytes sent again."""

    def __init__(self, source: VerifiedSource) -> None:
        self._source = source
        self._stream = source.open()
        self._position = 0
        self._again: ByteStream | None = None
        self._again_position = 0

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from `offset`, which is less than the size of the blob."""
        if offset < self._position:
            return self._read_again(offset, min(size, self._position - offset))
        self._forget()
        while offset > self._position:
            self._next(min(CHUNK_SIZE, offset - self._position))
        return self._next(size)

    def _next(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._position += len(piece)
        return piece

    def _read_again(self, offset: int, size: int) -> bytes:
        if self._again is None or offset != self._again_position:
            self._forget()
            self._again = self._source.open_again(offset)
        piece = self._again.read(size)
        self._again_position = offset + len(piece)
        return piece

    def _forget(self) -> None:
        again, self._again = self._again, None
        if again is not None:
            again.close()

    def close(self) -> None:
        """Close the open streams of the source."""
        self._forget()
        self._stream.close()


@frozen
class _Chunk:
    """A part of the source as the body of a request."""

    reading: _Reading
    start: int
    size: int

    def open(self) -> ByteStream:
        return _ChunkStream(self.reading, self.start, self.start + self.size)


class _ChunkStream:
    def __init__(self, reading: _Reading, start: int, end: int) -> None:
        self._reading = reading
        self._position = start
        self._end = end

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return read_rest(self)
        wanted = min(size, self._end - self._position)
        piece = self._reading.read(self._position, wanted) if wanted else b""
        self._position += len(piece)
        return piece

    def close(self) -> None:
        """Do nothing: the source stays open for the next chunk."""
