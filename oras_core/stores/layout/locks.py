"""The locks of an OCI image layout, for several stores in several processes.

There are two. The content lock is shared by all copies into the layout, from the first lookup to
the last tag. The index lock is held exclusively for one change of `index.json`. Garbage collection
holds both exclusively. Other tools do not know these locks.
"""

from __future__ import annotations

from random import uniform
from typing import Final

from oras_core.cancellation import current_token
from oras_core.errors import CancelledError, UnsupportedError
from oras_core.model.digest import Digest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.files import FileTree, HeldLock, Locker
from oras_core.stores.layout.thread_locks import ThreadLocks

__all__ = ["LayoutLocks", "wait_for_lock"]

INDEX_LOCK: Final = sanitize_path(".oras-index.lock")
CONTENT_LOCK: Final = sanitize_path(".oras-content.lock")

SHORTEST_PAUSE: Final = 0.001
LONGEST_PAUSE: Final = 0.05
"""Seconds between two attempts to take a lock: an index is written in a few milliseconds."""


class LayoutLocks:
    """The locks of one layout. Thread-safe. In a folder without locks, they hold for one store."""

    def __init__(self, tree: FileTree) -> None:
        """Use the locks of the folder, if it is a `Locker`."""
        self._locker: Locker = tree if isinstance(tree, Locker) else ThreadLocks()

    def changing_index(self) -> HeldLock:
        """Exclude other changes of the index.

        Raises:
            CancelledError: if the thread's token is cancelled before the lock is free.
        """
        return wait_for_lock(self._locker, INDEX_LOCK)

    def keeping_content(self) -> HeldLock:
        """Exclude garbage collection.

        Raises:
            CancelledError: if the thread's token is cancelled before the lock is free.
        """
        return wait_for_lock(self._locker, CONTENT_LOCK, shared=True)

    def filling(self, digest: Digest) -> HeldLock:
        """Exclude other fetches of a blob into a cache; one of 256 locks serves several blobs.

        Raises:
            CancelledError: if the thread's token is cancelled before the lock is free.
        """
        return wait_for_lock(self._locker, sanitize_path(f".oras-cache-{digest.encoded[:2]}.lock"))

    def collecting(self) -> HeldLock:
        """Exclude copies and other collections.

        Raises:
            UnsupportedError: if one of them is running.
        """
        lock = self._locker.try_lock(CONTENT_LOCK)
        if lock is None:
            raise UnsupportedError(
                "collect the garbage of the layout",
                "a copy into the layout or another collection is running; try again later",
            )
        return lock


def wait_for_lock(locker: Locker, path: SafePath, *, shared: bool = False) -> HeldLock:
    """Take a lock as soon as other owners have released it.

    Raises:
        CancelledError: if the thread's token is cancelled before the lock is free.
    """
    token, pause = current_token(), SHORTEST_PAUSE
    while (lock := locker.try_lock(path, shared=shared)) is None:
        if token.wait(uniform(pause / 2, pause)):  # noqa: S311 - spreads the attempts of owners
            raise CancelledError(f"wait for the lock {str(path)!r}")
        pause = min(2 * pause, LONGEST_PAUSE)
    return lock
