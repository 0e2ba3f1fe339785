"""The references between the manifests of an OCI image layout."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import define, field

from oras_core.cancellation import current_token
from oras_core.content.graph import fetch_document
from oras_core.errors import ContentError, InvalidManifestError, NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher

__all__ = ["LayoutGraph"]


@define
class LayoutGraph:
    """Everything reachable from some descriptors, present in the layout or not.

    Attributes:
        known: the successors of every manifest and index that was read, by digest. They never
            change, so that a new graph may start with them.
        reached: the reachable blobs, manifests and indexes, by digest.
        manifests: the digests that are reachable as a manifest or index. One digest may be a
            blob of one manifest and an entry of an index.
        predecessors: the manifests and indexes that refer to a digest, by that digest.
        unreadable: why a reachable manifest could not be read, by its digest.
        leaves: entries of indexes, and subjects, whose media type is not that of a manifest.
    """

    known: dict[Digest, tuple[Descriptor, ...]] = field(factory=dict)
    reached: dict[Digest, Descriptor] = field(factory=dict)
    manifests: set[Digest] = field(factory=set)
    predecessors: dict[Digest, dict[Digest, Descriptor]] = field(factory=dict)
    unreadable: dict[Digest, ContentError | InvalidManifestError] = field(factory=dict)
    leaves: dict[Digest, Descriptor] = field(factory=dict)

    def learn(self, descriptor: Descriptor, document: Manifest | Index) -> None:
        """Note the successors of a manifest or index that was written."""
        self.known[descriptor.digest] = document.successors
        self.manifests.discard(descriptor.digest)
        self.unreadable.pop(descriptor.digest, None)

    def reach(self, fetcher: Fetcher, roots: Iterable[Descriptor], *, limit: int) -> list[Digest]:
        """Add everything reachable from `roots`; no manifest is read twice.

        A layout may lack blobs that it refers to (image-layout.md).

        Returns:
            The digests of the manifests and indexes that are new in the graph.

        Raises:
            CancelledError: if the thread's token is cancelled.
        """
        new: list[Digest] = []
        todo = list(roots)
        while todo:
            descriptor = todo.pop()
            digest = descriptor.digest
            if not descriptor.has_successors:
                self.reached.setdefault(digest, descriptor)
                continue
            if digest in self.manifests:
                continue
            self.reached[digest] = descriptor
            self.manifests.add(digest)
            new.append(digest)
            for successor in self._successors(fetcher, descriptor, limit):
                self.predecessors.setdefault(successor.digest, {})[digest] = descriptor
                todo.append(successor)
        return new

    def _successors(
        self, fetcher: Fetcher, descriptor: Descriptor, limit: int
    ) -> tuple[Descriptor, ...]:
        if descriptor.digest not in self.known:
            current_token().raise_if_cancelled("read the manifests of the layout")
            try:
                document = fetch_document(fetcher, descriptor, limit=limit)
            except NotFoundError:
                return ()
            except (ContentError, InvalidManifestError) as error:
                self.unreadable[descriptor.digest] = error
                return ()
            self.known[descriptor.digest] = document.successors
            entries = document.manifests if isinstance(document, Index) else ()
            for entry in (*entries, *filter(None, [document.subject])):
                if not entry.has_successors:
                    self.leaves[entry.digest] = entry
        return self.known[descriptor.digest]

    def raise_if_unreadable(self) -> None:
        """Raise the error of a reachable manifest that could not be read, if there is one.

        Raises:
            ContentError: if a manifest does not match its digest.
            InvalidManifestError: if a manifest is malformed.
        """
        for error in self.unreadable.values():
            raise error
