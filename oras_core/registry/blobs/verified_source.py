"""Verification of the bytes that are sent to a registry."""

from __future__ import annotations

from contextlib import closing

from attrs import frozen

from oras_core.content.read_ahead import ReadAhead
from oras_core.content.reading import CHUNK_SIZE
from oras_core.content.verify import READ_AHEAD_SIZE, VerifyingReader
from oras_core.errors import SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, ByteStream, ResumableSource

__all__ = ["VerifiedSource"]


class VerifiedSource:
    """A source that fails before its last byte if it does not match its descriptor.

    A registry that gets fewer bytes than announced accepts nothing.
    """

    def __init__(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Verify `source` by `descriptor`."""
        self.size: int | None = descriptor.size
        self.what: str = f"source of blob {descriptor.digest}"
        self._descriptor = descriptor
        self._source = source

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on."""
        stream = self._source.open()
        verified: ByteStream = VerifyingReader(stream, self._descriptor, what=self.what)
        if self._descriptor.size >= READ_AHEAD_SIZE:
            verified = ReadAhead(verified, CHUNK_SIZE)  # hashes in a thread
        return _VerifiedStream(verified, stream)

    def open_again(self, start: int) -> ByteStream:
        """Return a stream of bytes that were already read once, from offset `start`.

        They are not hashed again: the first stream still verifies the whole source.
        """
        if isinstance(self._source, ResumableSource):
            return self._source.open_from(start)
        stream = self._source.open()
        try:
            self._skip(stream, start)
        except BaseException:
            stream.close()
            raise
        return stream

    def _skip(self, stream: ByteStream, count: int) -> None:
        left = count
        while left > 0:
            piece = stream.read(min(left, CHUNK_SIZE))
            if not piece:
                raise SizeMismatchError(self._descriptor.size, count - left, what=self.what)
            left -= len(piece)

    def check_if_empty(self) -> None:
        """Verify an empty source, which a transport may never open."""
        if self.size == 0:
            with closing(self.open()) as stream:
                stream.read()


@frozen
class _VerifiedStream:
    verified: ByteStream
    source: ByteStream

    def read(self, size: int = -1, /) -> bytes:
        return self.verified.read(size)

    def close(self) -> None:
        self.verified.close()
        self.source.close()
