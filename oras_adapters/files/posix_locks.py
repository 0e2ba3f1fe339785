"""Locks between processes: `flock` on a file, which the system releases with the process.

Part of `oras_adapters.files.posix`.
"""

from __future__ import annotations

import fcntl
import os
import weakref
from typing import Final

from oras_adapters.files.posix_directories import native
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import SafePath
from oras_core.ports.files import HeldLock

__all__ = ["FileLock", "lock_at"]

LOCK_FLAGS: Final = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""For reading only, so that a user without write permission can take the lock too."""


class FileLock(HeldLock):
    """A locked file. Garbage collection of this object releases the lock too."""

    def __init__(self, descriptor: int) -> None:
        """Own the open, locked file."""
        self._release = weakref.finalize(self, os.close, descriptor)

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        self._release()

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the lock."""
        self.release()


def lock_at(folder: int, path: SafePath, *, shared: bool) -> FileLock | None:
    """Lock the file `path.name` in the open directory `folder`; None if another owner has it.

    Raises:
        FileAccessError: if the system refuses, or the name is a symbolic link.
    """
    with SystemErrors("lock", path):
        descriptor = os.open(native(path.name), LOCK_FLAGS, 0o666, dir_fd=folder)
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        except BaseException:
            os.close(descriptor)
            raise
    return FileLock(descriptor)
