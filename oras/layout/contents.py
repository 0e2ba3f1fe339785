"""The blobs and manifests of an artifact, in the order in which they can be pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oras_core.content.graph import fetch_document
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher

__all__ = ["leaves_first", "parts_of"]


def parts_of(fetcher: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
    """Return the descriptors in a manifest or index. Other blobs have none.

    The subject is not included: it is another artifact.

    Raises:
        NotFoundError: if the manifest does not exist.
        ContentError: if the manifest does not match its descriptor.
        InvalidManifestError: if the manifest is malformed.
    """
    if not descriptor.has_successors:
        return ()
    document = fetch_document(fetcher, descriptor)
    if isinstance(document, Manifest):
        return document.layers if document.is_artifact else (*document.layers, document.config)
    return document.manifests


def leaves_first(
    root: Descriptor, parts_of: Callable[[Descriptor], Sequence[Descriptor]]
) -> list[Digest]:
    """Return the digests of an artifact's blobs and manifests, each once and after its parts.

    Raises: as `parts_of`, which returns the parts of a manifest or index.
    """
    ordered: dict[Digest, None] = {}
    todo = [(root, False)]
    while todo:
        descriptor, explored = todo.pop()
        if explored or not descriptor.has_successors:
            ordered.setdefault(descriptor.digest)
        elif descriptor.digest not in ordered:
            todo.append((descriptor, True))
            todo.extend((part, False) for part in reversed(parts_of(descriptor)))
    return list(ordered)
