"""Read the manifest that a reference names."""

from __future__ import annotations

from oras_core.content.graph import ManifestCache
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ReferenceFetcher, Resolver

__all__ = ["read_root"]


def read_root(
    source: Resolver, reference: str, *, cached: ManifestCache | None = None
) -> Descriptor:
    """Return the descriptor of a root, and keep its manifest in `cached`.

    A registry is sent one GET: the size or the media type of a HEAD response may be wrong (R23).

    Raises:
        NotFoundError: if the source has no such tag or digest.
        OrasError: any error of the source.
    """
    if not isinstance(source, ReferenceFetcher):
        return source.resolve(reference).plain()
    root, content = source.fetch_reference(reference)
    if cached is not None:
        cached.remember(root, content)
    return root
