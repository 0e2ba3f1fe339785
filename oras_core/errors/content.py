"""Bytes that are not what was promised, and files that cannot be read or written."""

from __future__ import annotations

from oras_core.errors.base import OrasError

__all__ = [
    "ContentError",
    "DigestMismatchError",
    "FileAccessError",
    "SizeLimitError",
    "SizeMismatchError",
    "SourceChangedError",
]


class ContentError(OrasError):
    """Bytes are not what their descriptor promises."""


class DigestMismatchError(ContentError):
    """Content hashes to another digest than promised.

    Attributes:
        expected: the digest that the descriptor promises.
        actual: the digest of what arrived.
        what: what was being read.
    """

    def __init__(self, expected: str, actual: str, *, what: str = "content") -> None:
        """Keep the facts."""
        self.expected = expected
        self.actual = actual
        self.what = what
        super().__init__(f"{what} has digest {actual}, expected {expected}")


class SizeMismatchError(ContentError):
    """Content is shorter or longer than promised.

    Attributes:
        expected: the promised number of bytes.
        actual: the number of bytes read; where more than promised came, the least
            number that is certain.
        what: what was being read.
    """

    def __init__(self, expected: int, actual: int, *, what: str = "content") -> None:
        """Keep the facts."""
        self.expected = expected
        self.actual = actual
        self.what = what
        relation = "only" if actual < expected else "at least"
        super().__init__(f"{what} has {relation} {actual} bytes, expected {expected}")


class SizeLimitError(ContentError):
    """Something is larger than the limit set for its kind.

    Attributes:
        what: what was being read.
        limit: the limit in its unit.
        unit: `bytes`, `members`, `pages`, …
    """

    def __init__(self, what: str, limit: int, *, unit: str = "bytes") -> None:
        """Keep the facts."""
        self.what = what
        self.limit = limit
        self.unit = unit
        super().__init__(f"{what} exceeds the limit of {limit} {unit}")


class SourceChangedError(ContentError):
    """A file changed between being described and being sent.

    Attributes:
        what: the file.
        reason: what changed.
    """

    def __init__(self, what: str, reason: str) -> None:
        """Keep the facts."""
        self.what = what
        self.reason = reason
        super().__init__(f"{what} changed while it was being pushed: {reason}")


class FileAccessError(OrasError, OSError):
    """The file system refused an operation.

    Attributes:
        operation: what was being done.
        path: to which path, relative to its folder.
        reason: the system's word for it.
    """

    def __init__(self, operation: str, path: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.path = path
        self.reason = reason
        super().__init__(f"cannot {operation} {path!r}: {reason}")
