"""Digests, which identify blobs and manifests by their content."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING, Final

from attrs import frozen

from oras_core.errors import InvalidDigestError

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["Digest"]

HEX_LENGTH: Final = {"sha256": 64, "sha512": 128}
"""Registered algorithms of the image spec. Others are weak or unknown, and are refused."""


@cache
def _lower_hex() -> re.Pattern[str]:
    return re.compile(r"[0-9a-f]+\Z")


@frozen(repr=False)
class Digest:
    """An algorithm and a hash in lower-case hexadecimal digits.

    The grammar is the image spec's (descriptor.md, Digests). Only the registered algorithms,
    sha256 and sha512, are accepted.

    Raises:
        InvalidDigestError: for an unknown algorithm, or a wrong length.
    """

    algorithm: str
    encoded: str

    def __attrs_post_init__(self) -> None:
        """Check both fields: a digest becomes part of URLs and of paths in a layout."""
        length = HEX_LENGTH.get(self.algorithm)
        if length is None:
            known = ", ".join(HEX_LENGTH)
            raise InvalidDigestError(
                str(self), f"algorithm {self.algorithm!r} is not one of {known}"
            )
        if len(self.encoded) != length or not _lower_hex().match(self.encoded):
            raise InvalidDigestError(
                str(self), f"{self.algorithm} needs {length} lower-case hexadecimal digits"
            )

    @classmethod
    def parse(cls, text: str) -> Digest:
        """Parse `algorithm:hex`.

        Raises:
            InvalidDigestError: for another form, an unknown algorithm, or a wrong length.
        """
        if not isinstance(text, str):
            raise InvalidDigestError(text, "a digest is a string")
        algorithm, colon, encoded = text.partition(":")
        if not colon:
            raise InvalidDigestError(text, "expected ALGORITHM:HEX, e.g. sha256:44136fa3…")
        return cls(algorithm, encoded)

    @classmethod
    def of(cls, content: bytes, algorithm: str = "sha256") -> Digest:
        """Return the digest of `content`.

        Raises:
            InvalidDigestError: for an unknown algorithm.
        """
        hasher = new_hasher(algorithm)
        hasher.update(content)
        return cls(algorithm, hasher.hexdigest())

    def hasher(self) -> _Hash:
        """Return a new hash object for the algorithm of this digest."""
        return new_hasher(self.algorithm)

    def matches(self, content: bytes) -> bool:
        """Tell whether `content` has this digest."""
        return Digest.of(content, self.algorithm) == self

    def __repr__(self) -> str:
        """Return the expression that makes this digest."""
        return f"{type(self).__name__}.parse({str(self)!r})"

    def __str__(self) -> str:
        """Return `algorithm:hex`."""
        return f"{self.algorithm}:{self.encoded}"


def new_hasher(algorithm: str = "sha256") -> _Hash:
    """Return a new hash object.

    Raises:
        InvalidDigestError: for an unknown algorithm.
    """
    if algorithm not in HEX_LENGTH:
        raise InvalidDigestError(algorithm, f"the algorithm is not one of {', '.join(HEX_LENGTH)}")
    return hashlib.new(algorithm, usedforsecurity=True)
