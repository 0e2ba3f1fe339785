"""A folder in a folder, as a `FileTree` of its own."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve, field, frozen

from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import (
    FileEntry,
    FileTree,
    HeldLock,
    Locker,
    PendingDirectory,
    PendingFile,
)
from oras_core.stores.layout.thread_locks import ThreadLocks

__all__ = ["Subtree"]


@frozen(eq=False)
class Subtree(FileTree, Locker):
    """The folder at `root` of a tree. Thread-safe if the tree is.

    If the tree is no `Locker`, locks exclude the threads that use this object.
    """

    tree: FileTree
    root: SafePath
    _threads: ThreadLocks = field(factory=ThreadLocks, init=False, repr=False)

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return the entry at `path`, or None."""
        entry = self.tree.entry(self.root / path)
        return None if entry is None else evolve(entry, path=path)

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over the entries directly in a directory."""
        depth = len(self.root.parts)
        for entry in self.tree.entries(self.root if path is None else self.root / path):
            inner = sanitize_path("/".join(entry.path.parts[depth:]))
            yield evolve(entry, path=inner)

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading."""
        return self.tree.open(self.root / path)

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Start to write a file."""
        return self.tree.create(self.root / path, executable=executable)

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Start to fill a directory."""
        return self.tree.create_directory(self.root / path)

    def make_directory(self, path: SafePath) -> None:
        """Create a directory and its parents."""
        self.tree.make_directory(self.root / path)

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Create a symbolic link to `target`."""
        self.tree.make_symlink(self.root / path, target)

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory."""
        self.tree.remove(self.root / path)

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None at once."""
        if isinstance(self.tree, Locker):
            return self.tree.try_lock(self.root / path, shared=shared)
        return self._threads.try_lock(path, shared=shared)
