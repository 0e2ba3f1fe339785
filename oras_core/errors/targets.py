"""Errors of targets: absent or existing objects, missing abilities, failed copies."""

from __future__ import annotations

from oras_core.errors.base import OrasError

__all__ = [
    "AlreadyExistsError",
    "CancelledError",
    "CopyError",
    "NotFoundError",
    "TitleCollisionError",
    "UnsupportedError",
    "WorkerError",
]


class NotFoundError(OrasError, LookupError):
    """Content, a tag or a repository does not exist.

    Attributes:
        what: what was looked for.
        where: the target that does not have it.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} not found in {where}")


class AlreadyExistsError(OrasError):
    """Something exists already and may not be replaced.

    Attributes:
        what: what exists.
        where: the target that has it.
    """

    def __init__(self, what: str, where: str) -> None:
        """Keep the facts."""
        self.what = what
        self.where = where
        super().__init__(f"{what} already exists in {where} and may not be replaced")


class TitleCollisionError(AlreadyExistsError):
    """Two files of one artifact cannot both be written: their titles collide.

    Attributes:
        title: the title of one file.
        other: the title of the other file, which equals `title` or is inside it.
    """

    def __init__(self, title: str, other: str, where: str) -> None:
        """Set the attributes; `where` is `the push` or `the artifact`."""
        self.title = title
        self.other = other
        self.what: str = f"the title {other!r}"
        self.where = where
        both = f"the title {title!r}" if title == other else f"the titles {title!r} and {other!r}"
        advice = (
            "Give one of them another title, by File(title=...) or the annotation "
            "org.opencontainers.image.title"
            if where == "the push"
            else "Pull them one at a time, with a filter for layers"
        )
        OrasError.__init__(
            self, f"two files of {where} have {both}, so one would replace the other. {advice}."
        )


class UnsupportedError(OrasError):
    """A target or registry does not support an operation.

    Attributes:
        operation: what was requested.
        reason: why it is not possible.
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
        origin: the side that failed, `source` or `destination`.
        descriptor: the digest of the content that was being copied; empty if unknown.
    """

    def __init__(self, operation: str, origin: str, descriptor: str, cause: Exception) -> None:
        """Keep the facts; the message of the cause ends the sentence."""
        self.operation = operation
        self.origin = origin
        self.descriptor = descriptor
        subject = f" {descriptor}" if descriptor else ""
        super().__init__(f"copy failed to {operation}{subject} at the {origin}: {cause}")


class CancelledError(OrasError):
    """An operation ended because its `CancelToken` was cancelled.

    Content that has arrived stays, and the next run continues from there.

    Attributes:
        operation: what was being done or waited for.
    """

    def __init__(self, operation: str) -> None:
        """Keep the fact."""
        self.operation = operation
        super().__init__(f"cannot {operation}: it was cancelled")


class WorkerError(OrasError):
    """The workers of a mirror ended without a result.

    The ledger has all jobs that are done, and the next run continues.

    Attributes:
        reason: what the executor says.
    """

    def __init__(self, reason: str) -> None:
        """Keep the fact."""
        self.reason = reason
        super().__init__(
            f"cannot continue the mirror: its workers are lost ({reason}). "
            "Run the mirror again to continue it."
        )
