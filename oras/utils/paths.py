"""Paths: containment, temporary files, searches, and splitting off a media type."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oras_core.errors import UnsafePathError

__all__ = [
    "OutsideDirectoryError",
    "PathAndOptionalContent",
    "get_tmpdir",
    "get_tmpfile",
    "is_within_directory",
    "mkdir_p",
    "recursive_find",
    "sanitize_path",
    "split_path_and_content",
    "workdir",
]


class OutsideDirectoryError(UnsafePathError):
    """A path is outside the expected folder; also a ValueError.

    Attributes:
        value: the path, resolved if possible.
        directory: the folder, resolved.
    """

    def __init__(self, value: str, directory: str) -> None:
        """Set the attributes."""
        super().__init__(value, f"it is not in {directory}")
        self.directory = directory

    def __str__(self) -> str:
        """Return oras-py's message."""
        shown = self.value if str(self.value).isprintable() else repr(self.value)
        return f"Filename {shown} is not in {self.directory} directory"

    def __reduce__(self) -> tuple[type[OutsideDirectoryError], tuple[object, str]]:
        """Pickle the attributes, not the message."""
        return type(self), (self.value, self.directory)


def _resolve(path: str | os.PathLike[str]) -> Path:
    # RuntimeError: an unknown home, or a loop of links. ValueError: a NUL character.
    resolved = Path(path).expanduser().resolve()
    try:
        resolved.stat()
    except OSError as error:
        # From Python 3.13, `resolve` leaves a loop in the path without an error.
        if error.errno == errno.ELOOP:
            raise
    return resolved


def sanitize_path(expected_dir: str | os.PathLike[str], path: str | os.PathLike[str]) -> str:
    """Resolve `path` and return it if it is inside `expected_dir`.

    The folder itself counts as inside. Symbolic links are followed in both paths, so a link
    in the folder that points outside is detected. The path need not exist. A relative path
    is relative to the working directory.

    Raises:
        OutsideDirectoryError: if the path is outside the folder, or is not a valid path.
    """
    directory = _resolve(expected_dir)
    try:
        resolved = _resolve(path)
    except (OSError, RuntimeError, ValueError) as error:
        raise OutsideDirectoryError(os.fspath(path), str(directory)) from error
    if not resolved.is_relative_to(directory):
        raise OutsideDirectoryError(str(resolved), str(directory))
    return str(resolved)


def is_within_directory(directory: str, target: str) -> bool:
    """Return whether `target` is `directory` or inside it, with links followed."""
    try:
        sanitize_path(directory, target)
    except OutsideDirectoryError:
        return False
    return True


class PathAndOptionalContent:
    """A path with an optional media type.

    Attributes:
        path: the path.
        content: the media type, or None.
    """

    def __init__(self, path: str, content: str | None = None) -> None:
        """Set the attributes."""
        self.path = path
        self.content = content


def split_path_and_content(ref: str) -> PathAndOptionalContent:
    """Split `PATH[:MEDIA_TYPE]`.

    An existing path is never split, even if it contains colons. Otherwise, the last `:`
    separates the media type. On Windows, the colon after the drive letter does not count.
    """
    if ":" not in ref or os.path.exists(ref):
        return PathAndOptionalContent(ref)
    drive, rest = os.path.splitdrive(ref)
    if drive:
        path, colon, content = rest.partition(":")
        return PathAndOptionalContent(drive + path, content if colon else None)
    path, _, content = ref.rpartition(":")
    return PathAndOptionalContent(path, content)


@contextmanager
def workdir(dirname: str | os.PathLike[str]) -> Iterator[None]:
    """Change the working directory of the process for the duration of a `with` block."""
    here = os.getcwd()
    os.chdir(dirname)
    try:
        yield
    finally:
        os.chdir(here)


def mkdir_p(path: str) -> None:
    """Create a folder and its parents. An existing folder is accepted.

    Raises:
        ValueError: if the folder cannot be created.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise ValueError(f"Error creating path {path}.") from error


def get_tmpdir(tmpdir: str | None = None, prefix: str | None = "", create: bool = True) -> str:
    """Create a new folder that only this user can read, and return its path.

    Args:
        tmpdir: the parent folder. The default is the system's temporary folder.
        prefix: the start of its name, before a dot and a random part. The default is
            `oras-tmp`.
        create: create the folder. If False, only return an unused name.
    """
    import tempfile  # noqa: PLC0415 - slow to import, and few operations need it

    parent = tmpdir or tempfile.gettempdir()
    start = f"{prefix or 'oras-tmp'}."
    if create:
        return tempfile.mkdtemp(prefix=start, dir=parent)
    return os.path.join(parent, start + os.urandom(4).hex())


def get_tmpfile(tmpdir: str | None = None, prefix: str = "", suffix: str = "") -> str:
    """Create an empty file in a new folder, and return its path.

    The folder contains nothing else, so callers may delete it together with the file.

    Args:
        tmpdir: the parent of the new folder. The default is the system's temporary folder.
        prefix: the start of the file's name. Folders in it are ignored.
        suffix: the end of the file's name, such as `.json`.
    """
    import tempfile  # noqa: PLC0415 - as above

    descriptor, path = tempfile.mkstemp(suffix, os.path.basename(prefix), get_tmpdir(tmpdir))
    os.close(descriptor)
    return path


def recursive_find(base: str, pattern: str | None = None) -> Iterator[str]:
    """Yield the absolute paths of all files below `base`, in a stable order.

    Args:
        base: the folder.
        pattern: a regular expression to search for in the path.
    """
    wanted = re.compile(pattern) if pattern else None
    for root, folders, files in os.walk(base):
        folders.sort()
        for name in sorted(files):
            path = os.path.abspath(os.path.join(root, name))
            if wanted is None or wanted.search(path):
                yield path
