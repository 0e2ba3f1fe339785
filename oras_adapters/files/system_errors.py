"""Errors and kinds of the file system, for all file trees on disk."""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Final

from oras_core.errors import FileAccessError, OrasError, UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileKind

__all__ = ["SystemErrors", "check_replaceable", "kind_of"]

NAME_SURROGATE: Final = 0x20000000
"""Bit of the tags of Windows reparse points that lead elsewhere: links and junctions.
Microsoft, "Reparse Point Tags"."""

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


def kind_of(status: os.stat_result) -> FileKind:
    """Return the kind for a status. A junction of Windows counts as a symbolic link."""
    mode = status.st_mode
    if stat.S_ISLNK(mode) or getattr(status, "st_reparse_tag", 0) & NAME_SURROGATE:
        return "symlink"
    if stat.S_ISREG(mode):
        return "file"
    return "directory" if stat.S_ISDIR(mode) else "other"


def check_replaceable(kind: FileKind | None, path: SafePath, *replaceable: FileKind) -> None:
    """Check that a final name is free, or has an entry of a replaceable kind.

    Raises:
        UnsafePathError: if the name has an entry of another kind, such as a symbolic link.
    """
    if kind is not None and kind not in replaceable:
        raise UnsafePathError(str(path), f"{_NAMES[kind]} has this name and is not replaced")
