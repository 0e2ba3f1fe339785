"""Files and directories with a temporary name in their final folder, renamed when complete.

A rename within one directory is atomic: the final name always has a complete file, the old or
the new one. A killed process leaves entries whose names end in `UNFINISHED_SUFFIX`. Part of
`oras_adapters.files.posix`.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
from typing import Final

from oras_adapters.files.posix_directories import enter, kind_at, listed, native, refuse_unless
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath, sanitize_path
from oras_core.ports.files import FileKind, PendingFile

__all__ = [
    "PartialFile",
    "move_directory",
    "partial_name",
    "put_in_place",
    "remove_tree",
    "write_all",
]

CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_REPLACEABLE: Final[dict[FileKind, tuple[FileKind, ...]]] = {
    "file": ("file",),
    "symlink": ("file", "symlink"),
    "directory": ("directory",),
}
"""The kinds of entries that each kind may replace."""

_log = logging.getLogger(__name__)


def partial_name() -> str:
    """Return a unique temporary name, whose length does not depend on the final name."""
    return f".{os.urandom(8).hex()}{UNFINISHED_SUFFIX}"


class PartialFile(PendingFile):
    """A file being written under a temporary name."""

    def __init__(self, folder: int, path: SafePath, *, executable: bool, durable: bool) -> None:
        """Create it in the open directory `folder`, and own that descriptor."""
        self._folder = folder
        self._path = path
        self._durable = durable
        self._name = partial_name()
        try:
            with SystemErrors("create", path):
                refuse_unless(folder, path.name, path, "file")
                # The kernel removes the bits of the umask.
                mode = 0o777 if executable else 0o666
                self._file = os.open(self._name, CREATE_FLAGS, mode, dir_fd=folder)
        except BaseException:
            os.close(folder)
            raise

    def write(self, data: bytes, /) -> None:
        """Append all of `data`.

        Raises:
            FileAccessError: if the system refuses, e.g. for a full disk.
        """
        with SystemErrors("write", self._path):
            write_all(self._file, data)

    def commit(self) -> None:
        """Give the complete file its name, replacing an earlier file.

        Raises:
            UnsafePathError: if the name has become another kind of entry.
            FileAccessError: if the system refuses; the earlier file stays.
        """
        with SystemErrors("write", self._path):
            if self._durable:
                os.fsync(self._file)
            self._close_file()
            put_in_place(self._folder, self._name, self._path, durable=self._durable)
        self._close_folder()

    def _close_file(self) -> None:
        descriptor, self._file = self._file, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _close_folder(self) -> None:
        descriptor, self._folder = self._folder, -1
        os.close(descriptor)

    def __enter__(self) -> PendingFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard the file, unless it was committed."""
        if self._folder < 0:
            return
        try:
            self._close_file()
            os.unlink(self._name, dir_fd=self._folder)
        except OSError as error:
            # Log and go on: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)
        finally:
            self._close_folder()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` to an open file.

    Raises:
        OSError: if the system refuses.
    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def put_in_place(folder: int, name: str, path: SafePath, *, durable: bool) -> None:
    """Rename the complete file `name` of the open directory to its final name.

    Raises:
        UnsafePathError: if the final name has become another kind of entry.
        OSError: if the system refuses.
    """
    refuse_unless(folder, path.name, path, "file")
    os.rename(name, native(path.name), src_dir_fd=folder, dst_dir_fd=folder)
    if durable:
        try:
            os.fsync(folder)
        except OSError as error:
            # A directory that may only be entered cannot be synchronised.
            if error.errno != errno.EBADF:
                raise


def remove_tree(folder: int, name: str) -> None:
    """Remove the directory `name` with its contents; log a failure."""
    try:
        shutil.rmtree(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError as error:
        _log.warning("cannot remove the partial directory %s: %s", name, error)


def move_directory(source: int, name: str, target: int, final: str, path: SafePath) -> None:
    """Move the directory `name` of the open `source` to the name `final` of the open `target`.

    If `final` is a directory already, the contents are moved into it: missing directories as
    a whole, files one by one, each replacing a file of the same name.

    Raises:
        UnsafePathError: if entries of different kinds have one name; then nothing is moved.
        OSError: if the system refuses; entries moved before stay moved.
    """
    _check_move(source, name, target, final, path)
    _move(source, name, target, final, path)


def _check_move(source: int, name: str, target: int, final: str, path: SafePath) -> None:
    kind = kind_at(source, name) or "other"
    refuse_unless(target, final, path, *_REPLACEABLE.get(kind, ()))
    if kind == "directory" and kind_at(target, final) is not None:
        with _Pair(source, name, target, final, path) as (inside, there):
            for inner in listed(inside):
                _check_move(inside, inner, there, inner, path / sanitize_path(inner))


def _move(source: int, name: str, target: int, final: str, path: SafePath) -> None:
    # A link created since the check is replaced or refused, but never followed.
    kind = kind_at(source, name)
    if kind != "directory" or kind_at(target, final) is None:
        try:
            os.rename(native(name), native(final), src_dir_fd=source, dst_dir_fd=target)
        except OSError as error:
            # Another process has just created the directory: merge into it.
            if kind != "directory" or error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return
    with _Pair(source, name, target, final, path) as (inside, there):
        for inner in listed(inside):
            _move(inside, inner, there, inner, path / sanitize_path(inner))
    os.rmdir(native(name), dir_fd=source)


class _Pair:
    """The source and the target directory of a merge, both open."""

    def __init__(self, source: int, name: str, target: int, final: str, path: SafePath) -> None:
        self._source = enter(source, name, path)
        try:
            self._target = enter(target, final, path)
        except BaseException:
            os.close(self._source)
            raise

    def __enter__(self) -> tuple[int, int]:
        return self._source, self._target

    def __exit__(self, *exception: object) -> None:
        os.close(self._source)
        os.close(self._target)
