"""Files and directories with a temporary name in their final folder, by paths.

A file is closed before it is renamed: Windows renames no open file. Part of
`oras_adapters.files.portable`.
"""

from __future__ import annotations

import errno
import io
import logging
import os
import shutil
import stat
from contextlib import ExitStack
from typing import Final

from oras_adapters.files.portable_locks import try_lock_descriptor
from oras_adapters.files.portable_paths import kind_at, replace, status_at
from oras_adapters.files.system_errors import SystemErrors, check_replaceable
from oras_core.errors import FileAccessError
from oras_core.model.digest import Digest
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileKind, PendingFile, ResumableFile

__all__ = [
    "OPEN_FLAGS",
    "PortableFile",
    "forget_partial",
    "move_directory",
    "partial_name",
    "remove_tree",
    "resume_partial",
]

OPEN_FLAGS: Final = sum(
    {getattr(os, name, 0) for name in ("O_BINARY", "O_NOINHERIT", "O_CLOEXEC", "O_NOFOLLOW")}
)
"""Flags of every file, as far as the system has them."""

_REPLACEABLE: Final[dict[FileKind, tuple[FileKind, ...]]] = {
    "file": ("file",),
    "symlink": ("file", "symlink"),
    "directory": ("directory",),
}
"""The kinds of entries that each kind may replace."""

_NO_LOCKS: Final = (errno.ENOLCK, getattr(errno, "EOPNOTSUPP", errno.ENOLCK), errno.ENOSYS)

_log = logging.getLogger(__name__)


def partial_name() -> str:
    """Return a unique temporary name, whose length does not depend on the final name."""
    return f".{os.urandom(8).hex()}{UNFINISHED_SUFFIX}"


class PortableFile(PendingFile):
    """A file being written under a temporary name."""

    def __init__(self, folder: str, path: SafePath, *, executable: bool, durable: bool) -> None:
        """Create it in the directory `folder`."""
        self._path = path
        self._durable = durable
        self._final = os.path.join(folder, path.name)
        self._name = os.path.join(folder, partial_name())
        with SystemErrors("create", path):
            check_replaceable(kind_at(self._final), path, "file")
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | OPEN_FLAGS
            self._file = os.open(self._name, flags, 0o777 if executable else 0o666)

    def write(self, data: bytes, /) -> None:
        """Append all of `data`.

        Raises:
            FileAccessError: if the system refuses, e.g. for a full disk.
        """
        with SystemErrors("write", self._path):
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]

    def commit(self) -> None:
        """Give the complete file its name, replacing an earlier file.

        Raises:
            UnsafePathError: if the name has become another kind of entry.
            FileAccessError: if the system refuses; the earlier file stays.
        """
        with SystemErrors("write", self._path):
            if self._durable:
                os.fsync(self._file)
            self._close()
            replace(self._name, self._final, self._path, "file")
        self._name = ""

    def _close(self) -> None:
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __enter__(self) -> PendingFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the file, unless it was committed."""
        if not self._name:
            return
        try:
            self._close()
            os.unlink(self._name)
        except OSError as error:
            # Log and go on: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)
        self._name = ""


# --- Partial files that outlive their process ----------------------------------------------


def resume_partial(
    folder: str, path: SafePath, content: Digest, *, durable: bool
) -> ResumableFile | None:
    """Open or create the partial file for `content` in the directory `folder`.

    Returns:
        The file; None if another owner has it open, if it cannot be a file of ours, or if the
        system has no locks.

    Raises:
        UnsafePathError: if `path` is another kind of entry than a file.
        FileAccessError: if the system refuses.
    """
    name = os.path.join(folder, _name_of(content))
    with SystemErrors("create", path):
        check_replaceable(kind_at(os.path.join(folder, path.name)), path, "file")
        descriptor = _open_locked(name, os.O_CREAT)
    return (
        None if descriptor is None else _KeptFile(folder, descriptor, name, path, durable=durable)
    )


def forget_partial(folder: str, content: Digest) -> None:
    """Remove the partial file for `content` in the directory `folder`, unless it is in use."""
    name = os.path.join(folder, _name_of(content))
    try:
        descriptor = _open_locked(name, 0)
        if descriptor is not None:
            os.close(descriptor)
            os.unlink(name)
    except FileNotFoundError:
        return
    except OSError as error:
        _log.warning("cannot remove the partial file %s: %s", name, error)


def _name_of(content: Digest) -> str:
    return f".{content.algorithm}-{content.encoded}{UNFINISHED_SUFFIX}"


def _open_locked(name: str, creation: int) -> int | None:
    status = status_at(name)
    if status is not None and not _is_ours(status):
        return None
    try:
        descriptor = os.open(name, os.O_RDWR | creation | OPEN_FLAGS, 0o666)
    except PermissionError:
        return None
    with ExitStack() as leaving:
        leaving.callback(os.close, descriptor)
        try:
            if try_lock_descriptor(descriptor) and _is_the_same(name, descriptor):
                leaving.pop_all()
                return descriptor
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            if os.fstat(descriptor).st_size == 0:
                leaving.close()
                os.unlink(name)  # created for a lock that the system does not have
    return None


def _is_ours(status: os.stat_result) -> bool:
    """Tell whether the file is regular, has no second name, and belongs to this user."""
    user = getattr(os, "geteuid", None)
    is_owner = user is None or status.st_uid == user()
    return stat.S_ISREG(status.st_mode) and status.st_nlink <= 1 and is_owner


def _is_the_same(name: str, descriptor: int) -> bool:
    status, opened = status_at(name), os.fstat(descriptor)
    return status is not None and _is_ours(opened) and os.path.samestat(status, opened)


class _KeptFile(ResumableFile):
    """A partial file, named after the digest of the complete file."""

    def __init__(
        self, folder: str, descriptor: int, name: str, path: SafePath, *, durable: bool
    ) -> None:
        """Own the open, locked file."""
        self._final = os.path.join(folder, path.name)
        self._file = descriptor
        self._name = name
        self._path = path
        self._durable = durable
        self._kept = os.lseek(descriptor, 0, os.SEEK_END)

    @property
    def kept(self) -> int:
        """Number of bytes from earlier attempts."""
        return self._kept

    def reread(self) -> ByteStream:
        """Return a stream of those bytes, read before the next write."""
        return _Beginning(self._file, self._kept, self._path)

    def restart(self) -> None:
        """Discard all bytes.

        Raises:
            FileAccessError: if the system refuses.
        """
        with SystemErrors("write", self._path):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)
        self._kept = 0

    def write(self, data: bytes, /) -> None:
        """Append all of `data`.

        Raises:
            FileAccessError: if the system refuses, e.g. for a full disk.
        """
        with SystemErrors("write", self._path):
            os.lseek(self._file, 0, os.SEEK_END)
            view = memoryview(data)
            while view:
                view = view[os.write(self._file, view) :]

    def commit(self) -> None:
        """Give the complete file its name, replacing an earlier file.

        Raises:
            UnsafePathError: if the name has become another kind of entry.
            FileAccessError: if the system refuses; the earlier file stays.
        """
        with SystemErrors("write", self._path):
            if self._durable:
                os.fsync(self._file)
            if not _is_the_same(self._name, self._file):
                reason = "the partial file was replaced by another file"
                raise FileAccessError("write", str(self._path), reason)
            self._close()
            replace(self._name, self._final, self._path, "file")

    def _close(self) -> bool:
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)
        return descriptor >= 0

    def __enter__(self) -> ResumableFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Keep the written bytes, unless the file was committed."""
        if self._file < 0:
            return
        try:
            is_empty = os.fstat(self._file).st_size == 0 and _is_the_same(self._name, self._file)
            self._close()
            if is_empty:
                os.unlink(self._name)
        except OSError as error:
            # Log and go on: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)


