"""Sending a blob in chunks, going on from wherever the registry says that it stands (R17)."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from oras_core.content.sources import CHUNK_SIZE, BytesSource
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource
from oras_core.registry.upload_session import UploadSession

__all__ = ["send_chunks"]

MAX_STALLS: Final = 3
"""Chunks in a row that get an upload no further, after which it is given up."""


def send_chunks(
    session: UploadSession, descriptor: Descriptor, source: ByteSource, chunk_size: int
) -> None:
    """Send `source` in chunks of `chunk_size` bytes, and end the upload.

    `source` verifies itself against `descriptor`: its last bytes come only if all are
    right. A chunk waits in memory, so that it can be sent again.

    Raises:
        RegistryError: if the registry refuses a chunk, or keeps forgetting what it was sent.
        ContentError: if the source is not what was promised.
    """
    offset = furthest = stalls = 0
    with closing(_Window(source)) as window:
        while offset < descriptor.size:
            length = min(chunk_size, descriptor.size - offset)
            offset = session.patch(offset, window.take(offset, length))
            stalls = 0 if offset > furthest else stalls + 1
            furthest = max(furthest, offset)
            if stalls >= MAX_STALLS:
                raise session.breach(f"it says to hold {offset} bytes, and gets no further")
    session.finish(descriptor.digest, BytesSource(b""))


class _Window:
    """The chunk that is being sent, and the source from which the next ones come."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._stream = source.open()
        self._start = 0
        self._chunk = b""

    def take(self, offset: int, length: int) -> bytes:
        """Return the `length` bytes from `offset` on, which lie within the promised size."""
        if offset < self._start:
            self._stream.close()
            self._stream = self._source.open()
            self._start, self._chunk = 0, b""
        while offset > self._start + len(self._chunk):
            self._start += len(self._chunk)
            self._chunk = self._stream.read(min(CHUNK_SIZE, offset - self._start))
        parts = [self._chunk[offset - self._start :]]
        self._start, self._chunk = offset, b""  # two chunks in memory are one too many
        missing = length - len(parts[0])
        while missing > 0:
            parts.append(self._stream.read(missing))
            missing -= len(parts[-1])
        # `join` gives a single part back as it is.
        self._chunk = b"".join(part for part in parts if part)
        return self._chunk

    def close(self) -> None:
        """Close the source."""
        self._stream.close()
