"""Resolve paths component by component, on systems without directory descriptors.

Each component is examined before the path is used, and a link is refused. Between the two
calls another process of the same user can replace a component: see docs/security.md. Part of
`oras_adapters.files.portable`.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import Final

from oras_adapters.files.system_errors import check_replaceable, kind_of
from oras_core.cancellation import sleep
from oras_core.errors import UnsafePathError
from oras_core.model.paths import SafePath
from oras_core.ports.files import FileKind

__all__ = [
    "absolute_root",
    "folder_at",
    "kind_at",
    "kind_of_status",
    "link_text",
    "replace",
    "status_at",
]

NAME_SURROGATE: Final = 0x20000000
"""Bit of the tags of Windows reparse points that lead elsewhere: links and junctions.
Microsoft, "Reparse Point Tags"."""

EXTENDED: Final = "\\\\?\\"
"""Prefix of paths of Windows that may have more than 260 characters."""

ATTEMPTS: Final = 20
PAUSE: Final = 0.05
"""Attempts, and seconds between them, to replace a file that another program has open: virus
scanners and indexers of Windows open new files for a moment."""


def absolute_root(root: str) -> str:
    """Return the absolute path of a folder, without links; on Windows in the extended form."""
    resolved = os.path.realpath(root)
    if os.sep != "\\" or resolved.startswith(EXTENDED):
        return resolved
    if resolved.startswith("\\\\"):
        return f"{EXTENDED}UNC{resolved[1:]}"
    return EXTENDED + resolved


def status_at(path: str) -> os.stat_result | None:
    """Return the status of an entry, without following a link; None if there is none."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def kind_at(path: str) -> FileKind | None:
    """Return the kind of an entry, without following a link; None if there is none."""
    status = status_at(path)
    return None if status is None else kind_of_status(status)


def kind_of_status(status: os.stat_result) -> FileKind:
    """Return the kind for a status. A junction of Windows counts as a symbolic link."""
    if getattr(status, "st_reparse_tag", 0) & NAME_SURROGATE:
        return "symlink"
    return kind_of(status.st_mode)


def folder_at(
    root: str, parts: tuple[str, ...], path: SafePath | str, *, make: bool = False
) -> str:
    """Return the directory at `parts` below `root`, every component examined.

    Args:
        root: an absolute path.
        parts: names of directories; empty for the root itself.
        path: the whole path, for messages.
        make: create missing directories.

    Raises:
        UnsafePathError: if a component is a link.
        FileNotFoundError: if a directory is missing.
        NotADirectoryError: if a component is another kind of entry.
    """
    folder = root
    for name in parts:
        folder = os.path.join(folder, name)
        kind = kind_at(folder)
        if kind is None and make:
            with suppress(FileExistsError):  # another thread or process created it
                os.mkdir(folder)
            kind = kind_at(folder)
        if kind is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        if kind == "symlink":
            raise UnsafePathError(str(path), f"{name!r} is a symbolic link")
        if kind != "directory":
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), name)
    return folder


def link_text(path: str) -> str:
    """Return the target of a symbolic link, with `/` between its components."""
    target = os.readlink(path)
    return target if os.sep == "/" else target.removeprefix(EXTENDED).replace(os.sep, "/")


def replace(source: str, target: str, path: SafePath, *replaceable: FileKind) -> None:
    """Rename a complete entry to its final name, replacing an entry of certain kinds.

    Raises:
        UnsafePathError: if the final name has an entry of another kind.
        OSError: if the system refuses.
    """
    for attempt in range(1, ATTEMPTS + 1):
        check_replaceable(kind_at(target), path, *replaceable)
        try:
            os.replace(source, target)
        except PermissionError as error:
            if not _allow_writing(target) and attempt == ATTEMPTS:
                reason = f"{error.strerror}; it may be open in another program"
                raise PermissionError(error.errno, reason, target) from error
            sleep(PAUSE)
        else:
            return


def _allow_writing(target: str) -> bool:
    """Remove the read-only attribute of Windows, which forbids replacing; tell if it was set."""
    status = status_at(target)
    if os.name != "nt" or status is None or status.st_mode & stat.S_IWRITE:
        return False
    os.chmod(target, stat.S_IWRITE)
    return True
