"""`pull`: converts the client's arguments for the core's `pull`, and its result."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oras import defaults
from oras._client.hooks import PULL_HOOKS, is_overridden
from oras._client.selection import Selection
from oras._client.unpacking import loose_archives
from oras.logger import logger
from oras_core.model.descriptor import Descriptor
from oras_core.verbs.pull import pull as pull_artifact
from oras_core.verbs.selection import FileSelection

if TYPE_CHECKING:
    from oras._client.protocol import RegistryClient
    from oras.container import Container
    from oras_core.model.platform import Platform
    from oras_core.registry.repository import RemoteRepository

__all__ = ["pull"]


class _Accepting:
    """A repository that requests only certain manifest media types."""

    def __init__(self, repository: RemoteRepository, media_types: list[str] | None) -> None:
        self._repository = repository
        self._accept = tuple(media_types or defaults.default_manifest_accepted_media_types)
        self.fetch = repository.fetch
        self.fetch_range = repository.fetch_range
        self.fetch_unverified = repository.fetch_unverified
        self.resolve = repository.resolve

    def fetch_reference(self, reference: str) -> tuple[Descriptor, bytes]:
        return self._repository.fetch_reference(reference, accept=self._accept)


@contextmanager
def _folder(outdir: str | os.PathLike[str] | None) -> Iterator[str]:
    """Yield the folder to pull into. A temporary folder is deleted if the pull fails."""
    if outdir:
        yield os.path.abspath(outdir)
        return
    from oras.utils import get_tmpdir  # noqa: PLC0415 - most pulls name a folder

    made = get_tmpdir()
    try:
        yield made
    except BaseException:
        import shutil  # noqa: PLC0415 - few pulls fail

        shutil.rmtree(made)
        raise


def pull(
    client: RegistryClient,
    container: Container,
    *,
    outdir: str | os.PathLike[str] | None,
    allowed_media_type: list[str] | None,
    overwrite: bool,
    platform: Platform | None,
) -> list[str]:
    """Pull with the core's engine, or through the methods that the client overrides.

    Returns:
        The absolute paths of the pulled files and folders, in the manifest's order. They
        exist: an archive that was unpacked beside its title counts as its top-level members.
    """
    with _folder(outdir) as root:
        tree = client.connections.composition.folder(root)
        selection = Selection(tree, overwrite=overwrite)
        if is_overridden(client, *PULL_HOOKS):
            from oras._client.stepwise import pull_stepwise  # noqa: PLC0415 - rarely needed

            paths = pull_stepwise(client, container, root, selection, allowed_media_type, platform)
        else:
            with loose_archives(root) as archives:
                pulled = pull_artifact(
                    _Accepting(client.connections.repository(container), allowed_media_type),
                    container.digest or container.tag,
                    tree,
                    platform=platform,
                    selection=None if overwrite else FileSelection(layers=selection.includes),
                    title_of=archives.title_of,
                    unpacks=archives.unpacks,
                    compressions=client.connections.composition.compressions,
                    options=client.connections.copy_options,
                )
                paths = [found for path in pulled.files for found in archives.unpack(str(path))]
    for path in paths:
        logger.info(f"Successfully pulled {path}.")
    return paths
