"""A folder on the disk of a POSIX system, by directory descriptors.

No path leaves the folder, no link is followed, and writes are atomic. The system never gets a
whole path. Each component is opened relative to the descriptor of its parent, and never through
a symbolic link. A change of the folder between two calls does not matter (CWE-59, CWE-367).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from oras_adapters.files.folders import Folder
from oras_adapters.files.tree import FolderTree, open_root
from oras_core.cancellation import current_token
from oras_core.errors import UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.digests import DigestMemory

__all__ = ["PosixFileTree", "PosixFolder"]

FOLDER_FLAGS: Final = os.O_DIRECTORY | os.O_CLOEXEC

FILE_FLAGS: Final = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Non-blocking, so that opening a FIFO does not hang."""


CLONED_AT_ONCE: Final = 32 * 1024 * 1024
"""Bytes of one call that copies a file: a multiple of the blocks of all file systems, so that
they can be shared. Without shared blocks, a call takes some tenths of a second on slow disks."""


class PosixFileTree(FolderTree):
    """A folder on the local disk. Thread-safe.

    The tree stays in the folder that it opened, even if the path of the folder changes later.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        create: bool = False,
        durable: bool = False,
        digests: DigestMemory | None = None,
    ) -> None:
        """Open the folder.

        Args:
            root: the folder. Symbolic links in this path are followed.
            create: create the folder and its parents if missing.
            durable: write each file to the disk (fsync) before its commit returns, which
                costs some milliseconds per file. Otherwise a power failure may undo a commit;
                a killed process never does.
            digests: remembers the digests of the files; None to hash them each time.

        Raises:
            NotFoundError: if the folder does not exist.
            FileAccessError: if the folder cannot be created or opened.
        """
        super().__init__(
            open_root(PosixFolder.at, root, create=create), durable=durable, digests=digests
        )


class PosixFolder(Folder):
    """A directory descriptor."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        """Own the descriptor."""
        self._descriptor = descriptor

    @classmethod
    def at(cls, path: str) -> Self:
        """Open the directory at a path, whose links are followed."""
        return cls(_open_directory(path, follow=True))

    def again(self) -> Self:
        """Open the same directory once more."""
        return type(self)(os.dup(self._descriptor))

    def close(self) -> None:
        """Close the directory; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def enter(self, name: str, path: SafePath | str) -> Self:
        """Open the directory `name` in this one; see the base class.

        Raises:
            UnsafePathError: if `name` is a symbolic link.
        """
        try:
            return type(self)(_open_directory(_native(name), dir_fd=self._descriptor))
        except OSError as error:
            # The system decides which of the two errors a link gives.
            if error.errno in (errno.ELOOP, errno.ENOTDIR) and self.kind(name) == "symlink":
                raise UnsafePathError(str(path), f"{name!r} is a symbolic link") from error
            raise

    def names(self) -> list[str]:
        """Return the names in the directory, in UTF-8, sorted."""
        # Opened again: threads that list one descriptor share its offset, and btrfs lists only
        # the entries that were there when a descriptor was opened.
        listed = os.open(".", os.O_RDONLY | FOLDER_FLAGS, dir_fd=self._descriptor)
        try:
            return sorted(map(_utf8, os.listdir(listed)))
        finally:
            os.close(listed)

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry; None if there is none."""
        try:
            return os.lstat(_native(name), dir_fd=self._descriptor)
        except FileNotFoundError:
            return None

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a file, and return its descriptor; see the base class."""
        return os.open(_native(name), flags | FILE_FLAGS, mode, dir_fd=self._descriptor)

    @contextmanager
    def closing(self, descriptor: int) -> Iterator[None]:
        """Close an open file after the block, which its lock covers."""
        try:
            yield
        finally:
            os.close(descriptor)

    def clone(self, source: int, target: int, size: int) -> None:
        """Copy an open file by `copy_file_range`, which shares the blocks where it can."""
        if not hasattr(os, "copy_file_range"):  # macOS
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        token, offset = current_token(), 0
        with _not_appending(target):
            while offset < size:
                token.raise_if_cancelled("copy a blob")
                count = min(CLONED_AT_ONCE, size - offset)
                copied = os.copy_file_range(source, target, count, offset, offset)
                if not copied:
                    raise OSError(errno.EIO, "the file has ended")
                offset += copied

    def make(self, name: str) -> None:
        """Create a directory."""
        os.mkdir(_native(name), dir_fd=self._descriptor)

    def link_text(self, name: str) -> str:
        """Return the target of a symbolic link."""
        return _utf8(os.readlink(_native(name), dir_fd=self._descriptor))

    def make_link(self, name: str, target: str) -> None:
        """Create a symbolic link."""
        os.symlink(_native(target), _native(name), dir_fd=self._descriptor)

    def add_name(self, name: str, target: Self, final: str) -> None:
        """Give a file the second name `final` in the folder `target`, which must be free."""
        os.link(
            _native(name),
            _native(final),
            src_dir_fd=self._descriptor,
            dst_dir_fd=target._descriptor,
            follow_symlinks=False,
        )

    def rename(self, name: str, target: Self, final: str) -> None:
        """Move an entry to the name `final` of the folder `target`; a file is replaced."""
        os.rename(
            _native(name),
            _native(final),
            src_dir_fd=self._descriptor,
            dst_dir_fd=target._descriptor,
        )

    def touch(self, name: str) -> None:
        """Set the modification time of a file to now."""
        os.utime(_native(name), dir_fd=self._descriptor, follow_symlinks=False)

    def unlink(self, name: str) -> None:
        """Remove a file or a link."""
        os.unlink(_native(name), dir_fd=self._descriptor)

    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""
        os.rmdir(_native(name), dir_fd=self._descriptor)

    def remove_tree(self, name: str) -> None:
        """Remove a directory with its contents."""
        import shutil  # noqa: PLC0415 - slow to import, and only a failure needs it

        shutil.rmtree(name, dir_fd=self._descriptor)

    def synchronise(self) -> None:
        """Write the names of the directory to the disk."""
        try:
            os.fsync(self._descriptor)
        except OSError as error:
            # A directory that may only be entered cannot be synchronised.
            if error.errno != errno.EBADF:
                raise


@contextmanager
def _not_appending(descriptor: int) -> Iterator[None]:
    """Allow `copy_file_range`, which refuses files that are open for appending."""
    flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, flags & ~os.O_APPEND)
    try:
        yield
    finally:
        fcntl.fcntl(descriptor, fcntl.F_SETFL, flags)


def _native(name: str) -> bytes:
    """Return a name as the bytes on disk: UTF-8, whatever the locale of the process."""
    return name.encode("utf-8", "surrogateescape")


def _utf8(name: str | bytes) -> str:
    """Return a name from the system as text; bytes that are not UTF-8 become surrogates."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def _open_directory(name: str | bytes, *, dir_fd: int | None = None, follow: bool = False) -> int:
    """Open a directory; one that may be entered but not listed is opened for entering."""
    flags = FOLDER_FLAGS if follow else FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, os.O_RDONLY | flags, dir_fd=dir_fd)
    except PermissionError:
        if not hasattr(os, "O_PATH"):  # Linux only
            raise
        return os.open(name, os.O_PATH | flags, dir_fd=dir_fd)
