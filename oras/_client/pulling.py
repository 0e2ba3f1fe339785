"""`pull`: converts the client's arguments for the core's `pull`, and its result."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oras import defaults
from oras._client.hooks import PULL_HOOKS, is_overridden
from oras.logger import logger
from oras.utils import get_tmpdir
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.verbs.pull import pull as pull_artifact

if TYPE_CHECKING:
    from oras.container import Container
    from oras.provider import Registry
    from oras_core.model.platform import Platform
    from oras_core.registry.repository import RemoteRepository

__all__ = ["Selection", "pull", "title_of", "unpacks"]

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
        path = sanitize_path(title_of(layer))
        if self._overwrite or self._tree.entry(path) is None:
            return True
        logger.warning(f"{path} already exists and --keep-old-files set, will not overwrite.")
        return False


class _Accepting:
    """A repository that requests only certain manifest media types."""

    def __init__(self, repository: RemoteRepository, media_types: list[str] | None) -> None:
        self._repository = repository
        self._accept = tuple(media_types or defaults.default_manifest_accepted_media_types)
        self.fetch = repository.fetch
        self.fetch_range = repository.fetch_range
        self.resolve = repository.resolve

    def fetch_reference(self, reference: str) -> tuple[Descriptor, bytes]:
        return self._repository.fetch_reference(reference, accept=self._accept)


@contextmanager
def _folder(outdir: str | os.PathLike[str] | None) -> Iterator[str]:
    """Yield the folder to pull into. A temporary folder is deleted if the pull fails."""
    if outdir:
        yield os.path.abspath(outdir)
        return
    made = get_tmpdir()
    try:
        yield made
    except BaseException:
        shutil.rmtree(made)
        raise


def pull(
    client: Registry,
    container: Container,
    *,
    outdir: str | os.PathLike[str] | None,
    allowed_media_type: list[str] | None,
    overwrite: bool,
    platform: Platform | None,
) -> list[str]:
    """Pull with the core's engine, or through the methods that the client overrides.

    Returns:
        The absolute paths of the pulled files and folders, in the manifest's order.
    """
    with _folder(outdir) as root:
        tree = LocalFileTree(root, create=True)
        selection = Selection(tree, overwrite=overwrite)
        if is_overridden(client, *PULL_HOOKS):
            from oras._client.stepwise import pull_stepwise  # noqa: PLC0415 - rarely needed

            paths = pull_stepwise(client, container, root, selection, allowed_media_type, platform)
        else:
            pulled = pull_artifact(
                _Accepting(client.connections.repository(container), allowed_media_type),
                container.digest or container.tag,
                tree,
                platform=platform,
                includes=selection.includes,
                title_of=title_of,
                unpacks=unpacks,
                compressions=client.connections.composition.compressions,
                options=client.connections.copy_options,
            )
            paths = [os.path.join(root, str(path)) for path in pulled.files]
    for path in paths:
        logger.info(f"Successfully pulled {path}.")
    return paths
