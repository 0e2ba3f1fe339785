"""Resolve paths with directory descriptors, so that no path leaves its folder.

The system never gets a whole path. Each component is opened relative to the descriptor of its
parent, and never through a symbolic link. A change of the folder between two calls does not
matter (CWE-59, CWE-367). Part of `oras_adapters.files.posix`.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from oras_adapters.files.system_errors import check_replaceable, kind_of
from oras_core.errors import UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileKind

__all__ = [
    "FolderOf",
    "enter",
    "kind_at",
    "listed",
    "native",
    "open_directory",
    "open_folder",
    "refuse_unless",
    "utf8",
]

FOLDER_FLAGS: Final = os.O_DIRECTORY | os.O_CLOEXEC


def native(name: str) -> bytes:
    """Return a name as the bytes on disk: UTF-8, whatever the locale of the process."""
    return name.encode("utf-8", "surrogateescape")


def utf8(name: str | bytes) -> str:
    """Return a name from the system as text; bytes that are not UTF-8 become surrogates."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def open_directory(
    name: str | bytes | os.PathLike[str], *, dir_fd: int | None = None, follow: bool = False
) -> int:
    """Open a directory; one that may be entered but not listed is opened for entering.

    Raises:
        OSError: if the system refuses, or `name` is a symbolic link and `follow` is False.
    """
    flags = FOLDER_FLAGS if follow else FOLDER_FLAGS | os.O_NOFOLLOW
    try:
        return os.open(name, os.O_RDONLY | flags, dir_fd=dir_fd)
    except PermissionError:
        if not hasattr(os, "O_PATH"):  # Linux only
            raise
        return os.open(name, os.O_PATH | flags, dir_fd=dir_fd)


def listed(folder: int) -> list[str]:
    """Return the names in an open directory, in UTF-8, sorted.

    Raises:
        OSError: if the system refuses, e.g. for a directory that may only be entered.
    """
    try:
        names = os.listdir(folder)
    except OSError as error:
        if error.errno != errno.EBADF:
            raise
        # Opened for entering only: the reason is in the error of opening it for listing.
        os.close(os.open(".", os.O_RDONLY | FOLDER_FLAGS, dir_fd=folder))
        raise
    return sorted(map(utf8, names))


def kind_at(folder: int, name: str) -> FileKind | None:
    """Return the kind of an entry of the open directory `folder`; None if there is none."""
    try:
        return kind_of(os.lstat(native(name), dir_fd=folder).st_mode)
    except FileNotFoundError:
        return None


def refuse_unless(folder: int, name: str, path: SafePath, *replaceable: FileKind) -> None:
    """Check that a final name is free, or has an entry of a replaceable kind.

    Raises:
        UnsafePathError: if the name has an entry of another kind, such as a symbolic link.
    """
    check_replaceable(kind_at(folder, name), path, *replaceable)


def enter(folder: int, name: str, path: SafePath | str) -> int:
    """Open the directory `name` in the open directory `folder`.

    Raises:
        UnsafePathError: if `name` is a symbolic link.
        FileNotFoundError: if `name` does not exist.
        NotADirectoryError: if `name` is another kind of entry.
    """
    try:
        return open_directory(native(name), dir_fd=folder)
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
            os.mkdir(native(name), dir_fd=folder)
        return enter(folder, name, path)
