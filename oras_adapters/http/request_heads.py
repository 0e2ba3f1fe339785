"""The request line and header fields of a request, refused if they would break the request."""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Final

__all__ = ["is_visible", "request_head"]

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
