"""A folder on the disk of a POSIX system, by directory descriptors.

No path leaves the folder, no link is followed, and writes are atomic.
"""

from __future__ import annotations

import errno
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from oras_adapters.files.entries import RegularFile, as_entry, names_of_system
from oras_adapters.files.posix_directories import (
    FolderOf,
    enter,
    kind_at,
    listed,
    native,
    open_directory,
    open_folder,
    refuse_unless,
    utf8,
)
from oras_adapters.files.posix_locks import lock_at
from oras_adapters.files.posix_partials import (
    PartialFile,
    move_directory,
    partial_name,
    remove_tree,
)
from oras_adapters.files.posix_resumable import forget_at, resume_at
from oras_adapters.files.system_errors import SystemErrors
from oras_core.errors import NotFoundError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.names import NamePolicy
from oras_core.model.paths import SafePath, is_unfinished, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import (
    FileEntry,
    FileTree,
    HeldLock,
    Locker,
    NameRules,
    PartialKeeper,
    PendingDirectory,
    PendingFile,
    ResumableFile,
)

__all__ = ["PosixFileTree"]

READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Non-blocking, so that opening a FIFO does not hang."""


class PosixFileTree(FileTree, Locker, NameRules, PartialKeeper):
    """A folder on the local disk. Thread-safe.

    Files and directories are written under a temporary name in their final folder, which
    begins with a dot and ends in `.oras-partial`. A complete one is renamed. The umask of the
    process sets the permissions.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, create: bool = False, durable: bool = False
    ) -> None:
        """Open the folder. The tree stays in this folder even if its path changes later.

        Args:
            root: the folder. Symbolic links in this path are followed.
            create: create the folder and its parents if missing.
            durable: write each file to the disk (fsync) before its commit returns, which
                costs some milliseconds per file. Otherwise a power failure may undo a commit;
                a killed process never does.

        Raises:
            NotFoundError: if the folder does not exist.
            FileAccessError: if the folder cannot be created or opened.
        """
        with SystemErrors("open folder", os.fspath(root)):
            if create:
                os.makedirs(root, exist_ok=True)
            try:
                descriptor = open_directory(root, follow=True)
            except FileNotFoundError as error:
                raise NotFoundError(f"folder {os.fspath(root)!r}", "the file system") from error
        self._hold(descriptor, durable=durable)

    def _hold(self, root: int, *, durable: bool) -> None:
        self._root = root
        self._durable = durable
        # A tree has no close method: garbage collection of the tree closes the descriptor.
        weakref.finalize(self, os.close, root)

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
        shown = "." if path is None else str(path)
        with SystemErrors("list", shown):
            try:
                folder = open_folder(self._root, path.parts if path else (), shown)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"directory {shown!r}", "the folder") from error
            try:
                return iter(_listing(folder, path))
            finally:
                os.close(folder)

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading.

        Raises:
            NotFoundError: if the file does not exist.
            UnsafePathError: if the path is a symbolic link or leads through one.
            FileAccessError: if it is not a regular file, or the system refuses.
        """
        with SystemErrors("open", path):
            try:
                with FolderOf(self._root, path) as folder:
                    descriptor = os.open(native(path.name), READ_FLAGS, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"file {str(path)!r}", "the folder") from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise UnsafePathError(str(path), "it is a symbolic link") from error
                raise
        return RegularFile(descriptor, path)

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Start to write a file.

        Raises:
            UnsafePathError: if the path leads through a link, or is a link or a directory.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create")
        return PartialFile(folder, path, executable=executable, durable=self._durable)

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Start to write a file, or continue an earlier attempt; see the port.

        Raises: as `create`.
        """
        folder = self._make_folder_of(path, "create")
        return resume_at(folder, path, content, durable=self._durable)

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove the partial file with digest `content` beside `path`; see the port.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses access.
        """
        with SystemErrors("look at", path):
            try:
                with FolderOf(self._root, path) as folder:
                    forget_at(folder, content)
            except (FileNotFoundError, NotADirectoryError):
                return

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Start to fill a directory.

        Raises:
            UnsafePathError: if the path leads through a link, or is a link or a file.
            FileAccessError: if the system refuses.
        """
        return _PartialDirectory(
            self._make_folder_of(path, "create directory"), path, durable=self._durable
        )

    def make_directory(self, path: SafePath) -> None:
        """Create a directory and its parents; an existing directory is accepted.

        Raises:
            UnsafePathError: if the path leads through a link, or is a link or a file.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create directory")
        with _closing(folder), SystemErrors("create directory", path):
            refuse_unless(folder, path.name, path, "directory")
            try:
                os.mkdir(native(path.name), dir_fd=folder)
            except FileExistsError:
                refuse_unless(folder, path.name, path, "directory")

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Create a symbolic link to `target`, replacing a file or link.

        Raises:
            UnsafePathError: if the path leads through a link, or is a directory.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "link")
        with _closing(folder), SystemErrors("link", path):
            refuse_unless(folder, path.name, path, "file", "symlink")
            partial = partial_name()
            os.symlink(native(target), native(partial), dir_fd=folder)
            try:
                os.rename(partial, native(path.name), src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(partial, dir_fd=folder)
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
            with _closing(folder):
                kind = kind_at(folder, path.name)
                if kind == "directory":
                    os.rmdir(native(path.name), dir_fd=folder)
                elif kind is not None:
                    os.unlink(native(path.name), dir_fd=folder)

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None at once; see the port.

        Raises:
            UnsafePathError: if a symbolic link is part of the path.
            FileAccessError: if the system refuses; some file systems have no locks.
        """
        with _closing(folder := self._make_folder_of(path, "lock")):
            return lock_at(folder, path, shared=shared)

    def _make_folder_of(self, path: SafePath, operation: str) -> int:
        with SystemErrors(operation, path):
            return open_folder(self._root, path.parts[:-1], path, make=True)


