"""Inspect: fetch the manifest or the config of an artifact, without its layers."""

from __future__ import annotations

from contextlib import closing

from attrs import field, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.roots import read_root
from oras_core.content.verify import read_verified
from oras_core.errors import UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.platform import Platform
from oras_core.ports.content import ReadOnlyTarget

__all__ = ["Content", "fetch_config", "fetch_manifest"]


@frozen
class Content:
    """A small blob that is held in memory, verified.

    Attributes:
        descriptor: the descriptor of the blob.
        content: the bytes of the blob.
    """

    descriptor: Descriptor
    content: bytes = field(repr=False)


def fetch_manifest(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> Manifest | Index:
    """Return the manifest or index that `reference` names, verified.

    Args:
        source: the target that holds it.
        reference: a tag or a digest in `source`.
        platform: the platform to select from an index; None for the index itself.
        limits: limits on the size of manifests.

    Raises:
        NotFoundError: if there is no such reference, or no manifest for the platform.
        OrasError: any error of the source.

    Example:
        >>> [layer.title for layer in fetch_manifest(repository, "v1").layers]
        ['weights', 'card.md']
    """
    return _fetch(source, reference, platform, limits or Limits())[1]


def fetch_config(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> Content:
    """Return the config of an artifact, verified.

    Args:
        source: the target that holds the artifact.
        reference: a tag or a digest in `source`.
        platform: the platform to select from an index.
        limits: limits on sizes; a config may be as large as a manifest.

    Raises:
        NotFoundError: if there is no such reference, or no manifest for the platform.
        UnsupportedError: if `reference` names an index and no platform is given.
        OrasError: any error of the source.

    Example:
        >>> fetch_config(repository, "v1").content
        b'{}'
    """
    limits = limits or Limits()
    cached, document = _fetch(source, reference, platform, limits)
    if isinstance(document, Index):
        raise UnsupportedError(
            f"fetch the config of {reference}", "it names an index; choose a platform"
        )
    config = document.config
    if config.data is not None:
        return Content(config, config.data)
    with closing(cached.fetch(config)) as stream:
        return Content(config, read_verified(stream, config, limit=limits.manifest_size))


def _fetch(
    source: ReadOnlyTarget, reference: str, platform: Platform | None, limits: Limits
) -> tuple[ManifestCache, Manifest | Index]:
    cached = ManifestCache(source, limit=limits.manifest_size)
    root = read_root(
        source, reference, platform=platform, cached=cached, limit=limits.manifest_size
    )
    return cached, fetch_document(cached, root.plain(), limit=limits.manifest_size)
