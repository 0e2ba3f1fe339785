"""Give a complete directory its name, or merge it into a directory that has the name."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from oras_adapters.files.folders import Folder, refuse_unless
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.files import FileKind

__all__ = ["move_directory"]

_REPLACEABLE: Final[dict[FileKind, tuple[FileKind, ...]]] = {
    "file": ("file",),
    "symlink": ("file", "symlink"),
    "directory": ("directory",),
}
"""The kinds of entries that each kind may replace."""


def move_directory(folder: Folder, name: str, path: SafePath) -> None:
    """Move the directory `name` of the folder to the name of `path` in the same folder.

    If this name has a directory already, the contents are moved into it: missing directories
    as a whole, files one by one, each replacing a file of the same name.

    Raises:
        UnsafePathError: if entries of different kinds have one name; then nothing is moved.
        OSError: if the system refuses; entries moved before stay moved.
    """
    _check_move(folder, name, folder, path.name, path)
    _move(folder, name, folder, path.name, path)


def _check_move(source: Folder, name: str, target: Folder, final: str, path: SafePath) -> None:
    kind = source.kind(name) or "other"
    refuse_unless(target, final, path, *_REPLACEABLE.get(kind, ()))
    if kind == "directory" and target.kind(final) is not None:
        with _both(source, name, target, final, path) as (inside, there):
            for inner in inside.names():
                _check_move(inside, inner, there, inner, path / sanitize_path(inner))


def _move(source: Folder, name: str, target: Folder, final: str, path: SafePath) -> None:
    # A link created since the check is replaced or refused, but never followed.
    kind = source.kind(name)
    if kind != "directory" or target.kind(final) is None:
        try:
            source.rename(name, target, final)
        except OSError as error:
            # Another process has just created the directory: merge into it.
            if kind != "directory" or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    with _both(source, name, target, final, path) as (inside, there):
        for inner in inside.names():
            _move(inside, inner, there, inner, path / sanitize_path(inner))
    source.rmdir(name)


@contextmanager
def _both(
    source: Folder, name: str, target: Folder, final: str, path: SafePath
) -> Iterator[tuple[Folder, Folder]]:
    """Open the source and the target directory of a merge."""
    with ExitStack() as leaving:
        inside = source.enter(name, path)
        leaving.callback(inside.close)
        there = target.enter(final, path)
        leaving.callback(there.close)
        yield inside, there
