"""A digest memory in memory."""

from __future__ import annotations

from oras_core.model.digest import Digest
from oras_core.ports.digests import DigestMemory
from oras_core.ports.files import FileEntry

__all__ = ["MemoryDigests"]


class MemoryDigests(DigestMemory):
    """Digests in a dictionary. Thread-safe."""

    def __init__(self) -> None:
        """Begin empty."""
        self._digests: dict[tuple[str, int, str], Digest] = {}

    def recall(self, entry: FileEntry, algorithm: str) -> Digest | None:
        """Return the digest of a file with the same revision and size; None if unknown."""
        return self._digests.get((entry.revision, entry.size, algorithm))

    def remember(self, entry: FileEntry, digest: Digest) -> None:
        """Keep the digest of the file in the state `entry`, in place of an earlier one."""
        if entry.revision:
            self._digests[entry.revision, entry.size, digest.algorithm] = digest
