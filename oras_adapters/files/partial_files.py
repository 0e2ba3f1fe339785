"""Files with a temporary name in their final folder, renamed when complete.

A rename within one directory is atomic: the final name always has a complete file, the old or
the new one. A killed process leaves entries whose names end in `UNFINISHED_SUFFIX`.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from oras_adapters.files.folders import Folder, refuse_unless
from oras_adapters.files.system_errors import SystemErrors
from oras_core.model.paths import UNFINISHED_SUFFIX, SafePath
from oras_core.ports.files import PendingFile

__all__ = ["PartialFile", "partial_name", "put_in_place", "write_all"]

CREATE_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL

_log = logging.getLogger(__name__)


def partial_name() -> str:
    """Return a unique temporary name, whose length does not depend on the final name."""
    return f".{os.urandom(8).hex()}{UNFINISHED_SUFFIX}"


class PartialFile(PendingFile):
    """A file being written under a temporary name."""

    def __init__(self, folder: Folder, path: SafePath, *, executable: bool, durable: bool) -> None:
        """Create it in the folder, and own that folder."""
        self._folder = folder
        self._path = path
        self._durable = durable
        self._name = partial_name()
        try:
            with SystemErrors("create", path):
                refuse_unless(folder, path.name, path, "file")
                # The kernel removes the bits of the umask.
                mode = 0o777 if executable else 0o666
                self._file = folder.open(self._name, CREATE_FLAGS, mode)
        except BaseException:
            folder.close()
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
            self._close()
            put_in_place(self._folder, self._name, self._path, durable=self._durable)
        self._name = ""
        self._folder.close()

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
            self._folder.unlink(self._name)
        except OSError as error:
            # Log and go on: the original error is more important than a leftover file.
            _log.warning("cannot remove the partial file %s: %s", self._name, error)
        finally:
            self._name = ""
            self._folder.close()


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data` to an open file.

    Raises:
        OSError: if the system refuses.
    """
    written = os.write(descriptor, data)
    while written < len(data):
        written += os.write(descriptor, memoryview(data)[written:])


def put_in_place(folder: Folder, name: str, path: SafePath, *, durable: bool) -> None:
    """Rename the complete file `name` of the folder to its final name.

    Raises:
        UnsafePathError: if the final name has become another kind of entry.
        OSError: if the system refuses.
    """
    refuse_unless(folder, path.name, path, "file")
    folder.rename(name, folder, path.name)
    if durable:
        folder.synchronise()
