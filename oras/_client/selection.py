"""Which layers a pull writes, under which names, and which of them it unpacks."""

from __future__ import annotations

import os

from oras import defaults
from oras.logger import logger
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_folder, sanitize_path

__all__ = ["Selection", "holds_a_directory", "title_of", "unpacks"]

_ARCHIVE_NAMES = (".tar.gz", ".tgz", ".tar")


def title_of(layer: Descriptor) -> str:
    """Return the title of a layer, or its digest if it has none, as in oras-py."""
    # Windows takes a colon for the name of a stream.
    digest = str(layer.digest).replace(":", "-") if os.name == "nt" else str(layer.digest)
    return layer.title or digest


def unpacks(layer: Descriptor) -> bool:
    """Return whether a layer is a packed directory that is unpacked under its title.

    Any other layer for which `holds_a_directory` is True is unpacked beside its title.
    """
    if not holds_a_directory(layer):
        return False
    if media_types.ANNOTATION_UNPACK in layer.annotations:
        return True
    return layer.title is not None and not layer.title.endswith(_ARCHIVE_NAMES)


def holds_a_directory(layer: Descriptor) -> bool:
    """Return whether oras-py unpacks a layer. The core does not.

    An annotation decides. oras-py writes no such annotation: without it, the media type does.
    """
    marked = layer.annotations.get(media_types.ANNOTATION_UNPACK)
    if marked is not None:
        return marked == "true"
    return layer.media_type == defaults.default_blob_dir_media_type


class Selection:
    """Selects the layers that a pull writes."""

    def __init__(self, tree: LocalFileTree, *, overwrite: bool) -> None:
        """Select all layers or, unless `overwrite`, those whose file does not exist."""
        self._tree = tree
        self._overwrite = overwrite

    def includes(self, layer: Descriptor) -> bool:
        """Return whether to write `layer`. Log a warning if its file exists already."""
        title = title_of(layer)
        path = sanitize_folder(title) if unpacks(layer) else sanitize_path(title)
        if self._overwrite or self._tree.entry(path) is None:
            return True
        logger.warning(f"{path} already exists and --keep-old-files set, will not overwrite.")
        return False
