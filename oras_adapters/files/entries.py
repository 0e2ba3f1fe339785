"""Entries and open files of the disk, for all file trees on disk."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable

from oras_adapters.files.system_errors import SystemErrors
from oras_core.errors import FileAccessError
from oras_core.model.names import MACOS_NAMES, POSIX_NAMES, WINDOWS_NAMES, NamePolicy
from oras_core.model.paths import SafePath
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileEntry, FileKind

__all__ = ["RegularFile", "as_entry", "names_of_system"]


def names_of_system() -> NamePolicy:
    """Return the rules of this system for names."""
    if os.name == "nt":
        return WINDOWS_NAMES
    return MACOS_NAMES if sys.platform == "darwin" else POSIX_NAMES


def as_entry(path: SafePath, kind: FileKind, status: os.stat_result, target: str) -> FileEntry:
    """Return the entry for a status; `target` is that of a symbolic link, else empty."""
    is_file = kind == "file"
    return FileEntry(
        path,
        kind,
        size=status.st_size if is_file else 0,
        executable=is_file and bool(status.st_mode & stat.S_IXUSR),
        link_target=target,
        # Includes the change time: unlike the modification time, programs cannot set it.
        revision=(
            f"{status.st_dev:x}-{status.st_ino:x}-{status.st_mtime_ns:x}-{status.st_ctime_ns:x}"
        ),
        content_revision=f"{status.st_ino:x}-{status.st_mtime_ns:x}",
        links=status.st_nlink,
        changed_at=max(status.st_mtime_ns, status.st_ctime_ns),
    )


class RegularFile(io.FileIO):
    """A stream of an open file, which must be a regular one."""

    def __init__(self, descriptor: int, path: SafePath) -> None:
        """Own the descriptor.

        Raises:
            FileAccessError: if it is not a regular file; the descriptor is closed then.
        """
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FileAccessError("open", str(path), "it is not a regular file")
        super().__init__(descriptor, "rb")
        self._path = path

    def read(self, size: int | None = -1, /) -> bytes:
        """Return at most `size` bytes; all remaining bytes for -1.

        Raises:
            FileAccessError: if the system refuses.
        """
        with SystemErrors("read", self._path):
            return super().read(-1 if size is None else size)

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        """Clone the file; see `ClonableStream`."""
        return clone(self)
