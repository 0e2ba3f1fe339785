"""A file with credentials that other programs and other users share: reading and replacing it."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from oras_adapters.descriptor_locks import NO_LOCKS, try_lock_descriptor, unlock_and_close
from oras_core.forks import ForkSafeLock

__all__ = ["ConfigFile", "replace_file"]

_LOGGER = logging.getLogger(__name__)

MAX_CONFIG_SIZE: Final = 16 * 1024 * 1024
"""Maximum size of a configuration file in bytes; real files have a few KiB."""

LOCK_SECONDS: Final = 10.0
"""Seconds to wait for another process that is writing the file."""

PIPE_SECONDS: Final = 10.0
"""Seconds to wait for the writer of a pipe."""

STALE_SECONDS: Final = 60.0
"""Age in seconds from which a temporary file counts as left behind by a killed process."""

_LOCK_POLL: Final = 0.02
_PIPE_POLL: Final = 0.02

_CHUNK: Final = 64 * 1024

_NONBLOCKING: Final = getattr(os, "O_NONBLOCK", 0)
_CLOEXEC: Final = getattr(os, "O_CLOEXEC", 0)
_NOFOLLOW: Final = getattr(os, "O_NOFOLLOW", 0)


class ConfigFile:
    """Reads and replaces a file. Thread-safe, also between processes.

    The file keeps its owner, group, mode and extended attributes, symbolic links and hard links.
    Only a file that everybody could read becomes private to its owner. A pipe is read once.
    """

    def __init__(self, path: Path) -> None:
        """Use the file at `path`; it need not exist."""
        self.path = path
        self._lock = ForkSafeLock()
        self._piped: bytes | None = None

    def read(self) -> bytes:
        """Return the content; empty if there is no file.

        Raises:
            OSError: if the file cannot be read, or if it is larger than `MAX_CONFIG_SIZE`.
        """
        with self._lock:
            if self._piped is not None:
                return self._piped
            try:
                # Without O_NONBLOCK, opening a pipe waits for a writer.
                descriptor = os.open(self.path, os.O_RDONLY | _NONBLOCKING | _CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                return b""
            with open(descriptor, "rb", buffering=0) as file:
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    return _bounded(file.read(MAX_CONFIG_SIZE + 1))
                self._piped = _bounded(_drained(descriptor))
                return self._piped

    @contextlib.contextmanager
    def writing(self) -> Iterator[Path]:
        """Lock the file against other writers during the block.

        Yields:
            The file's path with all symbolic links resolved, for `replace_file`.

        Raises:
            OSError: if the folder cannot be made, or if another process holds the lock.
        """
        target = Path(os.path.realpath(self.path))
        if target.exists() and not target.is_file():
            raise OSError(errno.EINVAL, "it is not a regular file")
        _make_folder(target.parent)
        with self._lock, _file_lock(target):
            yield target


def _bounded(content: bytes) -> bytes:
    if len(content) > MAX_CONFIG_SIZE:
        raise OSError(errno.EFBIG, f"it has more than {MAX_CONFIG_SIZE} bytes")
    return content


def _drained(descriptor: int) -> bytes:
    """Read a pipe or a device to its end.

    Raises:
        TimeoutError: if no writer opens the pipe, or if the writer is too slow.
    """
    pipe = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    content = bytearray()
    deadline = time.monotonic() + PIPE_SECONDS
    while len(content) <= MAX_CONFIG_SIZE:
        chunk = b""
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(descriptor, _CHUNK)
            if not chunk and (content or not pipe):
                break  # a pipe without content may still get its writer
        content += chunk
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "its writer does not end")
        if not chunk:
            time.sleep(min(left, _PIPE_POLL))
    return bytes(content)


# --- Replacing ----------------------------------------------------------------------------


def replace_file(target: Path, content: bytes) -> None:
    """Replace the content of a file that is locked by `ConfigFile.writing`.

    A new file replaces the old one in one step. If it cannot become like the old
    one, or if the folder cannot be written, the old file is overwritten.

    Raises:
        OSError: if the file cannot be written.
    """
    try:
        old = target.stat()
    except FileNotFoundError:
        old = None
    if old is not None and old.st_nlink > 1:
        _overwrite(target, content, old)
        return
    try:
        with contextlib.suppress(PermissionError):
            _clear_up(target)
        _put_in_place(target, content, old)
    except _UnlikeError:
        assert old is not None  # noqa: S101 - only an old file has attributes to keep
        _overwrite(target, content, old)
    except OSError as error:
        if old is None or error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY):
            raise
        _overwrite(target, content, old)


class _UnlikeError(Exception):
    """A new file cannot get the owner or the attributes of the old one."""


def _put_in_place(target: Path, content: bytes, old: os.stat_result | None) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    try:
        with open(handle, "wb") as file:  # mode 0600
            file.write(content)
            file.flush()
            if old is None:
                _give_to_owner_of(target.parent, Path(name))
            else:
                _make_alike(target, old, Path(name))
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _make_alike(target: Path, old: os.stat_result, new: Path) -> None:
    """Give `new` the owner, group, mode and extended attributes of `target`."""
    try:
        made = new.stat()
        if (made.st_uid, made.st_gid) != (old.st_uid, old.st_gid):
            os.chown(new, old.st_uid, old.st_gid)
        for attribute in _attributes(target):
            os.setxattr(new, attribute, os.getxattr(target, attribute))
        new.chmod(_private(old))
    except OSError as error:
        raise _UnlikeError from error


def _attributes(path: Path) -> list[str]:
    """Return the names of the extended attributes, which contain access lists, too."""
    if not hasattr(os, "listxattr"):
        return []
    try:
        return os.listxattr(path)
    except OSError:
        return []  # the file system has none


def _private(old: os.stat_result) -> int:
    """Return the mode of the new file: a password must not be readable for everybody."""
    mode = stat.S_IMODE(old.st_mode)
    return mode & 0o700 if mode & stat.S_IROTH else mode


def _overwrite(target: Path, content: bytes, old: os.stat_result) -> None:
    with contextlib.suppress(PermissionError):
        target.chmod(_private(old))
    with target.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        _give_to_owner_of(folder.parent, folder)


def _give_to_owner_of(folder: Path, path: Path) -> None:
    """Give a new file to the owner of its folder, if the administrator makes it for them.

    `sudo` may keep the user's HOME; a file of root there would lock the user out.
    """
    if getattr(os, "geteuid", lambda: 1)() == 0:
        owner = folder.stat()
        with contextlib.suppress(OSError):
            os.chown(path, owner.st_uid, owner.st_gid)


def _clear_up(target: Path) -> None:
    """Remove temporary files with passwords that killed processes left beside `target`."""
    for path in target.parent.iterdir():
        if path.name.startswith(f".{target.name}.") and path.suffix == ".tmp":
            with contextlib.suppress(OSError):
                if time.time() - path.lstat().st_mtime > STALE_SECONDS:
                    path.unlink()


# --- Locking ------------------------------------------------------------------------------


@contextlib.contextmanager
def _file_lock(target: Path) -> Iterator[None]:
    """Prevent other processes from writing `target` during the block.

    The lock file stays: if it were removed, two processes could hold the lock at once.
    """
    lock = target.parent / f"{target.name}.lock"
    handle, owner = None, os.getpid()
    try:
        new = not lock.exists()
        handle = os.open(lock, os.O_RDWR | os.O_CREAT | _CLOEXEC | _NOFOLLOW, 0o600)
        if new:
            _give_to_owner_of(target.parent, lock)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        _LOGGER.debug("no lock for %s: %s", target, error.strerror)
    try:
        deadline = time.monotonic() + LOCK_SECONDS
        while handle is not None and not _locked(handle):
            if time.monotonic() > deadline:
                raise TimeoutError(errno.ETIMEDOUT, "another process holds its lock")
            time.sleep(_LOCK_POLL)
        yield
    finally:
        if handle is not None:
            unlock_and_close(handle, owner)


def _locked(handle: int) -> bool:
    try:
        return try_lock_descriptor(handle)
    except OSError as error:
        # Some file systems have no locks; the replacement is atomic there too.
        if error.errno not in NO_LOCKS:
            raise
    return True
