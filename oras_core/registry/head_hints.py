"""What HEAD said of manifests, until a GET shows whether that was right (R23)."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

__all__ = ["HeadHints"]

MAX_HINTS: Final = 16384
"""Manifests that are remembered: those of a large mirror, which resolves all tags first."""


class HeadHints:
    """The references whose digest is known from an answer to HEAD alone. Thread-safe."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._references: OrderedDict[Digest, str] = OrderedDict()
        self._lock = ForkSafeLock()

    def note(self, reference: str, described: Descriptor) -> None:
        """Remember that HEAD described what `reference` names as `described`."""
        with self._lock:
            self._references[described.digest] = reference
            if len(self._references) > MAX_HINTS:
                self._references.popitem(last=False)

    def take(self, digest: Digest) -> str | None:
        """Forget the reference with `digest` and return it; None if HEAD did not name it."""
        with self._lock:
            return self._references.pop(digest, None)
