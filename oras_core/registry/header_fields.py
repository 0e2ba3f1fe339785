"""Values of header fields in the responses of registries."""

from __future__ import annotations

from typing import Final

from oras_core.errors import DigestMismatchError, InvalidDigestError
from oras_core.model.digest import Digest
from oras_core.ports.http import Headers

__all__ = [
    "check_digest_header",
    "content_coding",
    "content_length",
    "content_type",
    "digest_header",
]

DIGEST_HEADER: Final = "Docker-Content-Digest"

MAX_LENGTH_DIGITS: Final = 19
"""Digits of a `Content-Length`; a larger number exceeds 64 bits."""


def content_length(headers: Headers) -> int | None:
    """Return the value of `Content-Length` in bytes; None if it is not a number."""
    text = headers.get("Content-Length", "").strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= MAX_LENGTH_DIGITS
    return int(text) if is_number else None


def content_coding(headers: Headers) -> str:
    """Return the value of `Content-Encoding` in lower case; empty for none, and for `identity`."""
    coding = headers.get("Content-Encoding", "").strip().lower()
    return "" if coding == "identity" else coding


def content_type(headers: Headers) -> str:
    """Return the `Content-Type` without parameters, in lower case; empty if it is missing."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower()


def digest_header(headers: Headers, name: str = DIGEST_HEADER) -> Digest | None:
    """Return the digest in the field `name`; None if the value is not a digest (R26)."""
    try:
        return Digest.parse(headers.get(name, "").strip())
    except InvalidDigestError:
        return None


def check_digest_header(headers: Headers, expected: Digest, what: str) -> None:
    """Compare `Docker-Content-Digest` with the digest of the content that was sent (R24).

    A missing digest, and a digest of another algorithm, are ignored.

    Raises:
        DigestMismatchError: if the two digests differ.
    """
    found = digest_header(headers)
    if found is not None and found.algorithm == expected.algorithm and found != expected:
        raise DigestMismatchError(str(expected), str(found), what=what)
