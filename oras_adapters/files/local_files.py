"""The file tree for the disk of this system.

`PosixFileTree` needs directory descriptors. Where the system has none, `PortableFileTree` takes
its place, with weaker promises: see docs/security.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from oras_adapters.files.system_errors import SystemErrors

__all__ = ["LocalFileTree", "has_directory_descriptors", "scratch_directory"]


def has_directory_descriptors() -> bool:
    """Tell whether the system resolves paths relative to open directories, and has `flock`."""
    if not (hasattr(os, "O_DIRECTORY") and hasattr(os, "O_NOFOLLOW")):
        return False
    reading, removing = {os.open, os.stat, os.readlink}, {os.unlink, os.rmdir}
    needed = reading | removing | {os.mkdir, os.symlink, os.rename, os.utime}
    if not needed <= os.supports_dir_fd:
        return False
    try:
        import fcntl  # noqa: F401, PLC0415 - its presence is the question
    except ImportError:
        return False
    return True


if TYPE_CHECKING or has_directory_descriptors():
    from oras_adapters.files.posix import PosixFileTree as LocalFileTree
else:
    from oras_adapters.files.portable import PortableFileTree as LocalFileTree


@contextmanager
def scratch_directory(parent: str | os.PathLike[str] | None = None) -> Iterator[LocalFileTree]:
    """Create a temporary folder for this user only, and remove it with its contents.

    Args:
        parent: the parent folder; None for the system's folder for temporary files.

    Raises:
        FileAccessError: if the folder cannot be created.
    """
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - slow to import, and few need it

    with SystemErrors("create directory", "temporary folder"):
        directory = TemporaryDirectory(prefix="oras-", dir=parent, ignore_cleanup_errors=True)
    with directory as root:
        yield LocalFileTree(root)
