"""HTTP/1.1 as bytes: what a request begins with, and what an answer does (RFC 9112)."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Final, Protocol

from attrs import frozen

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AnswerHead", "LineReader", "MessageError", "encode_head", "read_head"]

MAX_LINE: Final = 64 * 1024
"""Bytes of a line of an answer's head; signed addresses and cookies are a tenth of it."""

MAX_FIELDS: Final = 200
"""Header fields of one answer."""

_BODYLESS: Final = frozenset({204, 304})


class MessageError(Exception):
    """What came is no HTTP answer, or ended within one."""


class LineReader(Protocol):
    """A binary file that is read by lines."""

    def readline(self, size: int = -1, /) -> bytes:
        """Return the next line with its end, at most `size` bytes of it."""
        ...


@cache
def _outgoing() -> tuple[re.Pattern[str], re.Pattern[str]]:
    word = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    return re.compile(rf"{word} [!-~]+"), re.compile(rf"{word}: [^\r\n\0]*")


@cache
def _incoming() -> tuple[re.Pattern[bytes], re.Pattern[bytes]]:
    return (
        re.compile(rb"HTTP/1\.([0-9]) ([1-5][0-9][0-9])(?: ([^\r\n]*))?\r?\n"),
        re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*\r?\n"),
    )


def encode_head(method: str, target: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return all of a request that comes before its body.

    Raises:
        ValueError: if something in it would break the request; which, it does not repeat.
    """
    first, field = _outgoing()
    start = f"{method} {target}"
    lines = [f"{name}: {value}" for name, value in fields]
    if not first.fullmatch(start) or not all(map(field.fullmatch, lines)):
        raise ValueError("the address or a header field holds what may not be sent")
    return "\r\n".join((f"{start} HTTP/1.1", *lines, "", "")).encode("latin-1")


@frozen
class AnswerHead:
    """What an answer begins with.

    Attributes:
        status: the HTTP status.
        reason: the phrase behind it.
        fields: the header fields in their order.
        length: bytes of the body; None where its end shows otherwise.
        is_chunked: whether the body comes in chunks.
        is_last: whether the server closes the connection after it.
    """

    status: int
    reason: str
    fields: list[tuple[str, str]]
    length: int | None
    is_chunked: bool
    is_last: bool


def read_head(lines: LineReader, method: str) -> AnswerHead:
    """Read an answer up to its body; informational answers before it are passed over.

    Args:
        lines: where from.
        method: of the request, on which depends whether there is a body.

    Raises:
        MessageError: if it is none, or ends too early.
    """
    while True:
        minor, status, reason = _read_status(lines)
        fields = _read_fields(lines)
        if status >= 200:
            return _framed(minor, status, reason, fields, method)
        if status == 101:
            raise MessageError("it switches to a protocol that nobody asked for")


def _read_status(lines: LineReader) -> tuple[int, int, str]:
    line = lines.readline(MAX_LINE)
    if not line:
        raise MessageError("the server closed the connection without an answer")
    found = _incoming()[0].fullmatch(line)
    if found is None:
        raise MessageError("what came is no HTTP answer")
    return int(found[1]), int(found[2]), (found[3] or b"").decode("latin-1").strip()


def _read_fields(lines: LineReader) -> list[tuple[str, str]]:
    grammar = _incoming()[1]
    fields: list[tuple[str, str]] = []
    while (line := lines.readline(MAX_LINE)) not in (b"\r\n", b"\n"):
        if not line.endswith(b"\n"):
            raise MessageError("a header line is too long, or the answer ended within its header")
        if len(fields) >= MAX_FIELDS:
            raise MessageError(f"it has more than {MAX_FIELDS} header fields")
        if found := grammar.fullmatch(line):
            fields.append((found[1].decode("latin-1"), found[2].decode("latin-1")))
        elif line[:1] in b" \t" and fields:
            # An old way to go on with a field's value (RFC 9112, section 5.2).
            name, value = fields[-1]
            fields[-1] = name, f"{value} {line.decode('latin-1').strip()}"
        elif b":" in line:
            raise MessageError("a header field is malformed")
    return fields


def _framed(
    minor: int, status: int, reason: str, fields: list[tuple[str, str]], method: str
) -> AnswerHead:
    """Find out where the body ends (RFC 9112, section 6.3)."""
    lengths: set[str] = set()
    coding = connection = ""
    for name, value in fields:
        key = name.lower()
        if key == "content-length":
            lengths.update(part.strip() for part in value.split(","))
        elif key == "transfer-encoding":
            coding = f"{coding},{value}".lower()
        elif key == "connection":
            connection = f"{connection},{value}".lower()
    is_chunked = coding.rpartition(",")[2].strip() == "chunked"
    length: int | None = None
    if method == "HEAD" or status in _BODYLESS:
        length, is_chunked = 0, False
    elif not coding and lengths:
        length = _one_length(lengths)
    options = {option.strip() for option in connection.split(",")}
    is_last = "close" in options or (minor == 0 and "keep-alive" not in options)
    # Who frames a body twice may mean something else by it: nothing more is read from there.
    is_last |= (length is None and not is_chunked) or bool(coding and lengths)
    return AnswerHead(status, reason, fields, length, is_chunked, is_last)


def _one_length(lengths: set[str]) -> int:
    text = next(iter(lengths))
    if len(lengths) > 1 or not (text.isascii() and text.isdigit()) or len(text) > 19:
        raise MessageError("its Content-Length is no number, or more than one")
    return int(text)
