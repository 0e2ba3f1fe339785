"""The locks of an OCI image layout, for several stores in several processes.

There are three locks if the folder is a `Locker`. The index lock is held for one change of
`index.json`. The content lock is shared by all stores with blobs that no manifest in the
index refers to yet; garbage collection needs it exclusively. The collector lock admits one
collection at a time. Other tools do not know these locks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from oras_core.errors import UnsupportedError
from oras_core.forks import ForkSafeLock
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import FileTree, HeldLock, Locker

__all__ = ["LayoutLocks"]

INDEX_LOCK: Final = ".oras-index.lock"
CONTENT_LOCK: Final = ".oras-content.lock"
COLLECTOR_LOCK: Final = ".oras-collector.lock"

COLLECTING: Final = "collect the garbage of the layout"


class LayoutLocks:
    """The locks of one store. Thread-safe. Without a `Locker` only threads are kept apart."""

    def __init__(self, tree: FileTree) -> None:
        """Use the locks of the folder, if it is a `Locker`."""
        self._locker = tree if isinstance(tree, Locker) else None
        self._index = sanitize_path(INDEX_LOCK)
        self._content = sanitize_path(CONTENT_LOCK)
        self._collector = sanitize_path(COLLECTOR_LOCK)
        self._loose: dict[Digest, int] = {}
        self._shared: HeldLock | None = None
        self._mutex = ForkSafeLock()

    def changing_index(self) -> AbstractContextManager[object]:
        """Return a context in which no other store changes the index."""
        return nullcontext() if self._locker is None else self._locker.lock(self._index)

    def keeping_content(self) -> AbstractContextManager[object]:
        """Return a context in which no garbage is collected."""
        if self._locker is None:
            return nullcontext()
        return self._locker.lock(self._content, shared=True)

    # --- Blobs without a reference --------------------------------------------------------

    def expect(self, digest: Digest) -> None:
        """Protect a blob from collection until it is settled."""
        with self._mutex:
            self._loose[digest] = self._loose.get(digest, 0) + 1
            self._share()

    def forget(self, digest: Digest) -> None:
        """Undo one `expect`: the push of the blob failed."""
        with self._mutex:
            left = self._loose.pop(digest, 1) - 1
            if left:
                self._loose[digest] = left
            self._release_unless_loose()

    def settle(self, digests: Iterable[Digest]) -> None:
        """End the protection of blobs: the index reaches them from now on."""
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
        """Exclude other stores for a block, and return the protected digests of this store.

        Raises:
            UnsupportedError: if another store collects, or has unsettled blobs.
        """
        with self._mutex:
            if self._locker is None:
                yield frozenset(self._loose)
                return
            collector = self._locker.try_lock(self._collector)
            if collector is None:
                raise UnsupportedError(COLLECTING, "another collection is running")
            with collector, self._alone(self._locker):
                yield frozenset(self._loose)

    @contextmanager
    def _alone(self, locker: Locker) -> Iterator[None]:
        """Hold the content lock exclusively for a block.

        The share of this store is released for that. Only another collection could remove
        its blobs meanwhile, and the collector lock excludes one.
        """
        if self._shared is not None:
            self._shared.release()
            self._shared = None
        try:
            lock = locker.try_lock(self._content)
            if lock is None:
                reason = "a copy into the layout is running, or failed in an open store"
                raise UnsupportedError(COLLECTING, reason)
            with lock:
                yield
        finally:
            if self._loose:
                self._share()
