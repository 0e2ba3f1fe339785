"""Walking a folder by file descriptors, so that nothing leads out of it.

A path is never handed to the system whole. Each component is opened relative to the
descriptor of the one before, and never through a symbolic link, so it does not matter
what somebody puts in the way between two calls (CWE-59, CWE-367). A part of
`oras_adapters.files.local_files`.
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
    """A block in which an `OSError` becomes a `FileAccessError`.

    A class and not a generator, since it is entered several times for every file.
    """

    __slots__ = ("_operation", "_path")

    def __init__(self, operation: str, path: SafePath | str) -> None:
        """Say what is being done to what, for the error's message."""
        self._operation = operation
        self._path = path

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Translate.

        Raises:
            FileAccessError: naming operation, path and the system's reason.
        """
        if isinstance(error, OSError) and not isinstance(error, OrasError):
            reason = error.strerror or str(error)
            raise FileAccessError(self._operation, str(self._path), reason) from error


def kind_of(mode: int) -> FileKind:
    """Return the kind that `st_mode` tells of."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"


def kind_at(folder: int, name: str) -> FileKind | None:
    """Return the kind of what lies in the open directory `folder`; None if nothing does."""
    try:
        return kind_of(os.lstat(name, dir_fd=folder).st_mode)
    except FileNotFoundError:
        return None


def refuse_unless(folder: int, name: str, path: SafePath, *replaceable: FileKind) -> None:
    """Make sure that at a final name lies nothing, or what may be replaced.

    Raises:
        UnsafePathError: if a thing of another kind lies there, a symbolic link above all.
    """
    kind = kind_at(folder, name)
    if kind is not None and kind not in replaceable:
        raise UnsafePathError(str(path), f"{_NAMES[kind]} lies there, which is not replaced")


def enter(folder: int, name: str, path: SafePath | str) -> int:
    """Open a directory that lies in the open directory `folder`.

    Raises:
        UnsafePathError: if it is a symbolic link.
        FileNotFoundError: if nothing lies there.
        NotADirectoryError: if something else does.
    """
    try:
        return os.open(name, FOLDER_FLAGS, dir_fd=folder)
    except OSError as error:
        # Which of the two a link gives depends on the system.
        if error.errno in (errno.ELOOP, errno.ENOTDIR) and kind_at(folder, name) == "symlink":
            raise UnsafePathError(str(path), f"{name!r} is a symbolic link") from error
        raise


def open_folder(
    root: int, parts: tuple[str, ...], path: SafePath | str, *, make: bool = False
) -> int:
    """Walk from the open directory `root` down `parts`, and open the last; the caller closes it.

    Args:
        root: a file descriptor, which stays open.
        parts: names of directories; none for the root itself.
        path: what is being reached, for messages.
        make: make the directories that are missing.

    Raises:
        UnsafePathError: if a symbolic link lies in the way.
        FileNotFoundError: if a directory is missing.
        NotADirectoryError: if something else lies in the way.
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
    """The folder in which a path lies, open for the time of a block.

    A class and not a generator, since it is entered several times for every file.
    """

    __slots__ = ("_opened", "_path", "_root")

    def __init__(self, root: int, path: SafePath) -> None:
        """Reach for the folder of `path` below the open directory `root`."""
        self._root = root
        self._path = path
        self._opened = -1

    def __enter__(self) -> int:
        """Return its descriptor: the root's own where nothing lies between.

        Raises:
            UnsafePathError: if a symbolic link lies in the way.
            FileNotFoundError: if a directory is missing.
            NotADirectoryError: if something else lies in the way.
        """
        inner = self._path.parts[:-1]
        if not inner:
            return self._root
        self._opened = open_folder(self._root, inner, self._path)
        return self._opened

    def __exit__(self, *exception: object) -> None:
        """Close what was opened."""
        if self._opened >= 0:
            os.close(self._opened)


def _enter_or_make(folder: int, name: str, path: SafePath | str) -> int:
    try:
        return enter(folder, name, path)
    except FileNotFoundError:
        with suppress(FileExistsError):  # somebody else was faster, which is as good
            os.mkdir(name, dir_fd=folder)
        return enter(folder, name, path)
