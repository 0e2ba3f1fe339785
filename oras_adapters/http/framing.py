"""How the body of an HTTP/1.1 message is delimited on a connection (RFC 9112, section 6).

Both sides use it: the transport for bodies of responses, the registry server for bodies of
requests.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple, Protocol

from oras_adapters.http.heads import MalformedHeadError, ResponseHead

__all__ = [
    "BodyFrame",
    "BrokenFrameError",
    "ByteFeed",
    "ChunkedFrame",
    "Framing",
    "OpenFrame",
    "SizedFrame",
    "framing_of",
]

MAX_CHUNK_LINE: Final = 4096
"""Bytes of a chunk-size line with its extensions, and of a trailer field."""

MAX_TRAILERS: Final = 100
"""Trailer fields of a chunked body; the same number as header fields."""


class BrokenFrameError(Exception):
    """The connection ended within the body, or its framing is malformed."""


class ByteFeed(Protocol):
    """The receiving side of a connection."""

    def read1(self, size: int, /) -> bytes:
        """Return at least one byte and at most `size`; nothing at the end of the connection."""
        ...

    def readline(self, limit: int, /) -> bytes:
        """Return a line with its end; at most `limit` bytes, fewer at the end of the connection."""
        ...


class BodyFrame(Protocol):
    """One body.

    Attributes:
        ended: whether every byte was read, so that the next message may follow.
    """

    ended: bool

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; nothing at the end of the body.

        Raises:
            BrokenFrameError: if the body is incomplete or malformed.
        """
        ...


class SizedFrame:
    """A body of `Content-Length` bytes."""

    def __init__(self, feed: ByteFeed, size: int) -> None:
        """Read `size` bytes of `feed`."""
        self._feed = feed
        self.size = size
        self.left: int = size
        self.ended: bool = size == 0

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""
        wanted = min(size, self.left)
        if not wanted:
            return b""
        piece = self._feed.read1(wanted)  # not more: the rest may never come
        if not piece:
            got = self.size - self.left
            raise BrokenFrameError(f"{got} of {self.size} bytes arrived")
        self.left -= len(piece)
        self.ended = not self.left
        return piece


class ChunkedFrame:
    """The data of a chunked body (RFC 9112, section 7.1); trailer fields are ignored."""

    def __init__(self, feed: ByteFeed) -> None:
        """Read one body of `feed`."""
        self._feed = feed
        self._left = 0
        self.ended: bool = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes, all of one chunk."""
        if not self._left and not self.ended:
            self._begin_chunk()
        if self.ended or not size:
            return b""
        piece = self._feed.read1(min(size, self._left))
        if not piece:
            raise BrokenFrameError("the connection was closed within a chunk")
        self._left -= len(piece)
        if not self._left and self._line():
            raise BrokenFrameError("a chunk is longer than announced")
        return piece

    def _begin_chunk(self) -> None:
        size = _chunk_size().match(self._line())
        if size is None:
            raise BrokenFrameError("the size of a chunk is malformed")
        self._left = int(size[1], 16)
        if self._left:
            return
        for _ in range(MAX_TRAILERS):
            if not self._line():
                self.ended = True
                return
        raise BrokenFrameError(f"there are more than {MAX_TRAILERS} trailer fields")

    def _line(self) -> bytes:
        line = self._feed.readline(MAX_CHUNK_LINE)
        if not line.endswith(b"\n"):
            raise BrokenFrameError("the connection was closed within the chunks, or a line is long")
        return line.rstrip(b"\r\n")


class OpenFrame:
    """A body that ends with the connection."""

    def __init__(self, feed: ByteFeed) -> None:
        """Read all of `feed`."""
        self._feed = feed
        self.ended: bool = False

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes."""
        if self.ended or not size:
            return b""
        piece = self._feed.read1(size)
        self.ended = not piece
        return piece


@cache
def _chunk_size() -> re.Pattern[bytes]:
    return re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;|\Z)")


_BODILESS: Final = frozenset({204, 304})

_MAX_DIGITS: Final = 19
"""Digits of a `Content-Length`: any larger number is no size of a body."""


class Framing(NamedTuple):
    """How a response continues after its head.

    Attributes:
        body: the body, to be read to its end.
        kept: whether another request may be sent after the body.
        fields: the header fields, without a `Content-Length` that does not count.
    """

    body: BodyFrame
    kept: bool
    fields: list[tuple[str, str]]


def framing_of(method: str, head: ResponseHead, feed: ByteFeed) -> Framing:
    """Apply the rules of RFC 9112, section 6.3.

    Raises:
        MalformedHeadError: if the length of the body is not clear.
    """
    lengths: list[str] = []
    codings: list[str] = []
    options = ""
    for name, value in head.fields:
        key = name.lower()
        if key == "content-length":
            lengths.append(value)
        elif key == "transfer-encoding":
            codings.append(value.lower())
        elif key == "connection":
            options = f"{options},{value.lower()}"
    kept = _is_kept(options, persistent=head.persistent)
    length = _content_length(lengths)
    if method == "HEAD" or head.status in _BODILESS:
        return Framing(SizedFrame(feed, 0), kept, head.fields)
    if codings:
        if codings != ["chunked"]:
            raise MalformedHeadError("the transfer coding of the body is unknown")
        # Section 6.1: with both fields, or in HTTP/1.0, the message may be an attack.
        trusted = length is None and head.persistent
        fields = [field for field in head.fields if field[0].lower() != "content-length"]
        return Framing(ChunkedFrame(feed), kept and trusted, fields)
    if length is not None:
        return Framing(SizedFrame(feed, length), kept, head.fields)
    return Framing(OpenFrame(feed), kept=False, fields=head.fields)


def _is_kept(options: str, *, persistent: bool) -> bool:
    if not options:
        return persistent
    tokens = {option.strip() for option in options.split(",")}
    return "close" not in tokens and (persistent or "keep-alive" in tokens)


def _content_length(values: list[str]) -> int | None:
    """Return the length; equal values may be repeated (RFC 9110, section 8.6)."""
    if not values:
        return None
    parts = {part.strip() for part in ",".join(values).split(",")}
    text = parts.pop()
    if parts or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise MalformedHeadError("the Content-Length is malformed")
    return int(text)
