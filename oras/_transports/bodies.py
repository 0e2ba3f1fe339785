"""Conversions between the `data` of a request and the core's `ByteSource`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from attrs import field, frozen

from oras_core.content.reading import CHUNK_SIZE
from oras_core.content.sources import BytesSource
from oras_core.errors import InvalidInputError, UnsupportedError
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["Upload", "as_data", "as_source", "joined"]


def as_source(data: Any) -> ByteSource | None:
    """Return a source of `data`: bytes, text, an open binary file, or an iterable of bytes.

    A retry, or a second request after a challenge, reads the data again. If that is
    impossible, as with a generator or a pipe, the retry fails with an error. An `Upload`
    that an overridden `do_request` passes back is unwrapped.

    Raises:
        InvalidInputError: if `data` has another type.
    """
    if data is None:
        return None
    if isinstance(data, str):
        data = data.encode()
    if isinstance(data, (bytes, bytearray, memoryview)):
        return BytesSource(bytes(data))
    if isinstance(data, Upload):
        return data.source
    if hasattr(data, "read"):
        start = _position(data)
        return _Once(_Borrowed(data)) if start is None else _OpenFile(data, start)
    if isinstance(data, Iterator):
        return _Once(joined(data))
    if isinstance(data, Iterable) and not isinstance(data, dict):
        return _Pieces(data)
    raise InvalidInputError(type(data).__name__, "data is bytes, text, a file or an iterable")


def _position(file: Any) -> int | None:
    try:
        return int(file.tell())
    except (AttributeError, OSError):
        return None


class _Borrowed:
    """A stream over a file that the caller owns. `close` does nothing."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int = -1, /) -> bytes:
        return bytes(self._file.read(size))

    def close(self) -> None:
        """Leave the file open."""


@frozen
class _OpenFile:
    """An open binary file, read from its current position."""

    file: Any = field(repr=False)
    start: int

    @property
    def size(self) -> int:
        end = int(self.file.seek(0, io.SEEK_END))
        self.file.seek(self.start)
        return end - self.start

    def open(self) -> ByteStream:
        self.file.seek(self.start)
        return _Borrowed(self.file)


@frozen
class _Pieces:
    """A collection of pieces with an unknown total size."""

    pieces: Iterable[bytes] = field(repr=False)
    size: None = None

    def open(self) -> ByteStream:
        return joined(self.pieces)


class _Once:
    """A source whose stream can be opened only once."""

    size = None

    def __init__(self, stream: ByteStream) -> None:
        self._stream: ByteStream | None = stream

    def open(self) -> ByteStream:
        if self._stream is None:
            # The rest of a consumed stream must not be sent as the whole body.
            reason = "its data can be read only once; pass bytes or a seekable file"
            raise UnsupportedError("send the request again", reason)
        stream, self._stream = self._stream, None
        return stream


class _Joined:
    def __init__(self, pieces: Iterator[bytes], close: Callable[[], object]) -> None:
        self._pieces = pieces
        self._rest = b""
        self._close = close

    def close(self) -> None:
        self._close()

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            taken, self._rest = self._rest + b"".join(self._pieces), b""
            return taken
        if not self._rest:
            self._rest = next((piece for piece in self._pieces if piece), b"")
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def _nothing() -> None:
    pass


def joined(pieces: Iterable[bytes], close: Callable[[], object] | None = None) -> ByteStream:
    """Return a stream over `pieces`. Closing the stream calls `close`."""
    return _Joined(iter(pieces), close or _nothing)


class Upload:
    """A request body in the form that `requests` accepts: an iterable file with a length.

    Attributes:
        source: the source of the bytes.
    """

    def __init__(self, source: ByteSource, size: int) -> None:
        """Open `source`, of `size` bytes."""
        self.source = source
        self._stream = source.open()
        self._size = size

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self._size

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes."""
        return self._stream.read(size)

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes in pieces."""
        return iter(lambda: self._stream.read(CHUNK_SIZE), b"")


def as_data(source: ByteSource | None) -> Any:
    """Return a source as the `data` of a request: bytes if it is small, otherwise a file."""
    if source is None:
        return None
    if source.size is None:
        return iter(Upload(source, 0))
    if source.size > CHUNK_SIZE:
        return Upload(source, source.size)
    stream = source.open()
    try:
        return b"".join(iter(lambda: stream.read(CHUNK_SIZE), b""))
    finally:
        stream.close()
