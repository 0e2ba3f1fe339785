"""Bodies of requests, as a server reads them from a connection."""

from __future__ import annotations

from typing import Final

from oras_adapters.http.framing import BodyFrame, BrokenFrameError
from oras_core.content.reading import read_rest
from oras_core.errors import TransportError
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["RequestBody"]

CHUNK: Final = 1024 * 1024
"""Bytes read at a time when a body is discarded."""


class RequestBody(ByteSource):
    """The body of a request that is being received; it can be opened once."""

    def __init__(self, size: int | None, frame: BodyFrame) -> None:
        """Read the body from `frame`; `size` is its `Content-Length`."""
        self._size = size
        self._stream = _RequestStream(frame)
        self._opened = False

    @property
    def size(self) -> int | None:
        """The `Content-Length` in bytes; None for a chunked body."""
        return self._size

    def open(self) -> ByteStream:
        """Return the stream.

        Raises:
            TransportError: if it was opened before.
        """
        if self._opened:
            reason = "the body of a received request can be read only once"
            raise TransportError("READ", "", reason, retryable=False)
        self._opened = True
        return self._stream

    def drain(self, limit: int) -> bool:
        """Read and discard the rest; False if it exceeds `limit` or ends early."""
        left = limit
        try:
            while piece := self._stream.read(min(left, CHUNK)):
                left -= len(piece)
                if left <= 0:
                    return False
        except TransportError:
            return False
        return True


class _RequestStream(ByteStream):
    def __init__(self, frame: BodyFrame) -> None:
        self._frame = frame

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return read_rest(self)
        try:
            return self._frame.read(size)
        except (BrokenFrameError, OSError) as error:
            reason = "the client closed the connection within its request"
            raise TransportError("READ", "", reason) from error

    def close(self) -> None:
        """Do nothing: `RequestBody.drain` discards the rest."""
