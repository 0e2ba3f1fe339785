"""Which side of a copy failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oras_core.errors import CopyError, OrasError
from oras_core.model.descriptor import Descriptor

__all__ = ["blaming"]


@contextmanager
def blaming(operation: str, origin: str, descriptor: Descriptor | None) -> Iterator[None]:
    """Let an error say which side it came from, and hide none behind another type."""
    what = str(descriptor) if descriptor else ""
    try:
        yield
    except OrasError as error:
        error.add_note(f"while copying: {operation} {what}".rstrip() + f" ({origin})")
        raise
    except Exception as error:
        raise CopyError(operation, origin, what, error) from error
