"""An open folder on disk, the base of the file trees of all systems.

Entries are named one by one, relative to their folder, and no method follows a symbolic link.
`posix` does this by directory descriptors, `portable` by paths.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, suppress
from typing import Self

from oras_adapters.files.system_errors import check_replaceable, kind_of
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileKind

__all__ = ["Folder", "FolderOf", "open_folder", "refuse_unless"]


class Folder(ABC):
    """An open directory. Each method raises `OSError` if the system refuses."""

    __slots__ = ()

    @abstractmethod
    def again(self) -> Self:
        """Open the same directory once more."""

    @abstractmethod
    def close(self) -> None:
        """Close the directory; a second call does nothing."""

    @abstractmethod
    def enter(self, name: str, path: SafePath | str) -> Self:
        """Open the directory `name` in this one; `path` is the whole path, for messages.

        Raises:
            UnsafePathError: if `name` is a symbolic link.
            FileNotFoundError: if `name` does not exist.
            NotADirectoryError: if `name` is another kind of entry.
        """

    @abstractmethod
    def names(self) -> list[str]:
        """Return the names in the directory, sorted."""

    @abstractmethod
    def status(self, name: str) -> os.stat_result | None:
        """Return the status of an entry; None if there is none."""

    def kind(self, name: str) -> FileKind | None:
        """Return the kind of an entry; None if there is none."""
        status = self.status(name)
        return None if status is None else kind_of(status)

    @abstractmethod
    def open(self, name: str, flags: int, mode: int = 0o666) -> int:
        """Open a file, and return its descriptor, which child processes do not inherit.

        Opening a FIFO does not wait. A symbolic link is an `OSError` with `ELOOP`.
        """

    @abstractmethod
    def closing(self, descriptor: int) -> AbstractContextManager[None]:
        """Close an open file of this directory, whose name the block changes or removes.

        The lock of the file covers the block where the system can rename open files.
        """

    @abstractmethod
    def clone(self, source: int, target: int, size: int) -> None:
        """Copy `size` bytes of an open file to an empty open one of this directory, by the system.

        Raises:
            OSError: if the system cannot; some bytes may have been copied then.
        """

    @abstractmethod
    def make(self, name: str) -> None:
        """Create a directory."""

    @abstractmethod
    def link_text(self, name: str) -> str:
        """Return the target of a symbolic link, with `/` between its components."""

    @abstractmethod
    def make_link(self, name: str, target: str) -> None:
        """Create a symbolic link."""

    @abstractmethod
    def add_name(self, name: str, target: Self, final: str) -> None:
        """Give a file the second name `final` in the folder `target`, which must be free."""

    @abstractmethod
    def rename(self, name: str, target: Self, final: str) -> None:
        """Move an entry to the name `final` of the folder `target`; a file is replaced."""

    @abstractmethod
    def touch(self, name: str) -> None:
        """Set the modification time of a file to now."""

    @abstractmethod
    def unlink(self, name: str) -> None:
        """Remove a file or a link."""

    @abstractmethod
    def rmdir(self, name: str) -> None:
        """Remove an empty directory."""

    @abstractmethod
    def remove_tree(self, name: str) -> None:
        """Remove a directory with its contents."""

    @abstractmethod
    def synchronise(self) -> None:
        """Write the names of the directory to the disk, where the system can."""


def open_folder(
    root: Folder, parts: tuple[str, ...], path: SafePath | str, *, make: bool = False
) -> Folder:
    """Open the directory at `parts` below `root`; the caller closes it.

    Args:
        root: a folder, which stays open.
        parts: names of directories; empty for the root itself.
        path: the whole path, for messages.
        make: create missing directories.

    Raises:
        UnsafePathError: if a component is a symbolic link.
        FileNotFoundError: if a directory is missing.
        NotADirectoryError: if a component is another kind of entry.
    """
    if not parts:
        return root.again()
    folder = root
    for name in parts:
        try:
            inner = _enter_or_make(folder, name, path) if make else folder.enter(name, path)
        finally:
            if folder is not root:
                folder.close()
        folder = inner
    return folder


def _enter_or_make(folder: Folder, name: str, path: SafePath | str) -> Folder:
    try:
        return folder.enter(name, path)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another thread or process created it
            folder.make(name)
        return folder.enter(name, path)


class FolderOf:
    """The parent folder of a path, open for the time of a context.

    A class rather than a generator for speed: each file enters it several times.
    """

    __slots__ = ("_opened", "_path", "_root")

    def __init__(self, root: Folder, path: SafePath) -> None:
        """Prepare to open the parent of `path` below `root`."""
        self._root = root
        self._path = path
        self._opened: Folder | None = None

    def __enter__(self) -> Folder:
        """Return the parent; for a path in the root, the root itself.

        Raises: as `open_folder`.
        """
        inner = self._path.parts[:-1]
        if not inner:
            return self._root
        self._opened = open_folder(self._root, inner, self._path)
        return self._opened

    def __exit__(self, *exception: object) -> None:
        """Close the parent, unless it is the root."""
        if self._opened is not None:
            self._opened.close()


def refuse_unless(folder: Folder, name: str, path: SafePath, *replaceable: FileKind) -> None:
    """Check that a final name is free, or has an entry of a replaceable kind.

    Raises:
        UnsafePathError: if the name has an entry of another kind, such as a symbolic link.
    """
    check_replaceable(folder.kind(name), path, *replaceable)
