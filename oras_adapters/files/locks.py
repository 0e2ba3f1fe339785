"""Locks between processes, by `flock` or `msvcrt`.

The system releases the lock of a process that ends. If the process has forked children while it
held the lock, they must end too.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from typing import Any, Final

from oras_adapters.files.folders import Folder
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import SafePath
from oras_core.ports.files import HeldLock

__all__ = ["FileLock", "lock_in", "try_lock_descriptor"]

REGION: Final = 0x7FFF_0000
"""First byte of the locked region. Other processes cannot read locked bytes on Windows, so the
region is behind the data of most files; `_locking` has offsets below 2 GiB."""

SLOTS: Final = 64
"""Bytes of the region. `msvcrt` has exclusive locks only: a shared owner locks one byte, an
exclusive owner all of them."""

_TAKEN: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


class FileLock(HeldLock):
    """A locked file. Garbage collection of this object releases the lock too."""

    def __init__(self, descriptor: int) -> None:
        """Own the open, locked file."""
        self._release = weakref.finalize(self, _unlock, descriptor, os.getpid())

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


def try_lock_descriptor(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file without waiting; return False if another owner has it.

    Raises:
        OSError: if the system refuses, or has no locks.
    """
    try:
        import fcntl  # noqa: PLC0415 - which of the two there is depends on the system
    except ImportError:
        pass
    else:
        return _flock(fcntl, descriptor, shared=shared)
    try:
        import msvcrt  # noqa: PLC0415 - as above
    except ImportError as error:
        raise OSError(errno.ENOLCK, "this system has no locks") from error
    return _locking(msvcrt, descriptor, shared=shared)


def _unlock(descriptor: int, owner: int) -> None:
    """Release a lock of the process `owner`, and close its file."""
    try:
        import fcntl  # noqa: PLC0415 - as above
    except ImportError:
        pass
    else:
        # A child that was forked meanwhile has the file open too. Closing alone would leave the
        # file locked until the child ends; the child itself must not unlock it.
        if owner == os.getpid():
            fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)


def _flock(fcntl: Any, descriptor: int, *, shared: bool) -> bool:  # noqa: ANN401 - a module
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    return _is_taken_now(lambda: fcntl.flock(descriptor, kind | fcntl.LOCK_NB))


def _locking(msvcrt: Any, descriptor: int, *, shared: bool) -> bool:  # noqa: ANN401 - a module
    position = os.lseek(descriptor, 0, os.SEEK_CUR)
    regions = [(slot, 1) for slot in range(SLOTS)] if shared else [(0, SLOTS)]
    try:
        for start, length in regions:
            os.lseek(descriptor, REGION + start, os.SEEK_SET)

            def take(length: int = length) -> None:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, length)

            if _is_taken_now(take):
                return True
    finally:
        os.lseek(descriptor, position, os.SEEK_SET)
    return False


def _is_taken_now(take: Callable[[], object]) -> bool:
    try:
        take()
    except OSError as error:
        if error.errno in _TAKEN:
            return False
        raise
    return True
