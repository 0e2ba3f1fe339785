"""Find or read the manifest that a reference names, or the one in an index for a platform."""

from __future__ import annotations

from oras_core.content.graph import ManifestCache
from oras_core.content.platforms import select_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.platform import Platform
from oras_core.ports.content import ReadOnlyTarget, ReferenceFetcher

__all__ = ["find_root", "read_root"]


def find_root(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limit: int = MAX_MANIFEST_SIZE,
) -> Descriptor:
    """Return the descriptor of a root, or of the manifest in it for a platform.

    A registry is sent one HEAD if `platform` is None.

    Raises: as `read_root`.
    """
    if platform is None:
        return source.resolve(reference)
    return read_root(source, reference, platform=platform, limit=limit)


def read_root(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    cached: ManifestCache | None = None,
    limit: int = MAX_MANIFEST_SIZE,
) -> Descriptor:
    """Return the descriptor of a root or of the manifest in it for a platform, once read.

    A registry is sent one GET: the size or the media type of a HEAD response may be wrong (R23).

    Args:
        source: the target that holds the root.
        reference: a tag or a digest in `source`.
        platform: selects a manifest of an index; None for the index itself.
        cached: keeps the manifests that were read.
        limit: the largest manifest accepted, in bytes.

    Raises:
        NotFoundError: if the source has no such tag or digest, or no manifest for the platform.
        OrasError: any error of the source.
    """
    cached = cached or ManifestCache(source, limit=limit)
    if isinstance(source, ReferenceFetcher):
        root, content = source.fetch_reference(reference)
        cached.remember(root, content)
    else:
        root = source.resolve(reference).plain()
    return root if platform is None else select_manifest(cached, root, platform, limit=limit)
