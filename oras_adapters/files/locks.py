"""Files of a folder that processes lock."""

from __future__ import annotations

import os
import weakref

from oras_adapters.descriptor_locks import try_lock_descriptor, unlock_and_close
from oras_adapters.files.folders import Folder
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import SafePath
from oras_core.ports.files import HeldLock

__all__ = ["FileLock", "lock_in"]


class FileLock(HeldLock):
    """A locked file. Garbage collection of this object releases the lock too."""

    def __init__(self, descriptor: int) -> None:
        """Own the open, locked file."""
        self._release = weakref.finalize(self, unlock_and_close, descriptor, os.getpid())

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        self._release()

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the lock."""
        self.release()


def lock_in(folder: Folder, path: SafePath, *, shared: bool) -> FileLock | None:
    """Lock the file `path.name` of the folder; None if another owner has it.

    Raises:
        FileAccessError: if the system refuses or has no locks, or the name is a symbolic link.
    """
    with SystemErrors("lock", path):
        descriptor = _open(folder, path.name)
        try:
            is_locked = try_lock_descriptor(descriptor, shared=shared)
        except BaseException:
            os.close(descriptor)
            raise
        if not is_locked:
            os.close(descriptor)
            return None
    return FileLock(descriptor)


def _open(folder: Folder, name: str) -> int:
    try:
        # Network file systems may refuse an exclusive lock of a file that is open for reading.
        return folder.open(name, os.O_RDWR | os.O_CREAT)
    except OSError:
        # A user without write permission can take the lock too.
        return folder.open(name, os.O_RDONLY | os.O_CREAT)
