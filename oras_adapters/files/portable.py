"""A folder on the disk of any system, by paths, where the system has no directory descriptors.

Each component is examined before a path is used; no link that exists is followed, and writes
are atomic. What a process of the same user changes between a check and the use of a path is not
always noticed: see docs/security.md.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Self

from oras_adapters.files.folders import Folder
from oras_adapters.files.system_errors import kind_of
from oras_adapters.files.tree import FolderTree, open_root
from oras_core.cancellation import sleep
from oras_core.errors import UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.digests import DigestMemory

__all__ = ["PathFolder", "PortableFileTree"]

FILE_FLAGS: Final = sum(
    getattr(os, name, 0)
    for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK")
)
"""Flags of every file, as far as the system has them."""

EXTENDED: Final = "\\\\?\\"
"""Prefix of paths of Windows that may have more than 260 characters."""

ATTEMPTS: Final = 20
PAUSE: Final = 0.05
"""Attempts, and seconds between them, to replace a file that another program has open: virus
scanners and indexers of Windows open new files for a moment."""


class PortableFileTree(FolderTree):
    """A folder on the disk of any system. Thread-safe."""

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        create: bool = False,
        durable: bool = False,
        digests: DigestMemory | None = None,
    ) -> None:
        """Use the folder at the present path of `root`.

        Args:
            root: the folder. Symbolic links in this path are followed.
            create: create the folder and its parents if missing.
            durable: write each file to the disk (fsync) before its commit returns.
            digests: remembers the digests of the files; None to hash them each time.

        Raises:
            NotFoundError: if the folder does not exist.
            FileAccessError: if the folder cannot be created or opened.
        """
        super().__init__(
            open_root(PathFolder.at, root, create=create), durable=durable, digests=digests
        )


class PathFolder(Folder):
    """The absolute path of a directory."""

    __slots__ = ("_folder",)

    def __init__(self, folder: str) -> None:
        """Use the directory at this path, whose components were examined."""
        self._folder = folder

    @classmethod
    def at(cls, path: str) -> Self:
        """Return the directory at a path, whose links are followed."""
        folder = _absolute(path)
        if not stat.S_ISDIR(os.stat(folder).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
        return cls(folder)

    def _path(self, name: str) -> str:
        # Windows resolves no `.` in paths of the extended form.
        return self._folder if name == "." else os.path.join(self._folder, name)

    def again(self) -> Self:
        """Return the folder itself, which holds nothing open."""
        return self

    def close(self) -> None:
        """Do nothing."""

    def enter(self, name: str, path: SafePath | str) -> Self:
        """Examine the directory `name` in this one; see the base class.

        Raises:
            UnsafePathError: if `name` is a symbolic link.
        """
        kind = self.kind(name)
        if kind is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        if kind == "symlink":
            raise UnsafePathError(str(path), f"{name!r} is a symbolic link")
        if kind != "directory":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
        return type(self)(self._path(name))

    def names(self) -> list[str]:
        """Return the names in the directory, sorted."""
        return sorted(os.listdir(self._folder))

    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry; None if there is none."""
        try:
            return os.lstat(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a file, and return its descriptor; see the base class."""
        examined = self.status(name)
        kind = None if examined is None else kind_of(examined)
        if kind == "symlink":
            raise OSError(errno.ELOOP, "it is a symbolic link", name)
        if kind not in (None, "file"):  # Windows opens no directories
            raise OSError(errno.EISDIR, "it is not a regular file", name)
        descriptor = os.open(self._path(name), flags | FILE_FLAGS, mode)
        if examined is not None and not os.path.samestat(os.fstat(descriptor), examined):
            os.close(descriptor)
            raise OSError(errno.ESTALE, "it was replaced at the same moment", name)
        return descriptor

    @contextmanager
    def closing(self, descriptor: int) -> Iterator[None]:
        """Close an open file before the block: Windows renames and removes no open file."""
        os.close(descriptor)
        yield

    def clone(self, source: int, target: int, size: int) -> None:  # noqa: ARG002 - see below
        """Refuse: not every system has a call for it."""
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    def make(self, name: str) -> None:
        """Create a directory."""
        os.mkdir(self._path(name))

    def link_text(self, name: str) -> str:
        """Return the target of a symbolic link, with `/` between its components."""
        target = os.readlink(self._path(name))
        return target if os.sep == "/" else target.removeprefix(EXTENDED).replace(os.sep, "/")

    def make_link(self, name: str, target: str) -> None:
        """Create a symbolic link; Windows has two kinds, for files and for directories."""
        native = target.replace("/", os.sep)
        is_directory = os.path.isdir(self._path(native))
        os.symlink(native, self._path(name), target_is_directory=is_directory)

    def add_name(self, name: str, target: Self, final: str) -> None:
        """Give a file the second name `final` in the folder `target`, which must be free."""
        os.link(self._path(name), target._path(final))

    def rename(self, name: str, target: Self, final: str) -> None:
        """Move an entry to the name `final` of the folder `target`; a file is replaced."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                os.replace(self._path(name), target._path(final))
            except PermissionError as error:
                if target.kind(final) == "directory":
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
                if not target._allow_writing(final) and attempt == ATTEMPTS:
                    reason = f"{error.strerror}; it may be open in another program"
                    raise PermissionError(error.errno, reason, final) from error
                sleep(PAUSE)
            else:
                return

    def _allow_writing(self, name: str) -> bool:
        """Remove the read-only attribute of Windows, which forbids replacing; tell if set."""
        status = self.status(name)
        if os.name != "nt" or status is None or status.st_mode & stat.S_IWRITE:
            return False
        os.chmod(self._path(name), stat.S_IWRITE)
        return True

    def touch(self, name: str) -> None:
        """Set the modification time of a file to now."""
        os.utime(self._path(name))  # Windows takes no descriptor

    def unlink(self, name: str) -> None:
        """Remove a file or a link."""
        os.unlink(self._path(name))

    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""
        os.rmdir(self._path(name))

    def remove_tree(self, name: str) -> None:
        """Remove a directory with its contents."""
        shutil.rmtree(self._path(name))

    def synchronise(self) -> None:
        """Do nothing: Windows has no call for it."""


def _absolute(path: str) -> str:
    """Return the absolute path of a folder, without links; on Windows in the extended form."""
    resolved = os.path.realpath(path)
    if os.sep != "\\" or resolved.startswith(EXTENDED):
        return resolved
    if resolved.startswith("\\\\"):
        return f"{EXTENDED}UNC{resolved[1:]}"
    return EXTENDED + resolved