class _Beginning(io.RawIOBase):
    """The first bytes of an open file, at a position of its own."""

    def __init__(self, descriptor: int, size: int, path: SafePath) -> None:
        super().__init__()
        self._file = descriptor
        self._size = size
        self._path = path
        self._offset = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all remaining bytes for -1.

        Raises:
            FileAccessError: if the system refuses.
        """
        left = self._size - self._offset
        with SystemErrors("read", self._path):
            os.lseek(self._file, self._offset, os.SEEK_SET)
            chunk = os.read(self._file, left if size < 0 else min(size, left))
        self._offset += len(chunk)
        return chunk


# --- Directories --------------------------------------------------------------------------


def remove_tree(name: str) -> None:
    """Remove the directory `name` with its contents; log a failure."""
    try:
        shutil.rmtree(name)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning("cannot remove the partial directory %s: %s", name, error)


def move_directory(source: str, target: str, path: SafePath) -> None:
    """Move the directory `source` to `target`, or merge it into a directory there.

    Raises:
        UnsafePathError: if entries of different kinds have one name; then nothing is moved.
        OSError: if the system refuses; entries moved before stay moved.
    """
    _check_move(source, target, path)
    _move(source, target, path)


def _check_move(source: str, target: str, path: SafePath) -> None:
    kind = kind_at(source) or "other"
    check_replaceable(kind_at(target), path, *_REPLACEABLE.get(kind, ()))
    if kind == "directory" and kind_at(target) is not None:
        for inner in os.listdir(source):
            below = path / sanitize_path(inner)
            _check_move(os.path.join(source, inner), os.path.join(target, inner), below)


def _move(source: str, target: str, path: SafePath) -> None:
    kind = kind_at(source) or "other"
    if kind != "directory" or kind_at(target) is None:
        replace(source, target, path, *_REPLACEABLE.get(kind, ()))
        return
    check_replaceable(kind_at(target), path, "directory")
    for inner in os.listdir(source):
        below = path / sanitize_path(inner)
        _move(os.path.join(source, inner), os.path.join(target, inner), below)
    os.rmdir(source)
