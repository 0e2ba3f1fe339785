"""What an artifact consists of, and in which order it can be pushed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from oras_core.content.graph import fetch_document
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher

__all__ = ["leaves_first", "parts_of"]


def parts_of(fetcher: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
    """Return what a manifest or index consists of; nothing for other content.

    What it is attached to, its subject, is another artifact.

    Raises:
        NotFoundError: if it is not there.
        ContentError: if it is not what the descriptor promises.
        InvalidManifestError: if it is malformed.
    """
    if not descriptor.has_successors:
        return ()
    document = fetch_document(fetcher, descriptor)
    if isinstance(document, Manifest):
        return (*document.layers, document.config)
    return document.manifests


def leaves_first(
    root: Descriptor, parts_of: Callable[[Descriptor], Sequence[Descriptor]]
) -> list[Digest]:
    """Return the digests of an artifact's content, each once and behind its own parts.

    Raises: as `parts_of`, which tells what a manifest or index consists of.
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
