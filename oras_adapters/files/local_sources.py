"""Sources of files and folders that a program names by paths of the operating system."""

from __future__ import annotations

import os

from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import BytesSource, FileSource
from oras_core.model.paths import sanitize_path
from oras_core.ports.content import ByteSource
from oras_core.ports.digests import DigestMemory

__all__ = ["LocalFiles", "utf8_name"]


def utf8_name(name: str) -> str:
    """Return a file name as text that does not depend on the locale: its bytes, read as UTF-8.

    Python reads the names of files by the locale. Bytes that are not UTF-8 become surrogates,
    which `sanitize_path` refuses.
    """
    return os.fsencode(name).decode("utf-8", "surrogateescape")


class LocalFiles:
    """Opens files and folders. Each folder is opened once for any number of files.

    Symbolic links in the paths that the user passes are followed.
    """

    def __init__(self, digests: DigestMemory | None = None) -> None:
        """Open nothing yet; `digests` remembers the digests of the files."""
        self._digests = digests
        self._folders: dict[str, LocalFileTree] = {}
        self._real: dict[str, str] = {}

    def source(self, path: str | os.PathLike[str]) -> ByteSource:
        """Return the source of the file at `path`. The null device is an empty source.

        Raises:
            NotFoundError: if the file does not exist.
            FileAccessError: if it is not a regular file.
        """
        folder, name = self._located(os.fspath(path))
        if os.path.join(folder, name) == os.devnull:
            return BytesSource(b"")
        return FileSource(self._held(folder), sanitize_path(utf8_name(name)))

    def tree(self, path: str | os.PathLike[str]) -> LocalFileTree:
        """Return the folder at `path`.

        Raises:
            NotFoundError: if the folder does not exist.
        """
        return self._held(os.path.realpath(path))

    def _located(self, path: str) -> tuple[str, str]:
        """Return the resolved folder of a file, and the file's name. Folders are cached."""
        folder, name = os.path.split(path)
        if name in ("", ".", "..") or os.path.islink(path):
            return os.path.split(os.path.realpath(path))
        if folder not in self._real:
            self._real[folder] = os.path.realpath(folder)
        return self._real[folder], name

    def _held(self, folder: str) -> LocalFileTree:
        if folder not in self._folders:
            self._folders[folder] = LocalFileTree(folder, digests=self._digests)
        return self._folders[folder]
