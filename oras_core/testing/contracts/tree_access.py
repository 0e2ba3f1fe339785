"""Short helpers that the contracts of file trees share."""

from __future__ import annotations

from contextlib import closing

from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.files import FileKind, FileTree

__all__ = ["at", "kind_at", "names", "read", "write"]


def at(path: str) -> SafePath:
    """Return the path, sanitized."""
    return sanitize_path(path)


def write(tree: FileTree, path: str, content: bytes, *, executable: bool = False) -> None:
    """Write a whole file."""
    with tree.create(at(path), executable=executable) as file:
        file.write(content)
        file.commit()


def read(tree: FileTree, path: str) -> bytes:
    """Read a whole file."""
    with closing(tree.open(at(path))) as stream:
        return stream.read()


def names(tree: FileTree, path: str | None = None) -> list[str]:
    """Return the paths directly in a directory, in the order of the tree."""
    return [str(entry.path) for entry in tree.entries(None if path is None else at(path))]


def kind_at(tree: FileTree, path: str) -> FileKind | None:
    """Return the kind of the entry at `path`."""
    entry = tree.entry(at(path))
    return None if entry is None else entry.kind
