"""The view of one store on the index of an OCI image layout, and on the graph below it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from oras_core.cancellation import acquired
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher
from oras_core.stores.layout.files import LayoutFiles
from oras_core.stores.layout.graph import LayoutGraph
from oras_core.stores.layout.index import LayoutIndex
from oras_core.stores.layout.locks import LayoutLocks

__all__ = ["Catalog"]

FEWEST_CHANGES: Final = 256
"""Changes that are written before the end of a copy. As many as the index has entries, if those
are more, so that the bytes written grow in proportion to the number of changes."""

Change = Callable[[LayoutIndex], bool]


class Catalog:
    """Reads the index when it has changed, and collects changes until they are written.

    Thread-safe. The collected changes belong to all copies of the store: the first of them that
    ends writes all.
    """

    def __init__(
        self, files: LayoutFiles, locks: LayoutLocks, fetcher: Fetcher, *, limit: int
    ) -> None:
        """Read nothing yet.

        Args:
            files: the files of the layout.
            locks: its locks.
            fetcher: gives the manifests of the layout.
            limit: the largest manifest accepted, in bytes.
        """
        self._files = files
        self._locks = locks
        self._fetcher = fetcher
        self._limit = limit
        self._mutex = ForkSafeLock()
        self._revision: str | None = None
        self._index = LayoutIndex()
        self._graph: LayoutGraph | None = None
        self._known: dict[Digest, tuple[Descriptor, ...]] = {}
        self._pending: list[Change] = []

    @contextmanager
    def index(self) -> Iterator[LayoutIndex]:
        """Return the index with the changes that are not yet written, for a block.

        Raises:
            InvalidManifestError: if the folder is not a valid layout.
        """
        with acquired(self._mutex):
            yield self._current()

    @contextmanager
    def graph(self) -> Iterator[LayoutGraph]:
        """Return everything that is reachable from the index, for a block.

        Raises: as `index`.
        """
        with acquired(self._mutex):
            yield self._reached(self._current())

    # --- Changes --------------------------------------------------------------------------

    def add(self, descriptor: Descriptor, document: Manifest | Index) -> None:
        """List a manifest or index without a name; see `LayoutIndex.add`."""
        parts = document.manifests if isinstance(document, Index) else ()
        digests = [part.digest for part in parts]
        with acquired(self._mutex):
            graph = self._reached(self._current())
            self._change(lambda index: index.add(descriptor, digests))
            graph.learn(descriptor, document)
            graph.reach(self._fetcher, [descriptor], limit=self._limit)

    def tag(self, descriptor: Descriptor, name: str) -> None:
        """Name a blob or manifest; see `LayoutIndex.tag`."""
        with acquired(self._mutex):
            self._current()
            self._change(lambda index: index.tag(descriptor, name))
            if self._graph is not None:
                self._graph.reach(self._fetcher, [descriptor], limit=self._limit)

    def untag(self, name: str) -> None:
        """Remove a name; see `LayoutIndex.untag`."""
        with acquired(self._mutex):
            self._current()
            self._change(lambda index: index.untag(name))

    def remove(self, descriptor: Descriptor, document: Manifest | Index | None) -> None:
        """Remove the entries for a blob or manifest, and list the manifests of a removed index."""
        parts = document.manifests if isinstance(document, Index) else ()
        with acquired(self._mutex):
            self._current()
            self._change(lambda index: index.remove(descriptor.digest))
            self._graph = None
            graph = self._reached(self._index)
            for part in parts:
                if self._files.blob(part.digest) and part.digest not in graph.manifests:
                    self._change(partial(LayoutIndex.add, descriptor=part))
                    graph.reach(self._fetcher, [part], limit=self._limit)

    def _change(self, change: Change) -> None:
        """Make a change in memory. It is made again in the index that is read to write it."""
        change(self._index)
        self._pending.append(change)

    def write_when_many(self) -> None:
        """Write the collected changes if there are many; raises as `write`."""
        if self._has_many():
            with self._locks.changing_index(), acquired(self._mutex):
                if self._has_many():  # no other thread has written them by now
                    self._write()

    def _has_many(self) -> bool:
        return len(self._pending) >= max(FEWEST_CHANGES, len(self._index))

    def write(self) -> None:
        """Write the collected changes, if there are any, to the index as it is now.

        Raises:
            CancelledError: if the thread's token is cancelled before the lock is free.
            FileAccessError: if the index cannot be written; the changes stay collected.
        """
        with acquired(self._mutex):
            if not self._pending:
                return
        with self._locks.changing_index(), acquired(self._mutex):
            self._write()

    def _write(self) -> None:
        # Another process may have written it within one tick of the file system's clock,
        # where the revision does not change: always read it.
        index = self._files.read_index()
        differences = [change(index) for change in self._pending]
        if any(differences):
            self._files.write_index(index)
        self._pending.clear()
        self._revision, self._index, self._graph = self._files.revision, index, None

    def forget(self) -> None:
        """Read the index again at the next use: a collection has changed it."""
        with acquired(self._mutex):
            self._revision = None

    def _current(self) -> LayoutIndex:
        revision = self._files.revision
        if self._revision != revision:
            index = self._files.read_index()
            for change in self._pending:
                change(index)
            self._revision, self._index, self._graph = revision, index, None
        return self._index

    def _reached(self, index: LayoutIndex) -> LayoutGraph:
        if self._graph is None:
            graph = LayoutGraph(known=self._known)
            graph.reach(self._fetcher, index.descriptors, limit=self._limit)
            self._graph = graph
        return self._graph
