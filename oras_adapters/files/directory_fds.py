"""Resolve paths with directory descriptors, so that no path leaves its folder.

The system never gets a whole path. Each component is opened relative to the descriptor of its
parent, and never through a symbolic link. A change of the folder between two calls does not
matter (CWE-59, CWE-367). Part of `oras_adapters.files.local_files`.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from types import TracebackType
from typing import Final

from oras_core.errors import FileAccessError, OrasError, UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileKind

__all__ = [
    "FolderOf",
    "SystemErrors",
    "enter",
    "kind_at",
    "kind_of",
    "open_folder",
    "refuse_unless",
]

FOLDER_FLAGS: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


_NAMES: Final[dict[FileKind, str]] = {
    "file": "a file",
    "directory": "a directory",
    "symlink": "a symbolic link",
    "other": "a device, a FIFO or a socket",
}


class SystemErrors:
    """A context in which an `OSError` becomes a `FileAccessError`.

    A class rather than a generator for speed: each file enters it several times.
    """

    __slots__ = ("_operation", "_path")

    def __init__(self, operation: str, path: SafePath | str) -> None:
        """Name the operation and the path for the error message."""
        self._operation = operation
        self._path = path

    def __enter__(self) -> None:
        """Enter the context."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Translate the error.

        Raises:
            FileAccessError: with the operation, the path and the reason of the system.
        """
        if isinstance(error, OSError) and not isinstance(error, OrasError):
            reason = error.strerror or str(error)
            raise FileAccessError(self._operation, str(self._path), reason) from error


def kind_of(mode: int) -> FileKind:
    """Return the kind for a `st_mode`."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def kind_at(folder: int, name: str) -> FileKind | None:
    """Return the kind of an entry of the open directory `folder`; None if there is none."""
    try:
        return kind_of(os.lstat(name, dir_fd=folder).st_mode)
    except FileNotFoundError:
        return None


def refuse_unless(folder: int, name: str, path: SafePath, *replaceable: FileKind) -> None:
    """Check that a final name is free, or has an entry of a replaceable kind.

    Raises:
        UnsafePathError: if the name has an entry of another kind, such as a symbolic link.
    """
    kind = kind_at(folder, name)
    if kind is not None and kind not in replaceable:
        raise UnsafePathError(str(path), f"{_NAMES[kind]} has this name and is not replaced")


def enter(folder: int, name: str, path: SafePath | str) -> int:
    """Open the directory `name` in the open directory `folder`.

    Raises:
        UnsafePathError: if `name` is a symbolic link.
        FileNotFoundError: if `name` does not exist.
        NotADirectoryError: if `name` is another kind of entry.
    """
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=folder)
    except OSError as error:
        # The system decides which of the two errors a link gives.
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and kind_at(folder, name) == "symlink":
            raise UnsafePathError(str(path), f"{name!r} is a symbolic link") from error
        raise


def open_folder(
    root: int, parts: tuple[str, ...], path: SafePath | str, *, make: bool = False
) -> int:
    """Open the directory at `parts` below the open directory `root`; the caller closes it.

    Args:
        root: a file descriptor, which stays open.
        parts: names of directories; empty for the root itself.
        path: the whole path, for messages.
        make: create missing directories.

    Raises:
        UnsafePathError: if a component is a symbolic link.
        FileNotFoundError: if a directory is missing.
        NotADirectoryError: if a component is another kind of entry.
    """
    folder = os.dup(root)
    try:
        for name in parts:
            inner = _enter_or_make(folder, name, path) if make else enter(folder, name, path)
            os.close(folder)
            folder = inner
    except BaseException:
        os.close(folder)
        raise
    return folder


class FolderOf:
    """The parent folder of a path, open for the time of a context.

    A class rather than a generator for speed: each file enters it several times.
    """

    __slots__ = ("_opened", "_path", "_root")

    def __init__(self, root: int, path: SafePath) -> None:
        """Prepare to open the parent of `path` below the open directory `root`."""
        self._root = root
        self._path = path
        self._opened = -1

    def __enter__(self) -> int:
        """Return the descriptor of the parent; for a path in the root, the root's own.

        Raises:
            UnsafePathError: if a component is a symbolic link.
            FileNotFoundError: if a directory is missing.
            NotADirectoryError: if a component is another kind of entry.
        """
        inner = self._path.parts[:-1]
        if not inner:
            return self._root
        self._opened = open_folder(self._root, inner, self._path)
        return self._opened

    def __exit__(self, *exception: object) -> None:
        """Close the descriptor, unless it is the root's."""
        if self._opened >= 0:
            os.close(self._opened)


def _enter_or_make(folder: int, name: str, path: SafePath | str) -> int:
    try:
        return enter(folder, name, path)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another thread or process created it
            os.mkdir(name, dir_fd=folder)
        return enter(folder, name, path)
