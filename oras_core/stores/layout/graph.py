"""The references between the manifests of an OCI image layout."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from oras_core.content.graph import fetch_document
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher

__all__ = ["LayoutGraph"]


@frozen
class LayoutGraph:
    """Everything reachable from some descriptors, present in the layout or not.

    Attributes:
        descriptors: the reachable blobs, manifests and indexes, by digest.
        predecessors: the manifests and indexes that refer to a digest, by that digest.
    """

    descriptors: dict[Digest, Descriptor] = field(factory=dict)
    predecessors: dict[Digest, dict[Digest, Descriptor]] = field(factory=dict)

    def add(self, descriptor: Descriptor, document: Manifest | Index) -> None:
        """Add the references of a manifest or index."""
        self.descriptors[descriptor.digest] = descriptor
        for successor in document.successors:
            self.descriptors.setdefault(successor.digest, successor)
            self.predecessors.setdefault(successor.digest, {})[descriptor.digest] = descriptor

    def walk(self, fetcher: Fetcher, roots: Iterable[Descriptor], *, limit: int) -> None:
        """Add everything reachable from `roots`; no manifest is read twice.

        A layout may lack blobs that it refers to (image-layout.md).

        Raises:
            ContentError: if a manifest does not match its digest.
            InvalidManifestError: if a manifest is malformed.
        """
        walked = {d for found in self.predecessors.values() for d in found}
        todo = list(roots)
        while todo:
            descriptor = todo.pop()
            self.descriptors.setdefault(descriptor.digest, descriptor)
            if descriptor.digest in walked or not descriptor.has_successors:
                continue
            walked.add(descriptor.digest)
            try:
                document = fetch_document(fetcher, descriptor, limit=limit)
            except NotFoundError:
                continue
            self.add(descriptor, document)
            todo.extend(document.successors)
