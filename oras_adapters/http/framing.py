"""Which body follows a response's head, and whether the connection is kept after the body."""

from __future__ import annotations

from typing import Final, NamedTuple

from oras_adapters.http.body_frames import BodyFrame, ByteFeed, ChunkedFrame, OpenFrame, SizedFrame
from oras_adapters.http.response_heads import MalformedHeadError, ResponseHead

__all__ = ["Framing", "framing_of"]

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
