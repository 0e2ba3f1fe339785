"""Which layers a pull writes, under which names, and which of them it unpacks."""

from __future__ import annotations

from oras import defaults
from oras.logger import logger
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_folder, sanitize_path

__all__ = ["Selection", "title_of", "unpacks"]

_ARCHIVE_NAMES = (".tar.gz", ".tgz", ".tar")


def title_of(layer: Descriptor) -> str:
    """Return the title of a layer, or its digest if it has none, as in oras-py."""
    return layer.title or str(layer.digest)


def unpacks(layer: Descriptor) -> bool:
    """Return whether a layer is a packed directory.

    An annotation decides. oras-py writes no such annotation: without it, a layer is a packed
    directory if it has the media type of one and its title is not the name of an archive.
    """
    marked = layer.annotations.get(media_types.ANNOTATION_UNPACK)
    if marked is not None:
        return marked == "true"
    if layer.media_type != defaults.default_blob_dir_media_type or layer.title is None:
        return False
    return not layer.title.endswith(_ARCHIVE_NAMES)


class Selection:
    """Selects the layers that a pull writes."""

    def __init__(
        self,
        tree: LocalFileTree,
        *,
        overwrite: bool,
    ) -> None:
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
