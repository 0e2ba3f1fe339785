"""Heads of responses and of requests: status or request line, and header fields.

Heads of responses are parsed in C where `httptools` (extra `fast`) is installed: it parses a
well-formed head in a tenth of the time. A head that it refuses is left to the parser of the
standard library, so that both accept the same heads. Heads of requests are refused if they would
break the request.
"""

from __future__ import annotations

import importlib
import importlib.util
import io
import re
import string
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, NamedTuple

from oras_core.errors.redaction import one_line

__all__ = [
    "HeadParser",
    "MalformedHeadError",
    "NoHttpError",
    "ResponseHead",
    "is_visible",
    "parse_by_library",
    "parser",
    "request_head",
]

OLDEST_STRICT: Final = (0, 6)
"""Oldest tested release of `httptools`. Release 0.1 accepts `Name : value` and null bytes."""

MAX_FIELDS: Final = 100
"""Header fields of one response, the limit of `http.client`."""


class MalformedHeadError(Exception):
    """A response's status line or header fields break RFC 9112."""


class NoHttpError(MalformedHeadError):
    """The server does not speak HTTP/1.1."""


class ResponseHead(NamedTuple):
    """The head of one response.

    Attributes:
        status: the status code.
        reason: the reason phrase without unprintable characters; may be empty.
        persistent: whether the protocol version is HTTP/1.1, where connections are kept.
        fields: names and values of the header fields, in their order.
    """

    status: int
    reason: str
    persistent: bool
    fields: list[tuple[str, str]]

    def values(self, name: str) -> list[str]:
        """Return the values of all fields `name`, which is in lower case."""
        return [value for key, value in self.fields if key.lower() == name]


HeadParser = Callable[[bytes], ResponseHead]
"""Parses a head, the empty line at its end included; raises `MalformedHeadError`."""


def parser() -> HeadParser:
    """Return the fastest installed parser; releases that accept malformed heads are not used."""
    if importlib.util.find_spec("httptools") is None:
        return parse_by_library
    # Imported by name: the type checker need not find an extra.
    httptools = importlib.import_module("httptools")
    major, minor = httptools.__version__.split(".")[:2]
    strict = (int(major), int(minor)) >= OLDEST_STRICT
    return _fast(httptools) if strict else parse_by_library


@cache
def _patterns() -> tuple[re.Pattern[bytes], re.Pattern[bytes], re.Pattern[str]]:
    return (
        re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([^\r\n]*))?\r?\n"),
        re.compile(rb"\r?\n[ \t]+"),
        re.compile(r"[\x00-\x08\x0a-\x1f\x7f]"),
    )


def parse_by_library(block: bytes) -> ResponseHead:
    """Parse a head by the standard library."""
    import http.client  # noqa: PLC0415 - slow to import, and `httptools` does without

    status_line, fold, control = _patterns()
    block = fold.sub(b" ", block)  # RFC 9112, section 5.2
    status = status_line.match(block)
    if status is None:
        raise NoHttpError("the status line is not one of HTTP/1.1")
    try:
        message = http.client.parse_headers(io.BytesIO(block[status.end() :]))
    except http.client.HTTPException as error:
        raise MalformedHeadError(f"the header fields are malformed: {error}") from None
    fields = [(name, value.strip(" \t\r\n")) for name, value in message.items()]
    # Without a colon the rest is taken for a body; a bare CR ends a line for this parser only.
    if message.defects or message.get_payload() or b"\r" in block.replace(b"\r\n", b""):
        raise MalformedHeadError("the header fields are malformed")
    for name, value in fields:
        if not name or name != name.strip() or control.search(value):
            raise MalformedHeadError("a header field holds characters that are not allowed")
    reason = (status[3] or b"").decode("latin-1")
    return ResponseHead(int(status[2]), one_line(reason), status[1] == b"1", fields)


class _Collector:
    """Receives the callbacks of `httptools`."""

    __slots__ = ("fields", "reason")

    def __init__(self) -> None:
        self.reason = b""
        self.fields: list[tuple[str, str]] = []

    def on_status(self, status: bytes) -> None:
        self.reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.decode("latin-1"), value.decode("latin-1").rstrip(" \t")))


def _fast(httptools: Any) -> HeadParser:  # noqa: ANN401 - an untyped module
    parser_class, refused = httptools.HttpResponseParser, httptools.HttpParserError
    versions = {"1.1": True, "1.0": False}

    def parse(block: bytes) -> ResponseHead:
        if b"\n " in block or b"\n\t" in block:  # a folded field
            return parse_by_library(block)
        collector = _Collector()
        parser = parser_class(collector)
        try:
            parser.feed_data(block)
            persistent = versions[parser.get_http_version()]
            status = parser.get_status_code()
        except (refused, KeyError):
            return parse_by_library(block)
        if status < 100:
            return parse_by_library(block)
        fields = collector.fields
        if len(fields) > MAX_FIELDS:
            raise MalformedHeadError(f"there are more than {MAX_FIELDS} header fields")
        reason = one_line(collector.reason.decode("latin-1"))
        return ResponseHead(status, reason, persistent, fields)

    return parse


_TOKEN: Final = frozenset(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~")
"""The characters of a token: RFC 9110, section 5.6.2."""


def _is_token(name: str) -> bool:
    return bool(name) and _TOKEN.issuperset(name)


def is_visible(text: str) -> bool:
    """Tell whether a text has only visible ASCII characters, and at least one."""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def request_head(method: str, target: str, host: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the head of a request, the empty line at its end included.

    Args:
        method: the method.
        target: the path and query, or an absolute URL for a proxy.
        host: the value of the `Host` field.
        fields: further fields.

    Raises:
        ValueError: if an argument would break the request's framing. The message does not
            repeat a field's value: the value may be a secret.
    """
    if not (_is_token(method) and is_visible(target)):
        raise ValueError("the method or the address holds characters that are not allowed")
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in fields:
        if not _is_token(name):
            raise ValueError("the name of a header field holds characters that are not allowed")
        lines.append(f"{name}: {value}")
    text = "\r\n".join(lines)
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks or "\0" in text:
        raise ValueError("a header field holds a line break")
    return f"{text}\r\n\r\n".encode("latin-1")
