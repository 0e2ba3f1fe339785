"""The digest memory port: digests of files that were hashed earlier."""

from __future__ import annotations

from typing import Protocol

from oras_core.model.digest import Digest
from oras_core.ports.files import FileEntry, FileTree

__all__ = ["DigestKeeper", "DigestMemory", "digests_of"]


class DigestMemory(Protocol):
    """Digests of files by their revision and size. Thread-safe.

    A memory may forget an entry at any time, and it never raises an error: a digest that is not
    known is computed.
    """

    def recall(self, entry: FileEntry, algorithm: str) -> Digest | None:
        """Return the digest of a file with the same revision and size; None if unknown."""
        ...

    def remember(self, entry: FileEntry, digest: Digest) -> None:
        """Keep the digest of the file in the state `entry`, in place of an earlier one."""
        ...


class DigestKeeper(Protocol):
    """A folder that remembers the digests of its files."""

    @property
    def digests(self) -> DigestMemory | None:
        """The memory; None if the digests of this folder are not remembered."""
        ...


def digests_of(tree: FileTree) -> DigestMemory | None:
    """Return the memory of a folder; None if it has none."""
    memory: DigestMemory | None = getattr(tree, "digests", None)
    return memory