def _entry(folder: int, path: SafePath) -> FileEntry:
    name = native(path.name)
    status = os.lstat(name, dir_fd=folder)
    target = utf8(os.readlink(name, dir_fd=folder)) if stat.S_ISLNK(status.st_mode) else ""
    return as_entry(path, status, target)


def _listing(folder: int, path: SafePath | None) -> list[FileEntry]:
    found = []
    for name in listed(folder):
        if name.startswith(".") and is_unfinished(name):
            continue  # ours; any other spelling of the suffix is refused below
        here = sanitize_path(name)
        try:
            found.append(_entry(folder, path / here if path else here))
        except FileNotFoundError:
            continue  # removed during the listing
    return found


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


class _Inside(PosixFileTree):
    """The contents of an open directory."""

    def __init__(self, root: int, *, durable: bool) -> None:
        """Own the descriptor."""
        self._hold(root, durable=durable)


class _PartialDirectory(PendingDirectory):
    """A directory being filled under a temporary name."""

    def __init__(self, folder: int, path: SafePath, *, durable: bool) -> None:
        """Create it in the open directory `folder`, and own that descriptor."""
        self._folder = folder
        self._path = path
        self._name = partial_name()
        try:
            with SystemErrors("create directory", path):
                refuse_unless(folder, path.name, path, "directory")
                os.mkdir(self._name, dir_fd=folder)
                inside = enter(folder, self._name, path)
        except BaseException:
            os.close(folder)
            raise
        self._tree = _Inside(inside, durable=durable)

    @property
    def tree(self) -> FileTree:
        """The contents of the directory."""
        return self._tree

    def commit(self) -> None:
        """Give the directory its name, or merge it into an existing directory.

        Raises:
            UnsafePathError: if an entry would replace one of another kind; then nothing is
                replaced.
            FileAccessError: if the system refuses; entries merged before stay merged.
        """
        with SystemErrors("write directory", self._path):
            move_directory(self._folder, self._name, self._folder, self._path.name, self._path)
        self._leave()

    def _leave(self) -> None:
        folder, self._folder = self._folder, -1
        os.close(folder)

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the directory, unless it was committed."""
        if self._folder >= 0:
            remove_tree(self._folder, self._name)
            self._leave()
