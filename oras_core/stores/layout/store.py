"""An OCI image layout, a folder that other tools read and write too, as a target."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from copy import copy
from typing import Final, Literal

from oras_core.cancellation import respite
from oras_core.content.graph import SuccessorFinder, fetch_document
from oras_core.content.referrers import referrers_among
from oras_core.content.verify import VerifyingReader, read_verified, verify_stream
from oras_core.errors import (
    ContentError,
    FileAccessError,
    InvalidReferenceError,
    NotFoundError,
    OrasError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.reference import is_tag
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    Deleter,
    PredecessorFinder,
    Receiver,
    ReferrerLister,
    RootLister,
    TagLister,
    Target,
    Untagger,
)
from oras_core.ports.files import FileTree
from oras_core.stores.layout.catalog import Catalog
from oras_core.stores.layout.collection import CollectedGarbage, Collection
from oras_core.stores.layout.files import LAYOUT_VERSION, LayoutFiles, blob_path
from oras_core.stores.layout.locks import LayoutLocks

__all__ = ["LAYOUT_VERSION", "CollectedGarbage", "OciLayoutStore", "blob_path"]

LAST_SECONDS: Final = 0.5
"""Seconds that a cancelled copy takes at most to write the index."""


class OciLayoutStore(
    Target,
    Receiver,
    TagLister,
    RootLister,
    Untagger,
    Deleter,
    PredecessorFinder,
    ReferrerLister,
):
    """Keeps blobs in `blobs/ALGORITHM/HEX` and names them in `index.json`. Thread-safe.

    An empty folder becomes a layout with the first write. Files appear complete or not at
    all. Blobs are verified when they are written and when they are read. `index.json` lists
    every manifest that is not part of a listed index, with or without a tag. It is read
    again whenever it has changed.

    Several stores in several processes may use one layout at once if the folder is a
    `Locker`. Other tools ignore its locks.
    """

    def __init__(
        self, tree: FileTree, *, limits: Limits | None = None, verify: bool = False
    ) -> None:
        """Use the layout in `tree`; read nothing yet.

        Args:
            tree: the folder of the layout.
            limits: bounds of the manifests.
            verify: hash every present blob that a copy would skip, once for each store. A
                damaged blob counts as missing, so that the copy writes it again.
        """
        self._files = LayoutFiles(tree)
        self._locks = LayoutLocks(tree)
        self._manifest_size = (limits or Limits()).manifest_size
        self._catalog = Catalog(self._files, self._locks, self, limit=self._manifest_size)
        self._verified: set[Digest] | None = set() if verify else None
        self._is_receiving = False

    def is_made(self) -> bool:
        """Tell whether the folder holds a layout; an empty folder does not."""
        return bool(self._files.revision)

    @contextmanager
    def receiving(self) -> Iterator[OciLayoutStore]:
        """Return the target of one copy, for a block, during which no garbage is collected.

        `index.json` is written at the end of the block, and before that after many changes.
        After an exception, too: the manifests that have arrived are complete.

        Raises:
            CancelledError: if the thread's token is cancelled before the locks are free.
            FileAccessError: if the index cannot be written.
        """
        if self._is_receiving:
            yield self
            self._catalog.write_when_many()
            return
        receiver = copy(self)
        receiver._is_receiving = True  # noqa: SLF001 - of the same class
        with self._locks.keeping_content():
            try:
                yield receiver
            except BaseException:
                with respite(LAST_SECONDS), suppress(OrasError):
                    self._catalog.write()
                raise
            self._catalog.write()

    # --- Blobs and manifests --------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the layout has a file of this digest and size.

        A manifest must also be reachable from the index; otherwise it could not be found.

        Raises:
            InvalidManifestError: if the folder is not a valid layout.
        """
        if not self._is_present(descriptor):
            return False
        if descriptor.has_successors:
            with self._catalog.graph() as graph:
                if descriptor.digest in graph.unreadable:
                    return False
        return self._verified is None or self._is_intact(descriptor, self._verified)

    def _is_present(self, descriptor: Descriptor) -> bool:
        entry = self._files.blob(descriptor.digest)
        if entry is None or entry.size != descriptor.size:
            return False
        if not descriptor.has_successors:
            return True
        with self._catalog.graph() as graph:
            return descriptor.digest in graph.manifests

    def _is_intact(self, descriptor: Descriptor, verified: set[Digest]) -> bool:
        """Tell whether a blob, or a manifest with everything that it refers to, is undamaged."""
        manifests: set[Digest] = set()
        todo = [descriptor]
        while todo:
            node = todo.pop()
            if node.digest in verified or node.digest in manifests:
                continue
            if not (self._is_present(node) and self._matches(node)):
                return False
            if node.has_successors:
                manifests.add(node.digest)
                with self._catalog.graph() as graph:
                    todo.extend(graph.known.get(node.digest, ()))
            else:
                verified.add(node.digest)
        verified |= manifests
        return True

    def _matches(self, descriptor: Descriptor) -> bool:
        try:
            with closing(self.fetch_unverified(descriptor)) as stream:
                verify_stream(stream, descriptor)
        except (ContentError, NotFoundError):
            return False
        return True

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
        with self._catalog.index():
            pass  # raises before anything is written to an invalid layout
        with self.receiving():
            if self.exists(descriptor):
                return
            if not self._files.revision:
                with self._locks.changing_index():
                    self._files.prepare()
            if not descriptor.has_successors:
                self._files.add_blob(descriptor, source)
                return
            with closing(source.open()) as stream:
                content = read_verified(stream, descriptor, limit=self._manifest_size)
            document = codec.decode(content, descriptor.media_type, limit=self._manifest_size)
            self._files.add_verified(descriptor.digest, content)
            self._catalog.add(descriptor, document)

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a blob or manifest and its tags.

        The manifests of a removed index stay, and are listed themselves.

        Raises:
            NotFoundError: if the layout has no such blob or manifest.
        """
        with self.receiving():
            if not self._is_present(descriptor):
                raise NotFoundError(str(descriptor), "the layout")
            document = None
            if descriptor.has_successors:
                document = fetch_document(self, descriptor.plain(), limit=self._manifest_size)
            self._catalog.remove(descriptor, document)
            self._catalog.write()
            self._files.remove_blob(descriptor.digest)

    def collect_garbage(
        self,
        *,
        keep: Literal["listed", "tagged"] = "listed",
        find_successors: SuccessorFinder | None = None,
    ) -> CollectedGarbage:
        """Remove the blobs that nothing refers to.

        Blobs reachable from the index stay, and files whose name is not a digest. The partial
        files of killed processes are removed. Push blobs and their manifest in one `receiving`
        block, so that no collection removes the blobs before the manifest is written.

        Args:
            keep: `listed` keeps every entry of the index; `tagged` keeps the entries with a
                name, and the entries that refer to a manifest that is kept.
            find_successors: returns the successors of a manifest whose media type this library
                cannot read; not called for others. Without it, such a manifest is an error.

        Raises:
            UnsupportedError: if a copy or another collection is running, or if a manifest has a
                type that cannot be read: nothing is removed then.
            ContentError: if a manifest does not match its digest. Its references are unknown
                then, and nothing is removed.
            CancelledError: if the thread's token is cancelled. The layout is valid then.
        """
        with self._locks.collecting(), self._locks.changing_index():
            collection = Collection(
                self._files, self, limit=self._manifest_size, find_successors=find_successors
            )
            try:
                return collection.run(keep=keep)
            finally:
                self._catalog.forget()

    # --- Names ----------------------------------------------------------------------------

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor for a name in the index, or for a digest.

        Raises:
            NotFoundError: if there is none.
            InvalidDigestError: if the reference holds a colon and is not a digest.
            InvalidManifestError: if the folder is not a valid layout.
        """
        with self._catalog.index() as index:
            found = index.find(reference)
        if found is None and ":" in reference:
            digest = Digest.parse(reference)
            with self._catalog.index() as index:
                found = index.listed(digest)
            if found is None:
                with self._catalog.graph() as graph:
                    found = graph.reached.get(digest)
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
        with self.receiving():
            if self._files.blob(descriptor.digest) is None:
                raise NotFoundError(str(descriptor), "the layout")
            self._catalog.tag(descriptor, reference)

    def untag(self, reference: str) -> None:
        """Remove a tag; its manifest stays listed.

        Raises:
            NotFoundError: if there is no such tag.
        """
        with self.receiving():
            with self._catalog.index() as index:
                if index.find(reference) is None:
                    raise NotFoundError(f"tag {reference}", "the layout")
            self._catalog.untag(reference)

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, sorted; names of other tools that are not tags are left out."""
        with self._catalog.index() as index:
            return filter(is_tag, index.names)

    def roots(self) -> Iterator[Descriptor]:
        """Iterate over the entries of the index, each digest once."""
        with self._catalog.index() as index:
            return iter(index.descriptors)

    # --- The graph ------------------------------------------------------------------------

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes that refer to a blob or manifest.

        Raises:
            ContentError: if a manifest in the layout does not match its digest.
            InvalidManifestError: if a manifest is malformed.
        """
        with self._catalog.graph() as graph:
            graph.raise_if_unreadable()
            return iter(tuple(graph.predecessors.get(descriptor.digest, {}).values()))

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes whose subject is `descriptor`.

        Raises: as `predecessors`.
        """
        found = self.predecessors(descriptor)
        return referrers_among(self, found, descriptor, artifact_type, limit=self._manifest_size)

    @contextmanager
    def snapshot(self) -> Iterator[tuple[bytes, frozenset[Digest]]]:
        """Return the bytes of the index, and every digest reachable from it, for a block.

        No garbage is collected during the block: blobs present at its start stay. A folder
        that cannot be written to is read without a lock.

        Raises: as `predecessors`.
        """
        with ExitStack() as held:
            with suppress(FileAccessError):
                held.enter_context(self._locks.keeping_content())
            with self._catalog.graph() as graph:
                graph.raise_if_unreadable()
                digests = frozenset(graph.reached)
            with self._catalog.index() as index:
                content = index.encode()
            yield content, digests
