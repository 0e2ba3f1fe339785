"""Say which side of a copy failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oras_core.cancellation import current_token
from oras_core.errors import CancelledError, CopyError, OrasError
from oras_core.model.descriptor import Descriptor

__all__ = ["blaming"]


@contextmanager
def blaming(operation: str, origin: str, descriptor: Descriptor | None) -> Iterator[None]:
    """Add the failing side to every error of the block, and keep the type of the error.

    Args:
        operation: what the block does, as a verb.
        origin: `source` or `destination`.
        descriptor: the blob or manifest; None where there is none yet.

    Raises:
        CancelledError: if the thread's token is cancelled, whatever the block raised.
        CopyError: in place of an exception that is not an `OrasError`.
    """
    what = str(descriptor) if descriptor else ""
    try:
        yield
    except Exception as error:
        if current_token().cancelled and not isinstance(error, CancelledError):
            raise CancelledError(f"{operation} {what}".rstrip()) from error
        if not isinstance(error, OrasError):
            raise CopyError(operation, origin, what, error) from error
        error.add_note(f"while copying: {operation} {what}".rstrip() + f" ({origin})")
        raise
