"""Files with a temporary name in their final folder, renamed when complete.

A rename within one directory is atomic: the final name always has a complete file, the old or
the new one. A killed process leaves entries whose names end in `UNFINISHED_SUFFIX`.
"""

from __future__ import annotations

import io
import logging
import os
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Self

from oras_adapters.files.entries import RegularFile
from oras_adapters.files.folders import Folder, refuse_unless
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath, is_unfinished
from oras_core.ports.content import ByteStream
from oras_core.ports.files import CloningFile

__all__ = [
    "OpenPartial",
    "PartialFile",
    "WrittenBytes",
    "is_partial",
    "partial_name",
    "remove_partial",
]

CREATE_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_EXCL

_log = logging.getLogger(__name__)


def partial_name() -> str:
    """Return a unique temporary name, whose length does not depend on the final name."""
    return f".{os.urandom(8).hex()}{UNFINISHED_SUFFIX}"


def is_partial(name: str) -> bool:
    """Tell whether a name is that of a partial file or directory of ours."""
    return name.startswith(".") and is_unfinished(name)


def remove_partial(folder: Folder, name: str) -> None:
    """Remove a partial file or directory; log a failure."""
    try:
        if folder.kind(name) == "directory":
            folder.remove_tree(name)
        else:
            folder.unlink(name)
    except FileNotFoundError:
        pass
    except OSError as error:
        # Log and continue: an error before this one is more important than a leftover entry.
        _log.warning("cannot remove the partial entry %s: %s", name, error)


class OpenPartial(CloningFile, ABC):
    """An open file with a temporary name, and the open folder that it is in."""

    def __init__(
        self, folder: Folder, descriptor: int, name: str, path: SafePath, *, durable: bool
    ) -> None:
        """Own the folder and the open file.

        Args:
            folder: the folder.
            descriptor: the file.
            name: the temporary name.
            path: the final path.
            durable: write the file to the disk (fsync) before its commit returns.
        """
        self._folder = folder
        self._file = descriptor
        self._name = name
        self._path = path
        self._durable = durable

    def write(self, data: bytes, /) -> None:
        """Append all of `data`.

        Raises:
            FileAccessError: if the system refuses, e.g. for a full disk.
        """
        with SystemErrors("write", self._path):
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, memoryview(data)[written:])

    def clone(self, file: ByteStream, size: int) -> ByteStream | None:
        """Fill the empty file with a copy of an open file; see the port.

        Raises:
            FileAccessError: if the system refuses to empty the file again.
        """
        if not isinstance(file, RegularFile) or os.fstat(file.fileno()).st_size != size:
            return None
        try:
            self._folder.clone(file.fileno(), self._file, size)
        except OSError:
            self.restart()
            return None
        return WrittenBytes(self._file, os.fstat(self._file).st_size, self._path)

    def restart(self) -> None:
        """Discard all bytes.

        Raises:
            FileAccessError: if the system refuses.
        """
        with SystemErrors("write", self._path):
            os.ftruncate(self._file, 0)
            os.lseek(self._file, 0, os.SEEK_SET)

    def commit(self) -> None:
        """Give the complete file its name, replacing an earlier file.

        Raises:
            UnsafePathError: if the name has become another kind of entry.
            FileAccessError: if the system refuses; the earlier file stays.
        """
        with SystemErrors("write", self._path):
            if self._durable:
                os.fsync(self._file)
            with self._closing():
                refuse_unless(self._folder, self._path.name, self._path, "file")
                self._folder.rename(self._name, self._folder, self._path.name)
                if self._durable:
                    self._folder.synchronise()
        self._name = ""
        self._folder.close()

    @abstractmethod
    def _closing(self) -> AbstractContextManager[object]:
        """Close the file, before or after the block that renames it."""

    def _taken(self) -> int:
        descriptor, self._file = self._file, -1
        return descriptor

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self


class PartialFile(OpenPartial):
    """A file being written under a temporary name."""

    def __init__(self, folder: Folder, path: SafePath, *, executable: bool, durable: bool) -> None:
        """Create it in the folder, and own that folder."""
        name = partial_name()
        try:
            with SystemErrors("create", path):
                refuse_unless(folder, path.name, path, "file")
                # The kernel removes the bits of the umask.
                descriptor = folder.open(name, CREATE_FLAGS, 0o777 if executable else 0o666)
        except BaseException:
            folder.close()
            raise
        super().__init__(folder, descriptor, name, path, durable=durable)

    def _closing(self) -> AbstractContextManager[object]:
        self._close()  # before the rename: network file systems report failed writes here
        return nullcontext()

    def _close(self) -> None:
        descriptor = self._taken()
        if descriptor >= 0:
            os.close(descriptor)

    def __exit__(self, *exception: object) -> None:
        """Discard the file, unless it was committed."""
        if not self._name:
            return
        try:
            self._close()
            self._folder.unlink(self._name)
        except OSError as error:
            # Log and continue: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)
        finally:
            self._name = ""
            self._folder.close()


class WrittenBytes(io.RawIOBase):
    """The first bytes of an open file; one such stream is read at a time."""

    def __init__(self, descriptor: int, size: int, path: SafePath) -> None:
        """Read `size` bytes of the file, which stays open."""
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
