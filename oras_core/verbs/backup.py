"""Back up a repository into an OCI layout, and restore one from it."""

from __future__ import annotations

from contextlib import closing

from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath
from oras_core.ports.content import Target
from oras_core.ports.files import FileTree
from oras_core.stores.layout.archive import archived_layout, unpack_layout
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.verbs.mirror import Mirrored, MirrorSource, mirror

__all__ = ["backup", "backup_to_archive", "restore", "restore_from_archive"]


def backup(
    source: MirrorSource,
    tree: FileTree,
    *,
    verify: bool = False,
    options: CopyOptions | None = None,
) -> Mirrored:
    """Copy a repository, with all tags and referrers, into an OCI layout.

    A later backup into the same folder moves only what is new.

    Args:
        source: the repository.
        tree: an empty folder, or one with an earlier backup.
        verify: hash the blobs of an earlier backup, and copy damaged ones again.
        options: how to copy.

    Returns:
        The tags that were copied, and what was moved for them.

    Raises: as `mirror`.

    Example:
        >>> done = backup(repository, tree)
        >>> sorted(done.tags)
        ['multi', 'v1', 'v2']
    """
    return mirror(source, OciLayoutStore(tree, verify=verify), options=options)


def restore(tree: FileTree, destination: Target, *, options: CopyOptions | None = None) -> Mirrored:
    """Copy every artifact of an OCI layout, with tags and referrers, to a repository.

    Args:
        tree: a folder with a backup, or any layout.
        destination: the repository.
        options: how to copy.

    Returns:
        The tags that were copied, and what was moved for them.

    Raises:
        NotFoundError: if there is no layout in the folder.
        OrasError: as `mirror`.

    Example:
        >>> done = backup(repository, tree)
        >>> done = restore(tree, registry.repository("restored/model"))
        >>> sorted(done.created)
        ['multi', 'v1', 'v2']
    """
    store = OciLayoutStore(tree)
    if not store.is_made():
        raise NotFoundError("an OCI image layout", "the folder")
    return mirror(store, destination, options=options)


def backup_to_archive(
    source: MirrorSource,
    tree: FileTree,
    path: SafePath,
    *,
    scratch: FileTree,
    options: CopyOptions | None = None,
) -> Mirrored:
    """Copy a repository, with all tags and referrers, into an OCI layout in one tar file.

    Args:
        source: the repository.
        tree: the folder of the file.
        path: the path of the file in `tree`; it is created if missing.
        scratch: an empty folder, which receives the whole layout; the caller removes it.
        options: how to copy.

    Raises: as `backup` and `archived_layout`.

    Example:
        >>> path = sanitize_path("backup.tar")
        >>> done = backup_to_archive(repository, tree, path, scratch=MemoryFileTree())
        >>> tree.entry(path).kind
        'file'
    """
    with archived_layout(tree, path, scratch=scratch) as store:
        return mirror(source, store, options=options)


def restore_from_archive(
    tree: FileTree,
    path: SafePath,
    destination: Target,
    *,
    scratch: FileTree,
    limits: Limits | None = None,
    options: CopyOptions | None = None,
) -> Mirrored:
    """Copy every artifact of an OCI layout in one tar file to a repository.

    Args:
        tree: the folder of the file.
        path: the path of the file in `tree`.
        destination: the repository.
        scratch: an empty folder, which receives the whole layout; the caller removes it.
        limits: bounds of the archive.
        options: how to copy.

    Raises: as `restore` and `unpack_layout`.

    Example:
        >>> path, copied = sanitize_path("backup.tar"), registry.repository("restored/model")
        >>> done = backup_to_archive(repository, tree, path, scratch=MemoryFileTree())
        >>> done = restore_from_archive(tree, path, copied, scratch=MemoryFileTree())
        >>> sorted(copied.tags())
        ['multi', 'v1', 'v2']
    """
    with closing(tree.open(path)) as stream:
        unpack_layout(stream, scratch, limits=limits)
    return restore(scratch, destination, options=options)
