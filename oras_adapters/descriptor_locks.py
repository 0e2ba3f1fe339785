"""Locks of open files between processes, by `flock` or `msvcrt`.

The system releases the lock of a process that ends. If the process has forked children while it
held the lock, they must end too.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

__all__ = ["NO_LOCKS", "try_lock_descriptor", "unlock_and_close"]

NO_LOCKS: Final = (errno.ENOLCK, getattr(errno, "EOPNOTSUPP", errno.ENOLCK), errno.ENOSYS)
"""Errors of file systems without locks, such as some network file systems."""

REGION: Final = 0x7FFF_0000
"""First byte of the locked region. Other processes cannot read locked bytes on Windows, so the
region is behind the data of most files; `_locking` has offsets below 2 GiB."""

SLOTS: Final = 64
"""Bytes of the region. `msvcrt` has exclusive locks only: a shared owner locks one byte, an
exclusive owner all of them."""

_TAKEN: Final = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)


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


def unlock_and_close(descriptor: int, owner: int) -> None:
    """Release a lock of the process `owner`, and close its file."""
    try:
        import fcntl  # noqa: PLC0415 - as above
    except ImportError:
        pass
    else:
        # A child that was forked meanwhile has the file open too. Closing alone would leave the
        # file locked until the child ends; the child itself must not unlock it.
        if owner == os.getpid():
            with suppress(OSError):  # a file system without locks
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
