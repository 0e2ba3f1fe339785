"""The file tree over an open folder, the same for all systems."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from typing import Final

from oras_adapters.files.entries import RegularFile, as_entry, names_of_system
from oras_adapters.files.folders import Folder, FolderOf, open_folder, refuse_unless
from oras_adapters.files.kept_files import forget_in, resume_in
from oras_adapters.files.locks import lock_in
from oras_adapters.files.partial_directories import PartialDirectory
from oras_adapters.files.partial_files import (
    PartialFile,
    is_partial,
    partial_name,
    remove_partial,
)
from oras_adapters.files.system_errors import SystemErrors, kind_of
from oras_core.errors import NotFoundError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.names import NamePolicy
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.digests import DigestKeeper, DigestMemory
from oras_core.ports.files import (
    FileEntry,
    FileTree,
    HeldLock,
    Linker,
    Locker,
    NameRules,
    PartialKeeper,
    PartialRemover,
    PendingDirectory,
    PendingFile,
    ResumableFile,
    Toucher,
)

__all__ = ["FolderTree", "open_root"]

OPENINGS: Final = 20
"""Attempts to open a file that is replaced at the same moment, as writers of an OCI layout replace
its `index.json`. Each attempt examines the whole path."""

_REFUSED: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
"""Errors on changing the time of a file of another user, or on a read-only file system."""


def open_root(
    opener: Callable[[str], Folder], root: str | os.PathLike[str], *, create: bool
) -> Folder:
    """Open the folder at the path `root`; symbolic links in this path are followed.

    Raises:
        NotFoundError: if the folder does not exist.
        FileAccessError: if the folder cannot be created or opened.
    """
    shown = os.fspath(root)
    with SystemErrors("open folder", shown):
        if create:
            os.makedirs(shown, exist_ok=True)
        try:
            return opener(shown)
        except FileNotFoundError as error:
            raise NotFoundError(f"folder {shown!r}", "the file system") from error


class FolderTree(
    DigestKeeper, FileTree, Linker, Locker, NameRules, PartialKeeper, PartialRemover, Toucher
):
    """An open folder. Thread-safe.

    Files and directories are written under a temporary name in their final folder, which
    begins with a dot and ends in `.oras-partial`. A complete one is renamed. The umask of the
    process sets the permissions.
    """

    def __init__(
        self, root: Folder, *, durable: bool = False, digests: DigestMemory | None = None
    ) -> None:
        """Own the folder `root`.

        Args:
            root: an open folder.
            durable: write each file to the disk (fsync) before its commit returns.
            digests: remembers the digests of the files; None to hash them each time.
        """
        self._root = root
        self._durable = durable
        self._digests = digests
        # A tree has no close method: garbage collection of the tree closes the folder.
        weakref.finalize(self, root.close)

    @property
    def digests(self) -> DigestMemory | None:
        """The memory of the files' digests; None if there is none."""
        return self._digests

    @property
    def names(self) -> NamePolicy:
        """The rules of this system for names."""
        return names_of_system()

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return the entry at `path`, without following a link; None if there is none."""
        with SystemErrors("look at", path):
            try:
                with FolderOf(self._root, path) as folder:
                    return _entry(folder, path)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over the entries of a directory, sorted by name; None for the root.

        Partial files and folders are left out.

        Raises:
            NotFoundError: if the directory does not exist.
            UnsafePathError: if a name in the directory is refused on this system.
        """
        with SystemErrors("list", path or "."):
            try:
                folder = open_folder(self._root, path.parts if path else (), path or ".")
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"directory {str(path or '.')!r}", "the folder") from error
            with closing(folder):
                return iter(_listing(folder, path))

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading.

        Raises:
            NotFoundError: if the file does not exist.
            UnsafePathError: if the path is a symbolic link or leads through one.
            FileAccessError: if it is not a regular file, or the system refuses.
        """
        return self._open(path)

    def _open(self, path: SafePath) -> RegularFile:
        with SystemErrors("open", path):
            try:
                descriptor = self._open_descriptor(path)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"file {str(path)!r}", "the folder") from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise UnsafePathError(str(path), "it is a symbolic link") from error
                raise
        return RegularFile(descriptor, path)

    def _open_descriptor(self, path: SafePath) -> int:
        left = OPENINGS
        while True:
            left -= 1
            try:
                with FolderOf(self._root, path) as folder:
                    return folder.open(path.name, os.O_RDONLY)
            except OSError as error:
                if error.errno != errno.ESTALE or not left:
                    raise

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Start to write a file.

        Raises:
            UnsafePathError: if the path leads through a link, is a link or a directory, or has
                a name that the system refuses.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create")
        return PartialFile(folder, path, executable=executable, durable=self._durable)

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Start to write a file, or continue an earlier attempt; see the port.

        Raises: as `create`.
        """
        folder = self._make_folder_of(path, "create")
        return resume_in(folder, path, content, durable=self._durable)

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove the partial file with digest `content` beside `path`; see the port.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses access.
        """
        with SystemErrors("look at", path):
            try:
                with FolderOf(self._root, path) as folder:
                    forget_in(folder, content)
            except (FileNotFoundError, NotADirectoryError):
                return

    def remove_partials(self, path: SafePath | None = None) -> None:
        """Remove the partial files and folders directly in a directory; see the port.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses access.
        """
        with SystemErrors("list", path or "."):
            try:
                folder = open_folder(self._root, path.parts if path else (), path or ".")
            except (FileNotFoundError, NotADirectoryError):
                return
            with closing(folder):
                for name in folder.names():
                    if is_partial(name):
                        remove_partial(folder, name)

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Start to fill a directory.

        Raises:
            UnsafePathError: as `create`, or if `path` is a file.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create directory")
        return PartialDirectory(
            folder, path, lambda inside: FolderTree(inside, durable=self._durable)
        )

    def make_directory(self, path: SafePath) -> None:
        """Create a directory and its parents; an existing directory is accepted.

        Raises:
            UnsafePathError: as `create`, or if `path` is a file.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create directory")
        with closing(folder), SystemErrors("create directory", path):
            refuse_unless(folder, path.name, path, "directory")
            try:
                folder.make(path.name)
            except FileExistsError:
                refuse_unless(folder, path.name, path, "directory")

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Create a symbolic link to `target`, replacing a file or link.

        Raises:
            UnsafePathError: as `create`.
            FileAccessError: if the system refuses; Windows allows links only to administrators
                and in its developer mode.
        """
        folder = self._make_folder_of(path, "link")
        with closing(folder), SystemErrors("link", path):
            refuse_unless(folder, path.name, path, "file", "symlink")
            partial = partial_name()
            folder.make_link(partial, target)
            try:
                folder.rename(partial, folder, path.name)
            except BaseException:
                folder.unlink(partial)
                raise

    def link(self, path: SafePath, source: SafePath) -> None:
        """Give the file at `source` the second name `path`; see the port.

        Raises:
            NotFoundError: if there is no file at `source`.
            UnsafePathError: as `create`, or if an entry is not a file.
            FileAccessError: if the system refuses; some file systems have no hard links.
        """
        folder = self._make_folder_of(path, "link")
        with closing(folder), SystemErrors("link", path):
            refuse_unless(folder, path.name, path, "file")
            try:
                with FolderOf(self._root, source) as other:
                    refuse_unless(other, source.name, source, "file")
                    _add_name(other, source.name, folder, path.name)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"file {str(source)!r}", "the folder") from error

    def touch(self, path: SafePath) -> None:
        """Set the modification time of a file to now, if the system permits it; see the port.

        Raises:
            NotFoundError: if the file does not exist.
            UnsafePathError: if the path is a symbolic link or leads through one.
            FileAccessError: if it is not a regular file, or cannot be read.
        """
        self._open(path).close()  # refuses whatever is not a file
        with SystemErrors("touch", path), FolderOf(self._root, path) as folder:
            try:
                folder.touch(path.name)
            except OSError as error:
                if error.errno not in _REFUSED:
                    raise

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory; a missing one is accepted.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses, e.g. for a directory that is not empty.
        """
        with SystemErrors("remove", path):
            try:
                folder = open_folder(self._root, path.parts[:-1], path)
            except (FileNotFoundError, NotADirectoryError):
                return
            with closing(folder):
                kind = folder.kind(path.name)
                if kind == "directory":
                    folder.rmdir(path.name)
                elif kind is not None:
                    folder.unlink(path.name)

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None at once; see the port.

        Raises:
            UnsafePathError: as `create`.
            FileAccessError: if the system refuses; some file systems have no locks.
        """
        with closing(self._make_folder_of(path, "lock")) as folder:
            return lock_in(folder, path, shared=shared)

    def _make_folder_of(self, path: SafePath, operation: str) -> Folder:
        self.names.check(path)
        with SystemErrors(operation, path):
            return open_folder(self._root, path.parts[:-1], path, make=True)


def _entry(folder: Folder, path: SafePath) -> FileEntry | None:
    status = folder.status(path.name)
    if status is None:
        return None
    kind = kind_of(status)
    target = folder.link_text(path.name) if kind == "symlink" else ""
    return as_entry(path, kind, status, target)


def _add_name(source: Folder, name: str, folder: Folder, final: str) -> None:
    try:
        source.add_name(name, folder, final)
    except FileExistsError:
        partial = partial_name()
        source.add_name(name, folder, partial)
        folder.rename(partial, folder, final)
        with suppress(FileNotFoundError):  # two names of one file: the rename did nothing
            folder.unlink(partial)


def _listing(folder: Folder, path: SafePath | None) -> list[FileEntry]:
    found = []
    for name in folder.names():
        if is_partial(name):
            continue  # ours; any other spelling of the suffix is refused below
        here = path / sanitize_path(name) if path else sanitize_path(name)
        # A file that was removed during the listing is left out.
        with SystemErrors("look at", here), suppress(FileNotFoundError):
            entry = _entry(folder, here)
            if entry is not None:
                found.append(entry)
    return found
