"""Content that does not match its descriptor, and files that cannot be read or written."""

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
    """Content does not match its descriptor."""


class DigestMismatchError(ContentError):
    """Content has another digest than its descriptor.

    Attributes:
        expected: the digest in the descriptor.
        actual: the digest of the content.
        what: what was being read.
    """

    def __init__(self, expected: str, actual: str, *, what: str = "content") -> None:
        """Keep the facts."""
        self.expected = expected
        self.actual = actual
        self.what = what
        super().__init__(f"{what} has digest {actual}, expected {expected}")


class SizeMismatchError(ContentError):
    """Content is shorter or longer than its descriptor says.

    Attributes:
        expected: the size in the descriptor, in bytes.
        actual: the number of bytes read. Reading stops after the first byte too many, so
            that content which is too long may be longer than this.
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
    """Something is larger than the limit for its kind.

    Attributes:
        what: what was being read.
        limit: the limit, in `unit`.
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
        what: the name of the file.
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
        path: the path, relative to its folder.
        reason: the message of the operating system.
    """

    def __init__(self, operation: str, path: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.path = path
        self.reason = reason
        super().__init__(f"cannot {operation} {path!r}: {reason}")
