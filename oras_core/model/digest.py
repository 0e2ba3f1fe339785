"""Digests: the names by which content is known."""

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
"""The registered algorithms of the image spec. Weaker or unknown ones prove nothing."""


@cache
def _lower_hex() -> re.Pattern[str]:
    return re.compile(r"[0-9a-f]+\Z")


@frozen
class Digest:
    """An algorithm and the lower-case hexadecimal hash that it gave.

    The grammar is that of the image spec (descriptor.md, Digests); only its registered
    algorithms, sha256 and sha512, are accepted.

    Raises:
        InvalidDigestError: for an unknown algorithm, or a wrong length.
    """

    algorithm: str
    encoded: str

    def __attrs_post_init__(self) -> None:
        """Check both: a digest becomes part of URLs and of paths in a layout."""
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
        """Read `algorithm:hex`.

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
        """Hash `content`.

        Raises:
            InvalidDigestError: for an unknown algorithm.
        """
        hasher = new_hasher(algorithm)
        hasher.update(content)
        return cls(algorithm, hasher.hexdigest())

    def hasher(self) -> _Hash:
        """Return a fresh hash object of this digest's algorithm."""
        return new_hasher(self.algorithm)

    def matches(self, content: bytes) -> bool:
        """Tell whether `content` hashes to this digest."""
        return Digest.of(content, self.algorithm) == self

    def __str__(self) -> str:
        """Return the form used on the wire."""
        return f"{self.algorithm}:{self.encoded}"


def new_hasher(algorithm: str = "sha256") -> _Hash:
    """Return a fresh hash object.

    Raises:
        InvalidDigestError: for an algorithm that is not accepted.
    """
    if algorithm not in HEX_LENGTH:
        raise InvalidDigestError(algorithm, f"the algorithm is not one of {', '.join(HEX_LENGTH)}")
    return hashlib.new(algorithm, usedforsecurity=True)
