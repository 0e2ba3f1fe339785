"""Open: read one file of an artifact without pulling the others."""

from __future__ import annotations

from contextlib import closing
from typing import Final

from oras_core.content.random_access import RandomAccess
from oras_core.content.verify import read_verified
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.platform import Platform
from oras_core.ports.content import ReadOnlyTarget
from oras_core.verbs.pull import fetch_artifact

__all__ = ["open_file", "read_file"]

SHOWN: Final = 10
"""Titles that an error lists."""


def open_file(
    source: ReadOnlyTarget,
    reference: str,
    name: str | None = None,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> RandomAccess:
    """Open a layer for reading at any position.

    Args:
        source: the source target.
        reference: a tag or a digest of the artifact.
        name: the title or the digest of the layer; None for the only layer.
        platform: which manifest of an index is meant.
        limits: bounds of what is accepted.

    Raises:
        NotFoundError: if the artifact or the layer does not exist.
        UnsupportedError: if `name` is None and there is not exactly one layer.
        OrasError: any error of the source.
    """
    manifest = fetch_artifact(source, reference, platform=platform, limits=limits)
    return RandomAccess(source, _find_layer(manifest, name))


def read_file(
    source: ReadOnlyTarget,
    reference: str,
    name: str | None = None,
    *,
    limit: int,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> bytes:
    """Return the bytes of a layer, verified.

    Args:
        source: the source target.
        reference: a tag or a digest of the artifact.
        name: the title or the digest of the layer; None for the only layer.
        limit: the largest size accepted, in bytes.
        platform: which manifest of an index is meant.
        limits: bounds of what is accepted.

    Raises:
        SizeLimitError: if the layer is larger than `limit`.
        OrasError: as `open_file`.
    """
    manifest = fetch_artifact(source, reference, platform=platform, limits=limits)
    layer = _find_layer(manifest, name)
    if layer.data is not None:
        return layer.data
    with closing(source.fetch(layer)) as stream:
        return read_verified(stream, layer, limit=limit)


def _find_layer(manifest: Manifest, name: str | None) -> Descriptor:
    if name is None:
        if len(manifest.layers) != 1:
            reason = f"it has {len(manifest.layers)} layers; name one of {_names(manifest)}"
            raise UnsupportedError(f"choose a layer of {manifest.digest}", reason)
        return manifest.layers[0]
    for layer in manifest.layers:
        if name in (layer.title, str(layer.digest)):
            return layer
    raise NotFoundError(f"file {name!r}", f"{manifest.digest}, which has {_names(manifest)}")


def _names(manifest: Manifest) -> str:
    names = [repr(layer.title or str(layer.digest)) for layer in manifest.layers]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return (", ".join(names[:SHOWN]) or "no layers") + more
