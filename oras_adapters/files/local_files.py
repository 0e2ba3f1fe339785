"""A folder on the local disk: contained, following no links, atomic."""

from __future__ import annotations

import errno
import io
import os
import stat
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from oras_adapters.files.directory_fds import (
    FolderOf,
    SystemErrors,
    enter,
    kind_at,
    kind_of,
    open_folder,
    refuse_unless,
)
from oras_adapters.files.file_locks import FileLock, lock_at
from oras_adapters.files.partial_files import PartialFile, move_directory, partial_name, remove_tree
from oras_adapters.files.resumable_files import forget_at, resume_at
from oras_core.errors import FileAccessError, NotFoundError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.paths import SafePath, is_unfinished, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import (
    FileEntry,
    FileTree,
    HeldLock,
    Locker,
    PartialKeeper,
    PendingDirectory,
    PendingFile,
    ResumableFile,
)

__all__ = ["LocalFileTree", "scratch_directory"]

READ_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Not blocking: a FIFO in place of a file must not hold up who opens it."""


class LocalFileTree(FileTree, Locker, PartialKeeper):
    """A folder on the local disk. Thread-safe.

    Files and directories are written under a temporary name in their own folder, which
    begins with a dot and ends in `.oras-partial`, and renamed when they are whole. The
    process' umask decides their permissions.
    """

    def __init__(
        self, root: str | os.PathLike[str], *, create: bool = False, durable: bool = False
    ) -> None:
        """Open the folder; it stays the same one should its path come to mean another.

        Args:
            root: the folder. Symbolic links on the way to it are the caller's, and followed.
            create: make it, and its parents, if it is missing.
            durable: let the commit of a file return only when the disk holds it (fsync), at
                the cost of some milliseconds each. Without it a power failure may undo a
                commit; the end of the process, however it comes, cannot.

        Raises:
            NotFoundError: if there is no such folder.
            FileAccessError: if it cannot be made or opened.
        """
        with SystemErrors("open folder", os.fspath(root)):
            if create:
                os.makedirs(root, exist_ok=True)
            try:
                descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except FileNotFoundError as error:
                raise NotFoundError(f"folder {os.fspath(root)!r}", "the file system") from error
        self._hold(descriptor, durable=durable)

    def _hold(self, root: int, *, durable: bool) -> None:
        self._root = root
        self._durable = durable
        # A tree has no end of its own: the descriptor goes when nobody holds the tree.
        weakref.finalize(self, os.close, root)

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return what lies at `path`; None if nothing does. Follows no link."""
        with SystemErrors("look at", path):
            try:
                with FolderOf(self._root, path) as folder:
                    return _entry(folder, path)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over what lies directly in a directory, sorted by name; None: in the root.

        What is not finished yet is left out.

        Raises:
            NotFoundError: if there is no such directory.
            UnsafePathError: if a name in it is one that not every platform could write.
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
            NotFoundError: if there is no such file.
            UnsafePathError: if it is a symbolic link, or one lies in the way.
            FileAccessError: if it is no regular file, or the system refuses.
        """
        with SystemErrors("open", path):
            try:
                with FolderOf(self._root, path) as folder:
                    descriptor = os.open(path.name, READ_FLAGS, dir_fd=folder)
            except (FileNotFoundError, NotADirectoryError) as error:
                raise NotFoundError(f"file {str(path)!r}", "the folder") from error
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise UnsafePathError(str(path), "it is a symbolic link") from error
                raise
        return _LocalStream(descriptor, path)

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Begin to write a file.

        Raises:
            UnsafePathError: if a link lies in the way, or a link or directory at `path`.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create")
        return PartialFile(folder, path, executable=executable, durable=self._durable)

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Begin to write a file, or go on with one; see the port.

        Raises: as `create`.
        """
        folder = self._make_folder_of(path, "create")
        return resume_at(folder, path, content, durable=self._durable)

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove what is kept of `content` beside `path`; see the port.

        Raises:
            UnsafePathError: if a link lies in the way.
            FileAccessError: if the system refuses to look there.
        """
        with SystemErrors("look at", path):
            try:
                with FolderOf(self._root, path) as folder:
                    forget_at(folder, content)
            except (FileNotFoundError, NotADirectoryError):
                return

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Begin to fill a directory.

        Raises:
            UnsafePathError: if a link lies in the way, or a link or file at `path`.
            FileAccessError: if the system refuses.
        """
        return _PartialDirectory(
            self._make_folder_of(path, "create directory"), path, durable=self._durable
        )

    def make_directory(self, path: SafePath) -> None:
        """Make a directory, and its parents; one that exists is no error.

        Raises:
            UnsafePathError: if a link lies in the way, or a link or file at `path`.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "create directory")
        with _closing(folder), SystemErrors("create directory", path):
            refuse_unless(folder, path.name, path, "directory")
            try:
                os.mkdir(path.name, dir_fd=folder)
            except FileExistsError:
                refuse_unless(folder, path.name, path, "directory")

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Make a symbolic link that says `target`, replacing a file or link there.

        Raises:
            UnsafePathError: if a link lies in the way, or a directory at `path`.
            FileAccessError: if the system refuses.
        """
        folder = self._make_folder_of(path, "link")
        with _closing(folder), SystemErrors("link", path):
            refuse_unless(folder, path.name, path, "file", "symlink")
            partial = partial_name()
            os.symlink(target, partial, dir_fd=folder)
            try:
                os.rename(partial, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(partial, dir_fd=folder)
                raise

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory; none being there is no error.

        Raises:
            UnsafePathError: if a link lies in the way.
            FileAccessError: if the system refuses, e.g. since the directory is not empty.
        """
        with SystemErrors("remove", path):
            try:
                folder = open_folder(self._root, path.parts[:-1], path)
            except (FileNotFoundError, NotADirectoryError):
                return
            with _closing(folder):
                kind = kind_at(folder, path.name)
                if kind == "directory":
                    os.rmdir(path.name, dir_fd=folder)
                elif kind is not None:
                    os.unlink(path.name, dir_fd=folder)

    def lock(self, path: SafePath, *, shared: bool = False) -> HeldLock:
        """Wait for the lock at `path`; see the port.

        Raises:
            UnsafePathError: if a link lies in the way.
            FileAccessError: if the system refuses, e.g. since the file system has no locks.
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

    def _lock_at(self, path: SafePath, *, shared: bool, waits: bool) -> FileLock | None:
        with _closing(folder := self._make_folder_of(path, "lock")):
            return lock_at(folder, path, shared=shared, waits=waits)

    def _make_folder_of(self, path: SafePath, operation: str) -> int:
        with SystemErrors(operation, path):
            return open_folder(self._root, path.parts[:-1], path, make=True)


@contextmanager
def scratch_directory(parent: str | os.PathLike[str] | None = None) -> Iterator[LocalFileTree]:
    """Give a new folder that only this user can enter, and remove it with all in it.

    Args:
        parent: where to make it; None for the system's place for temporary files.

    Raises:
        FileAccessError: if it cannot be made.
    """
    with SystemErrors("create directory", "temporary folder"):
        directory = TemporaryDirectory(prefix="oras-", dir=parent, ignore_cleanup_errors=True)
    with directory as root:
        yield LocalFileTree(root)


def _entry(folder: int, path: SafePath) -> FileEntry:
    name = path.name
    status = os.lstat(name, dir_fd=folder)
    target = os.readlink(name, dir_fd=folder) if stat.S_ISLNK(status.st_mode) else ""
    return _as_entry(path, status, target)


def _listing(folder: int, path: SafePath | None) -> list[FileEntry]:
    found = []
    for name in sorted(os.listdir(folder)):
        if name.startswith(".") and is_unfinished(name):
            continue  # ours; what somebody else named alike is refused below, and not passed over
        here = sanitize_path(name)
        try:
            found.append(_entry(folder, path / here if path else here))
        except FileNotFoundError:
            continue  # removed since: as if it had been before
    return found


def _as_entry(path: SafePath, status: os.stat_result, target: str) -> FileEntry:
    kind = kind_of(status.st_mode)
    is_file = kind == "file"
    return FileEntry(
        path,
        kind,
        size=status.st_size if is_file else 0,
        executable=is_file and bool(status.st_mode & stat.S_IXUSR),
        link_target=target,
        # The change time too, which nobody can set back as they can the modification time.
        revision=f"{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}",
    )


@contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


class _LocalStream(io.FileIO):
    """An open file."""

    def __init__(self, descriptor: int, path: SafePath) -> None:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileAccessError("open", str(path), "it is no regular file")
        super().__init__(descriptor, "rb")
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises:
            FileAccessError: if the system refuses.
        """
        with SystemErrors("read", self._path):
            return super().read(-1 if size is None else size)


class _Inside(LocalFileTree):
    """The inside of a directory that is open."""

    def __init__(self, root: int, *, durable: bool) -> None:
        """Take the descriptor over."""
        self._hold(root, durable=durable)


class _PartialDirectory(PendingDirectory):
    """A directory being filled under a temporary name."""

    def __init__(self, folder: int, path: SafePath, *, durable: bool) -> None:
        """Create it in the open directory `folder`, whose descriptor is taken over."""
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
        """The inside of the directory."""
        return self._tree

    def commit(self) -> None:
        """Put the directory under its name, merging it into one that is there.

        Raises:
            UnsafePathError: if a thing would replace one of another kind; nothing is
                replaced then.
            FileAccessError: if the system refuses; what was merged before stays so.
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
        """Discard what was written, unless it was committed."""
        if self._folder >= 0:
            remove_tree(self._folder, self._name)
            self._leave()
