"""Digests of files that have not changed since they were hashed.

The rule is that of git's index: a file is not read again if its device, inode, size, modification
time and change time are those of the hashing. A system may give two changes of a file the same
times if they follow one another quickly. So a digest is remembered only if the last change was at
least `SETTLED` before the hashing began.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from oras_core.content.sources import FileSource
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteSource
from oras_core.ports.digests import DigestMemory, digests_of
from oras_core.ports.files import FileEntry

__all__ = ["begin_hashing", "has_settled", "known_digest"]

SETTLED: Final = 2_000_000_000
"""Nanoseconds: the coarsest times that file systems keep are those of FAT, two seconds."""


def known_digest(source: ByteSource, algorithm: str = "sha256") -> Digest | None:
    """Return the digest of a file that has not changed since it was hashed; None if unknown."""
    found = _remembered(source)
    return found and found[1].recall(found[0].entry, algorithm)


def begin_hashing(source: ByteSource) -> Callable[[Digest], None]:
    """Return a function that remembers the digest of a file, which the caller hashes now.

    It does nothing if the source is not a file, or if the file was changed a moment ago. A
    `FileSource` raises an error if the file changes while it is read.
    """
    found = _remembered(source)
    if found is None:
        return _forget
    file, memory = found
    if not has_settled(file.entry, time.time_ns()):
        return _forget
    return lambda digest: memory.remember(file.entry, digest)


def has_settled(entry: FileEntry, begun_at: int) -> bool:
    """Tell whether a change of a file after `begun_at` gives it another revision.

    Args:
        entry: the state of the file, read before `begun_at`.
        begun_at: when the hashing of the file begins, in nanoseconds since 1970.
    """
    return entry.changed_at > 0 and begun_at - entry.changed_at >= SETTLED


def _forget(_: Digest) -> None:
    return None


def _remembered(source: ByteSource) -> tuple[FileSource, DigestMemory] | None:
    if not isinstance(source, FileSource):
        return None
    memory = digests_of(source.tree)
    return None if memory is None else (source, memory)
