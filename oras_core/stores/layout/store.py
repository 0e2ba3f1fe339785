"""An OCI image layout, a folder that other tools read and write too, as a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal

from attrs import frozen

from oras_core.content.graph import fetch_document
from oras_core.content.referrers import referrers_among
from oras_core.content.verify import VerifyingReader, read_verified
from oras_core.errors import InvalidReferenceError, NotFoundError
from oras_core.forks import ForkSafeLock
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.reference import is_tag
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    Deleter,
    PredecessorFinder,
    ReferrerLister,
    RootLister,
    TagLister,
    Target,
    Untagger,
)
from oras_core.ports.files import FileTree
from oras_core.stores.layout.files import LAYOUT_VERSION, LayoutFiles, blob_path
from oras_core.stores.layout.graph import LayoutGraph
from oras_core.stores.layout.index import LayoutIndex
from oras_core.stores.layout.locks import LayoutLocks

__all__ = ["LAYOUT_VERSION", "CollectedGarbage", "OciLayoutStore", "blob_path"]


@frozen
class CollectedGarbage:
    """The result of a garbage collection.

    Attributes:
        digests: of the removed blobs.
        size: of the removed blobs in sum, in bytes.
    """

    digests: tuple[Digest, ...]
    size: int


class OciLayoutStore(
    Target, TagLister, RootLister, Untagger, Deleter, PredecessorFinder, ReferrerLister
):
    """Keeps blobs in `blobs/ALGORITHM/HEX` and names them in `index.json`. Thread-safe.

    An empty folder becomes a layout with the first write. Files appear complete or not at
    all. Blobs are verified when they are written and when they are read. `index.json` lists
    every manifest that is not part of a listed index, with or without a tag. It is read
    again whenever it has changed.

    Several stores in several processes may use one layout at once if the folder is a
    `Locker`. Other tools ignore its locks.
    """

    def __init__(self, tree: FileTree, *, limits: Limits | None = None) -> None:
        """Use the layout in `tree`; read nothing yet.

        Args:
            tree: the folder of the layout.
            limits: bounds of the manifests.
        """
        self._files = LayoutFiles(tree)
        self._locks = LayoutLocks(tree)
        self._manifest_size = (limits or Limits()).manifest_size
        self._lock = ForkSafeLock()
        self._seen: tuple[str, LayoutIndex] | None = None
        self._graph: LayoutGraph | None = None

    def is_made(self) -> bool:
        """Tell whether the folder holds a layout; an empty folder does not."""
        return bool(self._files.revision)

    # --- Blobs and manifests --------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the layout has a file of this digest and size.

        A manifest must also be reachable from the index; otherwise it could not be found.

        Raises:
            InvalidManifestError: if the folder is not a valid layout.
        """
        entry = self._files.blob(descriptor.digest)
        if entry is None or entry.size != descriptor.size:
            return False
        return not descriptor.has_successors or self._find(descriptor.digest) is not None

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream that is verified at its end.

        Raises:
            NotFoundError: if the layout has no such blob.
            UnsafePathError: if its path is a symbolic link.
        """
        return VerifyingReader(self.fetch_unverified(descriptor), descriptor)

    def fetch_unverified(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream as `fetch`, whose bytes the caller must verify."""
        try:
            return self._files.open_blob(descriptor.digest)
        except NotFoundError as error:
            raise NotFoundError(str(descriptor), "the layout") from error

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Store a blob or manifest; a manifest is listed in the index, without a tag.

        Raises:
            ContentError: if the bytes do not match `descriptor`.
            InvalidManifestError: if a manifest is malformed, or if the folder is not a valid
                layout.
        """
        with self._lock:
            self._index()  # raises before anything is written to an invalid layout
        self._locks.expect(descriptor.digest)
        try:
            self._push(descriptor, source)
        except BaseException:
            self._locks.forget(descriptor.digest)
            raise

    def _push(self, descriptor: Descriptor, source: ByteSource) -> None:
        if self.exists(descriptor):
            if descriptor.has_successors:
                self._locks.settle([descriptor.digest])
            return
        if not self._files.revision:
            with self._changing():
                self._files.prepare()
        with closing(source.open()) as stream:
            if descriptor.has_successors:
                self._push_manifest(descriptor, stream)
            else:
                self._files.add_blob(descriptor, stream)

    def _push_manifest(self, descriptor: Descriptor, stream: ByteStream) -> None:
        content = read_verified(stream, descriptor, limit=self._manifest_size)
        document = codec.decode(content, descriptor.media_type, limit=self._manifest_size)
        self._files.add_verified(descriptor.digest, content)
        parts = document.manifests if isinstance(document, Index) else ()
        with self._changing():
            index = self._index().adding(descriptor, {part.digest for part in parts})
            self._replace_index(index)
            if self._graph is not None:
                self._graph.add(descriptor, document)
        self._locks.settle({descriptor.digest, *(s.digest for s in document.successors)})

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a blob or manifest and its tags.

        The manifests of a removed index stay, and are listed themselves.

        Raises:
            NotFoundError: if the layout has no such blob or manifest.
        """
        with self._changing():
            if not self.exists(descriptor):
                raise NotFoundError(str(descriptor), "the layout")
            if descriptor.has_successors:
                document = fetch_document(self, descriptor.plain(), limit=self._manifest_size)
                parts = document.manifests if isinstance(document, Index) else ()
                self._replace_index(self._index().removing(descriptor.digest))
                self._graph = None
                for part in parts:
                    if self._files.blob(part.digest) and self._find(part.digest) is None:
                        self._replace_index(self._index().adding(part))
                        self._graph = None
            self._files.remove_blob(descriptor.digest)

    def collect_garbage(self, *, keep: Literal["listed", "tagged"] = "listed") -> CollectedGarbage:
        """Remove the blobs that nothing refers to.

        Blobs reachable from the index stay. So do blobs that were pushed into this store and
        wait for their manifest, and files whose name is not a digest.

        Args:
            keep: `listed` keeps every entry of the index; `tagged` keeps the entries with a
                name, and the entries that refer to a manifest that is kept.

        Raises:
            UnsupportedError: if another store is being written to, or collects.
            ContentError: if a manifest does not match its digest. Its references are unknown
                then, and nothing is removed.
        """
        with self._locks.collecting() as loose, self._changing():
            index = self._index()
            graph = LayoutGraph()
            if keep == "tagged":
                index = self._with_referrers(index.tagged(), index, graph)
            graph.walk(self, index.descriptors, limit=self._manifest_size)
            unwanted = [
                (digest, entry.size)
                for digest, entry in self._files.blobs()
                if digest not in graph.descriptors and digest not in loose
            ]
            self._replace_index(index)
            self._graph = graph
            for digest, _ in unwanted:
                self._files.remove_blob(digest)
        return CollectedGarbage(
            tuple(digest for digest, _ in unwanted), sum(size for _, size in unwanted)
        )

    def _with_referrers(
        self, kept: LayoutIndex, whole: LayoutIndex, graph: LayoutGraph
    ) -> LayoutIndex:
        """Return `kept` with the entries of `whole` whose subject is kept."""
        graph.walk(self, kept.descriptors, limit=self._manifest_size)
        waiting = [d for d in whole.descriptors if kept.listed(d.digest) is None]
        while waiting:
            coming = [d for d in waiting if self._subject_of(d) in graph.descriptors]
            if not coming:
                break
            waiting = [d for d in waiting if d not in coming]
            for descriptor in coming:
                kept = kept.keeping(whole, descriptor.digest)
            graph.walk(self, coming, limit=self._manifest_size)
        return kept

    def _subject_of(self, descriptor: Descriptor) -> Digest | None:
        if not descriptor.has_successors:
            return None
        try:
            document = fetch_document(self, descriptor.plain(), limit=self._manifest_size)
        except NotFoundError:
            return None
        return None if document.subject is None else document.subject.digest

    # --- Names ----------------------------------------------------------------------------

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor for a name in the index, or for a digest.

        Raises:
            NotFoundError: if there is none.
            InvalidDigestError: if the reference holds a colon and is not a digest.
            InvalidManifestError: if the folder is not a valid layout.
        """
        with self._lock:
            found = self._index().find(reference)
            if found is None and ":" in reference:
                found = self._find(Digest.parse(reference))
        if found is None or self._files.blob(found.digest) is None:
            raise NotFoundError(reference, "the layout")
        return found

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Create or move the tag `reference`.

        Raises:
            InvalidReferenceError: if `reference` is not a valid tag.
            NotFoundError: if the layout has no such blob or manifest.
        """
        if not is_tag(reference):
            raise InvalidReferenceError(reference, "it is not a valid tag")
        with self._changing():
            if self._files.blob(descriptor.digest) is None:
                raise NotFoundError(str(descriptor), "the layout")
            self._replace_index(self._index().tagging(descriptor, reference))
        self._locks.settle([descriptor.digest])

    def untag(self, reference: str) -> None:
        """Remove a tag; its manifest stays listed.

        Raises:
            NotFoundError: if there is no such tag.
        """
        with self._changing():
            index = self._index()
            if index.find(reference) is None:
                raise NotFoundError(f"tag {reference}", "the layout")
            self._replace_index(index.untagging(reference))

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, sorted; names of other tools that are not tags are left out."""
        with self._lock:
            return filter(is_tag, self._index().names)

    def roots(self) -> Iterator[Descriptor]:
        """Iterate over the entries of the index, each digest once."""
        with self._lock:
            return iter(self._index().descriptors)

    # --- The graph ------------------------------------------------------------------------

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes that refer to a blob or manifest.

        Raises:
            ContentError: if a manifest in the layout does not match its digest.
            InvalidManifestError: if a manifest is malformed.
        """
        with self._lock:
            found = self._whole_graph().predecessors.get(descriptor.digest, {})
            return iter(tuple(found.values()))

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes whose subject is `descriptor`.

        Raises: as `predecessors`.
        """
        found = self.predecessors(descriptor)
        return referrers_among(self, found, descriptor, artifact_type, limit=self._manifest_size)

    @contextmanager
    def snapshot(self) -> Iterator[tuple[LayoutIndex, frozenset[Digest]]]:
        """Return the current index, and every digest reachable from it, for a block.

        No garbage is collected during the block: blobs present at its start stay.

        Raises: as `predecessors`.
        """
        with self._locks.keeping_content():
            with self._lock:
                index, digests = self._index(), frozenset(self._whole_graph().descriptors)
            yield index, digests

    def _find(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor for a digest that is reachable from the index."""
        with self._lock:
            listed = self._index().listed(digest)
            return listed or self._whole_graph().descriptors.get(digest)

    def _whole_graph(self) -> LayoutGraph:
        index = self._index()
        if self._graph is None:
            graph = LayoutGraph()
            graph.walk(self, index.descriptors, limit=self._manifest_size)
            self._graph = graph
        return self._graph

    # --- The index ------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Exclude other changes of the index for a block."""
        with self._lock, self._locks.changing_index():
            yield

    def _index(self) -> LayoutIndex:
        """Return the current index."""
        revision = self._files.revision
        if self._seen is None or self._seen[0] != revision:
            self._seen, self._graph = (revision, self._files.read_index()), None
        return self._seen[1]

    def _replace_index(self, index: LayoutIndex) -> None:
        if self._seen is not None and index == self._seen[1]:
            return
        self._files.write_index(index)
        self._seen = (self._files.revision, index)
