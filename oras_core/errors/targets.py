"""Presence, abilities, and the copy between two targets, which may be cancelled."""

from __future__ import annotations

from oras_core.errors.base import OrasError

__all__ = [
    "AlreadyExistsError",
    "CancelledError",
    "CopyError",
    "NotFoundError",
    "UnsupportedError",
]


class NotFoundError(OrasError, LookupError):
    """Content, a tag or a repository is not there.

    Attributes:
        what: what was looked for.
        where: in which target.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} not found in {where}")


class AlreadyExistsError(OrasError):
    """Something is in the way that may not be replaced.

    Attributes:
        what: what exists.
        where: in which target.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} already exists in {where} and may not be replaced")


class UnsupportedError(OrasError):
    """A target or registry cannot do what was asked for.

    Attributes:
        operation: what was asked for.
        reason: why it cannot be done.
    """

    def __init__(self, operation: str, reason: str) -> None:
        """Keep the facts."""
        self.operation = operation
        self.reason = reason
        super().__init__(f"cannot {operation}: {reason}")


class CopyError(OrasError):
    """A copy between two targets failed; the cause is chained (`__cause__`).

    Attributes:
        operation: `resolve`, `fetch`, `push`, `tag`, …
        origin: which side failed, `source` or `destination`.
        descriptor: the digest of the content being moved; empty where none was known.
    """

    def __init__(self, operation: str, origin: str, descriptor: str, cause: Exception) -> None:
        """Keep the facts; the cause's message ends the sentence."""
        self.operation = operation
        self.origin = origin
        self.descriptor = descriptor
        subject = f" {descriptor}" if descriptor else ""
        super().__init__(f"copy failed to {operation}{subject} at the {origin}: {cause}")


class CancelledError(OrasError):
    """What was being done has ended because its `CancelToken` was cancelled.

    What had arrived before stays, and another run goes on from there.

    Attributes:
        operation: what was being done, or waited for.
    """

    def __init__(self, operation: str) -> None:
        """Keep the fact."""
        self.operation = operation
        super().__init__(f"cannot {operation}: it was cancelled")
