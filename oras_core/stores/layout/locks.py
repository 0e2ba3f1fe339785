"""Who may write to an OCI image layout, and who may clear it up, of several stores at once.

Three locks, where the folder has some: one for a change of the index, held for a moment;
one that is shared by all stores with content that no manifest in the index refers to yet,
and that a collector of garbage needs for itself; and one for the collectors, so that there
is one at a time. Other tools know nothing of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from threading import Lock
from typing import Final

from oras_core.errors import UnsupportedError
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import FileTree, HeldLock, Locker

__all__ = ["LayoutLocks"]

INDEX_LOCK: Final = ".oras-index.lock"
CONTENT_LOCK: Final = ".oras-content.lock"
COLLECTOR_LOCK: Final = ".oras-collector.lock"

COLLECTING: Final = "collect the garbage of the layout"


class LayoutLocks:
    """The locks of one store. Thread-safe; of a folder without locks, the threads' alone."""

    def __init__(self, tree: FileTree) -> None:
        """Use those of the folder, if it has any."""
        self._locker = tree if isinstance(tree, Locker) else None
        self._index = sanitize_path(INDEX_LOCK)
        self._content = sanitize_path(CONTENT_LOCK)
        self._collector = sanitize_path(COLLECTOR_LOCK)
        self._loose: dict[Digest, int] = {}
        self._shared: HeldLock | None = None
        self._mutex = Lock()

    def changing_index(self) -> AbstractContextManager[object]:
        """Return a block in which no other store changes the index."""
        return nullcontext() if self._locker is None else self._locker.lock(self._index)

    def keeping_content(self) -> AbstractContextManager[object]:
        """Return a block in which nobody collects garbage."""
        if self._locker is None:
            return nullcontext()
        return self._locker.lock(self._content, shared=True)

    # --- Content that nothing refers to yet -----------------------------------------------

    def expect(self, digest: Digest) -> None:
        """Keep content, here or about to come, from being collected until it is settled."""
        with self._mutex:
            self._loose[digest] = self._loose.get(digest, 0) + 1
            self._share()

    def forget(self, digest: Digest) -> None:
        """Take back one `expect`: the content did not come."""
        with self._mutex:
            left = self._loose.pop(digest, 1) - 1
            if left:
                self._loose[digest] = left
            self._release_unless_loose()

    def settle(self, digests: Iterable[Digest]) -> None:
        """Let go of content: something in the index refers to it from now on."""
        with self._mutex:
            for digest in digests:
                self._loose.pop(digest, None)
            self._release_unless_loose()

    def _share(self) -> None:
        if self._locker is not None and self._shared is None:
            self._shared = self._locker.lock(self._content, shared=True)

    def _release_unless_loose(self) -> None:
        if self._shared is not None and not self._loose:
            self._shared.release()
            self._shared = None

    # --- Collecting -----------------------------------------------------------------------

    @contextmanager
    def collecting(self) -> Iterator[frozenset[Digest]]:
        """Give a block in which no content comes, and what is to be kept for this store.

        Raises:
            UnsupportedError: if another store collects, or has content that is not settled.
        """
        with self._mutex:
            if self._locker is None:
                yield frozenset(self._loose)
                return
            collector = self._locker.try_lock(self._collector)
            if collector is None:
                raise UnsupportedError(COLLECTING, "another collection is under way")
            with collector, self._alone(self._locker):
                yield frozenset(self._loose)

    @contextmanager
    def _alone(self, locker: Locker) -> Iterator[None]:
        """Give a block in which this store has the content for itself.

        While its own share is given up for that, only a collector could do harm: there is
        no other one.
        """
        if self._shared is not None:
            self._shared.release()
            self._shared = None
        try:
            lock = locker.try_lock(self._content)
            if lock is None:
                reason = "a copy into it is under way, or broke off in a store that is still in use"
                raise UnsupportedError(COLLECTING, reason)
            with lock:
                yield
        finally:
            if self._loose:
                self._share()
