"""A repository of an embedded registry, stored as an OCI image layout."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from threading import RLock

from oras_core.errors import NotFoundError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.reference import is_tag
from oras_core.ports.content import ByteStream, Fetcher
from oras_core.ports.files import FileTree
from oras_core.stores.layout.files import LayoutFiles
from oras_core.stores.layout.graph import LayoutGraph
from oras_core.stores.layout.index import LayoutIndex
from oras_core.stores.layout.locks import LayoutLocks

__all__ = ["RepositoryLayout"]

Change = Callable[[LayoutIndex], bool]


class RepositoryLayout(Fetcher):
    """The manifests and tags of one repository. Thread-safe.

    `index.json` lists every manifest that was pushed, with or without a tag, and is complete
    before a change is acknowledged. It stays in memory until another program changes it.
    Manifests below an index of another program are found through that index.
    """

    def __init__(self, tree: FileTree) -> None:
        """Use the layout in `tree`; read nothing yet."""
        self.files: LayoutFiles = LayoutFiles(tree)
        self._locks = LayoutLocks(tree)
        self._mutex = RLock()
        self._revision = ""
        self._index = LayoutIndex()
        self._graph: LayoutGraph | None = None
        self._known: dict[Digest, tuple[Descriptor, ...]] = {}

    @property
    def exists(self) -> bool:
        """Whether the folder is a layout: the repository has received a push."""
        return bool(self.files.revision)

    def prepare(self) -> None:
        """Turn the folder into a layout, unless it is one."""
        if not self.exists:
            with self._mutex, self._locks.changing_index():
                self.files.prepare()

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest, not verified.

        Raises:
            NotFoundError: if the layout does not have it.
        """
        return self.files.open_blob(descriptor.digest)

    # --- Lookups --------------------------------------------------------------------------

    def manifest(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of a manifest or index; None if the repository lacks it."""
        with self._mutex:
            found = self._current().listed(digest)
            if found is None:
                graph = self._reached()
                found = graph.reached.get(digest) if digest in graph.manifests else None
        if found is None or not found.has_successors or self.files.blob(digest) is None:
            return None
        return found

    def content(self, descriptor: Descriptor) -> bytes | None:
        """Return the bytes of a manifest or index; None if it was removed meanwhile."""
        try:
            with closing(self.fetch(descriptor)) as stream:
                return stream.read()
        except NotFoundError:
            return None

    def tag(self, name: str) -> Descriptor | None:
        """Return the manifest or index with a tag; None if there is none."""
        with self._mutex:
            found = self._current().find(name)
        return None if found is None else self.manifest(found.digest)

    def tags(self) -> list[str]:
        """Return the tags, sorted."""
        with self._mutex:
            return list(filter(is_tag, self._current().names))

    def predecessors(self, digest: Digest) -> list[Descriptor]:
        """Return the manifests and indexes that refer to a digest, in the order of digests."""
        with self._mutex:
            found = self._reached().predecessors.get(digest, {})
            return sorted(found.values(), key=lambda descriptor: str(descriptor.digest))

    # --- Changes --------------------------------------------------------------------------

    def add(
        self,
        descriptor: Descriptor,
        document: Manifest | Index,
        content: bytes,
        tags: Iterable[str] = (),
    ) -> None:
        """Store a manifest or index, whose digest the caller has computed, under `tags`."""
        self.prepare()
        with self._mutex:
            graph = self._reached()
            self.files.add_verified(descriptor.digest, content)
            named = [partial(_tag, descriptor=descriptor, name=name) for name in tags]
            self._change(lambda index: index.add(descriptor), *named)
            graph.learn(descriptor, document)
            graph.reach(self, [descriptor], limit=MAX_MANIFEST_SIZE)

    def untag(self, name: str) -> None:
        """Remove a tag; its manifest stays."""
        with self._mutex:
            self._change(lambda index: index.untag(name))

    def remove(self, descriptor: Descriptor) -> None:
        """Remove a manifest or index and its tags; the manifests of an index stay."""
        with self._mutex:
            content = self.content(descriptor)
            parts: tuple[Descriptor, ...] = ()
            if content is not None and descriptor.is_index:
                document = codec.decode(content, descriptor.media_type)
                parts = document.manifests if isinstance(document, Index) else ()
            present = [part for part in parts if self.files.blob(part.digest) is not None]
            self._change(
                lambda index: index.remove(descriptor.digest),
                *(partial(LayoutIndex.add, descriptor=part) for part in present),
            )
            self._graph = None
            self.files.remove_blob(descriptor.digest)

    def _change(self, *changes: Change) -> None:
        # The mutex comes first: threads wait for it without polling, which the lock needs.
        with self._locks.changing_index():
            index = self._current()
            self._revision = ""  # read it again if the index cannot be written
            differences = [change(index) for change in changes]
            if any(differences):
                self.files.write_index(index)
            self._revision = self.files.revision

    def _current(self) -> LayoutIndex:
        revision = self.files.revision
        if self._revision != revision:
            self._index, self._graph = self.files.read_index(), None
            self._revision = revision
        return self._index

    def _reached(self) -> LayoutGraph:
        index = self._current()
        if self._graph is None:
            self._graph = LayoutGraph(known=self._known)
            self._graph.reach(self, index.descriptors, limit=MAX_MANIFEST_SIZE)
        return self._graph


def _tag(index: LayoutIndex, descriptor: Descriptor, name: str) -> bool:
    return index.tag(descriptor, name)
