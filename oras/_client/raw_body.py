"""`RawBody`: the unread body of a response, with the interface of `urllib3`'s responses."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["RawBody"]


class RawBody(io.RawIOBase):
    """A binary file over the body of a response, read once and not decoded.

    Attributes:
        status: the HTTP status.
        headers: the header fields.
    """

    def __init__(
        self, read: Callable[[int], bytes], close: Callable[[], None], status: int, headers: Any
    ) -> None:
        """Read with `read`, and release the connection with `close`."""
        self._read = read
        self._close = close
        self.status = status
        self.headers = headers

    def readable(self) -> bool:
        """Return True."""
        return True

    def read(self, amt: int | None = None, decode_content: bool | None = None) -> bytes:
        """Return at most `amt` bytes, or all bytes if it is None or negative.

        `decode_content` has no effect: a body with a content coding is never decoded.
        """
        if amt is not None and amt >= 0:
            return self._read(amt)
        return b"".join(self.stream())

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer and return the number of bytes."""
        chunk = self._read(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)

    def stream(self, amt: int = 65536, decode_content: bool | None = None) -> Iterator[bytes]:
        """Yield the body in pieces of at most `amt` bytes."""
        while chunk := self._read(amt):
            yield chunk

    def close(self) -> None:
        """Release the connection."""
        if not self.closed:
            self._close()
        super().close()

    def release_conn(self) -> None:
        """Release the connection."""
        self.close()
