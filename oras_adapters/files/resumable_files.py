"""Unfinished files that outlive their process, named after the content that they will hold.

`flock` keeps two owners apart; the system drops it with the process, however that ends. A
part of `oras_adapters.files.local_files`.
"""

from __future__ import annotations

import errno
import fcntl
import io
import logging
import os
import stat
from contextlib import ExitStack
from typing import Final

from oras_adapters.files.directory_fds import SystemErrors, refuse_unless
from oras_adapters.files.partial_files import put_in_place, write_all
from oras_core.errors import FileAccessError
from oras_core.model.digest import Digest
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath
from oras_core.ports.content import ByteStream
from oras_core.ports.files import ResumableFile

__all__ = ["forget_at", "resume_at"]

OPEN_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""The name can be foretold, so somebody may have put a link or a FIFO there."""

ATTEMPTS: Final = 3
"""Owners who may finish between our opening and locking; more are no coincidence."""

_NOT_OURS: Final = (errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EACCES)
"""How a link, a directory, a socket and somebody else's file refuse to be opened."""

_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""How a file system says that it has no locks, as some network ones have none."""

_log = logging.getLogger(__name__)


def resume_at(
    folder: int, path: SafePath, content: Digest, *, durable: bool
) -> ResumableFile | None:
    """Open what is kept of `content` in the open directory `folder`, or begin it.

    The directory's descriptor is taken over.

    Returns:
        The file; None if another owner has it, or it is none that we could have left.

    Raises:
        UnsafePathError: if something else than a file lies at `path`.
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
            os.close(folder)
    return None


def forget_at(folder: int, content: Digest) -> None:
    """Remove what is kept of `content` in the open directory `folder`, if that is of no use.

    What another owner is writing stays, and so does what we cannot have left. What cannot be
    removed is logged: it does no harm.
    """
    name = _name_of(content)
    try:
        descriptor = _open_locked(folder, name, 0)
        if descriptor is not None:
            try:
                os.unlink(name, dir_fd=folder)
            finally:
                os.close(descriptor)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("cannot remove the unfinished file %s: %s", name, error)


def _name_of(content: Digest) -> str:
    return f".{content.algorithm}-{content.encoded}{UNFINISHED_SUFFIX}"


def _open_locked(folder: int, name: str, creation: int) -> int | None:
    for _ in range(ATTEMPTS):
        try:
            descriptor = os.open(name, OPEN_FLAGS | creation, 0o666, dir_fd=folder)
        except OSError as error:
            if error.errno in _NOT_OURS:
                return None
            raise
        with ExitStack() as leaving:
            leaving.callback(os.close, descriptor)
            try:
                if not _is_locked_now(descriptor):
                    return None
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                _remove_if_empty(folder, name, descriptor)
                return None
            state = os.fstat(descriptor)
            if not _is_ours(state):
                return None
            if state.st_nlink and _is_still_there(folder, name, state):
                leaving.pop_all()
                return descriptor
        # Its owner has just finished or removed it.
    return None


def _is_locked_now(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_if_empty(folder: int, name: str, descriptor: int) -> None:
    state = os.fstat(descriptor)
    if state.st_size == 0 and _is_ours(state) and _is_still_there(folder, name, state):
        os.unlink(name, dir_fd=folder)


def _is_ours(state: os.stat_result) -> bool:
    """Tell whether writing to it writes to nothing else, and nobody else could change it."""
    return stat.S_ISREG(state.st_mode) and state.st_nlink <= 1 and state.st_uid == os.geteuid()


def _is_still_there(folder: int, name: str, state: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.lstat(name, dir_fd=folder), state)
    except FileNotFoundError:
        return False


class _KeptFile(ResumableFile):
    """A file being written under the name of its content."""

    def __init__(
        self, folder: int, descriptor: int, name: str, path: SafePath, *, durable: bool
    ) -> None:
        """Take over the open directory and the open, locked file."""
        self._folder = folder
        self._file = descriptor
        self._name = name
        self._path = path
        self._durable = durable
        self._kept = os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def kept(self) -> int:
        """Bytes that were there when it was opened."""
        return self._kept

    def reread(self) -> ByteStream:
        """Return a stream of those bytes, from a position of its own."""
        return _Beginning(self._file, self._kept, self._path)

    def restart(self) -> None:
        """Throw away all that is there.

        Raises:
            FileAccessError: if the system refuses.
        """
        with SystemErrors("write", self._path):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
        self._kept = 0

    def write(self, data: bytes, /) -> None:
        """Append `data`, all of it.

        Raises:
            FileAccessError: if it cannot be written, e.g. on a full disk.
        """
        with SystemErrors("write", self._path):
            write_all(self._file, data)

    def commit(self) -> None:
        """Put the file, whole, under its name, replacing an earlier file there.

        Raises:
            UnsafePathError: if something else than a file has come to lie there.
            FileAccessError: if the system refuses; the earlier file stays.
        """
        with SystemErrors("write", self._path):
            if self._durable:
                os.fsync(self._file)
            if not _is_still_there(self._folder, self._name, os.fstat(self._file)):
                reason = "somebody has put something else in the place of the unfinished file"
                raise FileAccessError("write", str(self._path), reason)
            put_in_place(self._folder, self._name, self._path, durable=self._durable)
        self._leave()

    def _leave(self) -> None:
        folder, self._folder = self._folder, -1
        os.close(self._file)  # and with it the lock, after the name has gone
        os.close(folder)

    def __enter__(self) -> ResumableFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Keep what was written, unless it was committed."""
        if self._folder < 0:
            return
        try:
            _remove_if_empty(self._folder, self._name, self._file)
        except OSError as error:
            # What brought us here is worth more than that the rubbish stays.
            _log.warning("cannot remove the unfinished file %s: %s", self._name, error)
        finally:
            self._leave()


class _Beginning(io.RawIOBase):
    """The first bytes of an open file, whose own position stays where it is."""

    def __init__(self, descriptor: int, size: int, path: SafePath) -> None:
        super().__init__()
        self._file = descriptor
        self._size = size
        self._path = path
        self._offset = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises:
            FileAccessError: if the system refuses.
        """
        left = self._size - self._offset
        with SystemErrors("read", self._path):
            chunk = os.pread(self._file, left if size < 0 else min(size, left), self._offset)
        self._offset += len(chunk)
        return chunk
