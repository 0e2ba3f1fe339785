"""Partial files that outlive their process, named after the digest of the complete file.

A lock admits one owner at a time; the system releases it with the process.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from contextlib import AbstractContextManager, ExitStack
from typing import Final

from oras_adapters.descriptor_locks import NO_LOCKS, try_lock_descriptor
from oras_adapters.files.folders import Folder, refuse_unless
from oras_adapters.files.partial_files import OpenPartial, WrittenBytes
from oras_adapters.files.system_errors import SystemErrors
from oras_core.errors import FileAccessError
from oras_core.model.digest import Digest
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath
from oras_core.ports.content import ByteStream
from oras_core.ports.files import ResumableFile

__all__ = ["forget_in", "resume_in"]

OPEN_FLAGS: Final = os.O_RDWR | os.O_APPEND
"""Appending, so that reading the first bytes again does not move the place to write at."""

ATTEMPTS: Final = 3
"""Attempts if another owner finishes between opening and locking."""

_NOT_OURS: Final = (
    errno.ELOOP,
    errno.EISDIR,
    errno.ENXIO,
    errno.EOPNOTSUPP,
    errno.EACCES,
    errno.ESTALE,
)
"""Errors on opening a link, a directory, a socket (on Linux, on macOS), a file of another user, or
a file that is replaced at the same moment. The name is predictable, so another program may have
created it."""

_log = logging.getLogger(__name__)


def resume_in(
    folder: Folder, path: SafePath, content: Digest, *, durable: bool
) -> ResumableFile | None:
    """Open or create the partial file for `content` in the folder, and own that folder.

    Returns:
        The file; None if another owner has it open, if it cannot be a file of ours, or if the
        system has no locks.

    Raises:
        UnsafePathError: if `path` is another kind of entry than a file.
        FileAccessError: if the system refuses.
    """
    name = _name_of(content)
    descriptor = None
    try:
        with SystemErrors("create", path):
            refuse_unless(folder, path.name, path, "file")
            descriptor = _open_locked(folder, name, os.O_CREAT)
            if descriptor is not None:
                return _KeptFile(folder, descriptor, name, path, durable=durable)
    finally:
        if descriptor is None:
            folder.close()
    return None


def forget_in(folder: Folder, content: Digest) -> None:
    """Remove the partial file for `content` in the folder.

    A file that another owner has open stays, and so does one that cannot be ours. A failure
    is logged only: a leftover partial file does no harm.
    """
    name = _name_of(content)
    try:
        descriptor = _open_locked(folder, name, 0)
        if descriptor is not None:
            with folder.closing(descriptor):
                folder.unlink(name)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("cannot remove the partial file %s: %s", name, error)


def _name_of(content: Digest) -> str:
    return f".{content.algorithm}-{content.encoded}{UNFINISHED_SUFFIX}"


def _open_locked(folder: Folder, name: str, creation: int) -> int | None:
    for _ in range(ATTEMPTS):
        try:
            descriptor = folder.open(name, OPEN_FLAGS | creation)
        except OSError as error:
            if error.errno in _NOT_OURS:
                return None
            raise
        with ExitStack() as leaving:
            leaving.callback(os.close, descriptor)
            try:
                if not try_lock_descriptor(descriptor):
                    return None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                leaving.pop_all()
                _close_and_remove_if_empty(folder, name, descriptor)
                return None
            state = os.fstat(descriptor)
            if not _is_ours(state):
                return None
            if state.st_nlink and _is_still_there(folder, name, state):
                leaving.pop_all()
                return descriptor
        # Another owner has just committed or removed the file.
    return None


def _close_and_remove_if_empty(folder: Folder, name: str, descriptor: int) -> None:
    state = os.fstat(descriptor)
    is_empty = state.st_size == 0 and _is_ours(state) and _is_still_there(folder, name, state)
    with folder.closing(descriptor):
        if is_empty:
            folder.unlink(name)


def _is_ours(state: os.stat_result) -> bool:
    """Tell whether the file is regular, has no second name, and belongs to this user."""
    user = getattr(os, "geteuid", None)
    is_owner = user is None or state.st_uid == user()
    return stat.S_ISREG(state.st_mode) and state.st_nlink <= 1 and is_owner


def _is_still_there(folder: Folder, name: str, state: os.stat_result) -> bool:
    named = folder.status(name)
    return named is not None and os.path.samestat(named, state)


class _KeptFile(OpenPartial, ResumableFile):
    """A partial file, named after the digest of the complete file."""

    def __init__(
        self, folder: Folder, descriptor: int, name: str, path: SafePath, *, durable: bool
    ) -> None:
        """Own the folder and the open, locked file."""
        super().__init__(folder, descriptor, name, path, durable=durable)
        self._kept = os.fstat(descriptor).st_size

    @property
    def kept(self) -> int:
        """Number of bytes from earlier attempts."""
        return self._kept

    def reread(self) -> ByteStream:
        """Return a stream of those bytes; one such stream is read at a time."""
        return WrittenBytes(self._file, self._kept, self._path)

    def restart(self) -> None:
        """Discard all bytes.

        Raises:
            FileAccessError: if the system refuses.
        """
        super().restart()
        self._kept = 0

    def _closing(self) -> AbstractContextManager[object]:
        if not _is_still_there(self._folder, self._name, os.fstat(self._file)):
            reason = "the partial file was replaced by another file"
            raise FileAccessError("write", str(self._path), reason)
        return self._folder.closing(self._taken())

    def __exit__(self, *exception: object) -> None:
        """Keep the written bytes, unless the file was committed."""
        try:
            if self._file >= 0:
                _close_and_remove_if_empty(self._folder, self._name, self._taken())
        except OSError as error:
            # Log and continue: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)
        finally:
            self._folder.close()
