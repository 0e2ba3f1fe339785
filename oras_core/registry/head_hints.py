"""Descriptors of manifests that are known from HEAD, and not yet confirmed by a GET (R23)."""

from __future__ import annotations

from typing import Final

from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.registry.recent import Recent

__all__ = ["HeadHints"]

MAX_HINTS: Final = 16384
"""Manifests that are remembered: those of a large mirror, which resolves all tags first."""


class HeadHints:
    """The references whose digests are known from HEAD alone. Thread-safe."""

    def __init__(self) -> None:
        """Remember nothing."""
        self._references: Recent[Digest, str] = Recent(MAX_HINTS)
        self._lock = ForkSafeLock()

    def note(self, reference: str, described: Descriptor) -> None:
        """Remember that HEAD returned the descriptor `described` for `reference`."""
        with self._lock:
            self._references.keep(described.digest, reference)

    def take(self, digest: Digest) -> str | None:
        """Forget the reference with `digest` and return it; None if HEAD did not return it."""
        with self._lock:
            return self._references.take(digest)
