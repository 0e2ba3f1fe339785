"""A folder on the disk of any system, by paths, where the system has no directory descriptors.

No link that exists is followed, and writes are atomic. What a process of the same user changes
between a check and the use of a path is not noticed: see docs/security.md.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from oras_adapters.files.entries import RegularFile, as_entry, names_of_system
from oras_adapters.files.portable_locks import lock_file
from oras_adapters.files.portable_partials import (
    OPEN_FLAGS,
    PortableFile,
    forget_partial,
    move_directory,
    partial_name,
    remove_tree,
    resume_partial,
)
from oras_adapters.files.portable_paths import (
    absolute_root,
    folder_at,
    kind_at,
    kind_of_status,
    link_text,
    replace,
    status_at,
)
from oras_adapters.files.system_errors import SystemErrors, check_replaceable
from oras_core.errors import FileAccessError, NotFoundError, UnsafePathError
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

__all__ = ["PortableFileTree"]


class PortableFileTree(FileTree, Locker, NameRules, PartialKeeper):
    """A folder on the disk of any system. Thread-safe.

    Files and directories are written under a temporary name in their final folder, which
    begins with a dot and ends in `.oras-partial`. A complete one is renamed.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, create: bool = False, durable: bool = False
    ) -> None:
        """Use the folder at the present path of `root`.

        Args:
            root: the folder. Symbolic links in this path are followed.
            create: create the folder and its parents if missing.
            durable: write each file to the disk (fsync) before its commit returns.

        Raises:
            NotFoundError: if the folder does not exist.
            FileAccessError: if the folder cannot be created or opened.
        """
        shown = os.fspath(root)
        with SystemErrors("open folder", shown):
            if create:
                os.makedirs(root, exist_ok=True)
            self._root = absolute_root(shown)
            kind = kind_at(self._root)
            if kind is None:
                raise NotFoundError(f"folder {shown!r}", "the file system")
            if kind != "directory":
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), shown)
        self._durable = durable

    @property
    def names(self) -> NamePolicy:
        """The rules of this system for names."""
        return names_of_system()

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return the entry at `path`, without following a link; None if there is none."""
        with SystemErrors("look at", path):
            try:
                folder = folder_at(self._root, path.parts[:-1], path)
            except (FileNotFoundError, NotADirectoryError):
                return None
            return _entry(os.path.join(folder, path.name), path)

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
                folder = folder_at(self._root, path.parts if path else (), shown)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"directory {shown!r}", "the folder") from error
            return iter(_listing(folder, path))

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading.

        Raises:
            NotFoundError: if the file does not exist.
            UnsafePathError: if the path is a symbolic link or leads through one.
            FileAccessError: if it is not a regular file, or the system refuses.
        """
        with SystemErrors("open", path):
            try:
                folder = folder_at(self._root, path.parts[:-1], path)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"file {str(path)!r}", "the folder") from error
            name = os.path.join(folder, path.name)
            status = status_at(name)
            if status is None:
                raise NotFoundError(f"file {str(path)!r}", "the folder")
            kind = kind_of_status(status)
            if kind == "symlink":
                raise UnsafePathError(str(path), "it is a symbolic link")
            if kind != "file":
                raise FileAccessError("open", str(path), "it is not a regular file")
            stream = RegularFile(os.open(name, os.O_RDONLY | OPEN_FLAGS), path)
        if not os.path.samestat(os.fstat(stream.fileno()), status):
            stream.close()
            raise FileAccessError("open", str(path), "it was replaced at the same moment")
        return stream

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Start to write a file.

        Raises:
            UnsafePathError: if the path leads through a link, is a link or a directory, or has
                a name that the system refuses.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create")
        return PortableFile(folder, path, executable=executable, durable=self._durable)

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Start to write a file, or continue an earlier attempt; see the port.

        Raises: as `create`.
        """
        folder = self._make_folder_of(path, "create")
        return resume_partial(folder, path, content, durable=self._durable)

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove the partial file with digest `content` beside `path`; see the port.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses access.
        """
        with SystemErrors("look at", path):
            try:
                forget_partial(folder_at(self._root, path.parts[:-1], path), content)
            except (FileNotFoundError, NotADirectoryError):
                return

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Start to fill a directory.

        Raises:
            UnsafePathError: as `create`, or if `path` is a file.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create directory")
        return _PartialDirectory(folder, path, durable=self._durable)

    def make_directory(self, path: SafePath) -> None:
        """Create a directory and its parents; an existing directory is accepted.

        Raises:
            UnsafePathError: as `create`, or if `path` is a file.
            FileAccessError: if the system refuses.
        """
        name = os.path.join(self._make_folder_of(path, "create directory"), path.name)
        with SystemErrors("create directory", path):
            check_replaceable(kind_at(name), path, "directory")
            try:
                os.mkdir(name)
            except FileExistsError:
                check_replaceable(kind_at(name), path, "directory")

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Create a symbolic link to `target`, replacing a file or link.

        Raises:
            UnsafePathError: as `create`.
            FileAccessError: if the system refuses; Windows allows links only to administrators
                and in its developer mode.
        """
        folder = self._make_folder_of(path, "link")
        partial = os.path.join(folder, partial_name())
        with SystemErrors("link", path):
            check_replaceable(kind_at(os.path.join(folder, path.name)), path, "file", "symlink")
            native = target.replace("/", os.sep)
            is_directory = os.path.isdir(os.path.join(folder, native))
            os.symlink(native, partial, target_is_directory=is_directory)
            try:
                replace(partial, os.path.join(folder, path.name), path, "file", "symlink")
            except BaseException:
                os.unlink(partial)
                raise

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory; a missing one is accepted.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses, e.g. for a directory that is not empty.
        """
        with SystemErrors("remove", path):
            try:
                folder = folder_at(self._root, path.parts[:-1], path)
            except (FileNotFoundError, NotADirectoryError):
                return
            name = os.path.join(folder, path.name)
            kind = kind_at(name)
            if kind == "directory":
                os.rmdir(name)
            elif kind is not None:
                os.unlink(name)

    def lock(self, path: SafePath, *, shared: bool = False) -> HeldLock:
        """Wait for the lock at `path`; see the port.

        Raises:
            UnsafePathError: if the path leads through a link.
            FileAccessError: if the system refuses, or has no locks.
            CancelledError: if the current token is cancelled.
        """
        lock = self._lock_at(path, shared=shared, waits=True)
        if lock is None:
            raise FileAccessError("lock", str(path), "the system did not wait")
        return lock

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None at once; see the port.

        Raises: as `lock`.
        """
        return self._lock_at(path, shared=shared, waits=False)

    def _lock_at(self, path: SafePath, *, shared: bool, waits: bool) -> HeldLock | None:
        name = os.path.join(self._make_folder_of(path, "lock"), path.name)
        with SystemErrors("lock", path):
            check_replaceable(kind_at(name), path, "file")
        return lock_file(name, path, shared=shared, waits=waits)

    def _make_folder_of(self, path: SafePath, operation: str) -> str:
        self.names.check(path)
        with SystemErrors(operation, path):
            return folder_at(self._root, path.parts[:-1], path, make=True)


def _entry(name: str, path: SafePath) -> FileEntry | None:
    status = status_at(name)
    if status is None:
        return None
    if kind_of_status(status) != "symlink":
        return as_entry(path, status, "")
    return FileEntry(path, "symlink", link_target=link_text(name))


def _listing(folder: str, path: SafePath | None) -> list[FileEntry]:
    found = []
    for name in sorted(os.listdir(folder)):
        if name.startswith(".") and is_unfinished(name):
            continue  # ours; any other spelling of the suffix is refused below
        here = sanitize_path(name)
        entry = _entry(os.path.join(folder, name), path / here if path else here)
        if entry is not None:  # None: removed during the listing
            found.append(entry)
    return found


class _PartialDirectory(PendingDirectory):
    """A directory being filled under a temporary name."""

    def __init__(self, folder: str, path: SafePath, *, durable: bool) -> None:
        """Create it in the directory `folder`."""
        self._final = os.path.join(folder, path.name) if path.parts else folder
        self._path = path
        self._name = os.path.join(folder, partial_name())
        with SystemErrors("create directory", path):
            check_replaceable(kind_at(self._final), path, "directory")
            os.mkdir(self._name)
        self._tree = PortableFileTree(self._name, durable=durable)

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
            move_directory(self._name, self._final, self._path)
        self._name = ""

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the directory, unless it was committed."""
        if self._name:
            remove_tree(self._name)
            self._name = ""
