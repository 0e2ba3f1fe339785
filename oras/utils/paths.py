"""Paths: contained, temporary, found, and split from a media type."""

from __future__ import annotations

import errno
import os
import re
import secrets
import tempfile
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
    """A path does not lie in the folder where it is expected; also a ValueError.

    Attributes:
        value: the path, resolved where that is possible.
        directory: the folder, resolved.
    """

    def __init__(self, value: str, directory: str) -> None:
        """Keep the facts."""
        super().__init__(value, f"it is not in {directory}")
        self.directory = directory

    def __str__(self) -> str:
        """Say it in oras-py's words."""
        shown = self.value if str(self.value).isprintable() else repr(self.value)
        return f"Filename {shown} is not in {self.directory} directory"

    def __reduce__(self) -> tuple[type[OutsideDirectoryError], tuple[object, str]]:
        """Pickle by the facts, not by the message."""
        return type(self), (self.value, self.directory)


def _resolve(path: str | os.PathLike[str]) -> Path:
    # RuntimeError: a home that is unknown, a loop of links. ValueError: a NUL character.
    resolved = Path(path).expanduser().resolve()
    try:
        resolved.stat()
    except OSError as error:
        # From Python 3.13 on a loop is left in the path, without a word.
        if error.errno == errno.ELOOP:
            raise
    return resolved


def sanitize_path(expected_dir: str | os.PathLike[str], path: str | os.PathLike[str]) -> str:
    """Return `path` as an absolute path without links, if it lies in `expected_dir`.

    The folder itself counts as being in it. Symbolic links are followed in both, so that
    a link inside the folder which leads out of it is caught. What `path` names need not
    exist; a relative one is relative to the working directory.

    Raises:
        OutsideDirectoryError: if it lies elsewhere or is no path at all.
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
    """Tell whether `target` is `directory` or lies in it, links followed."""
    try:
        sanitize_path(directory, target)
    except OutsideDirectoryError:
        return False
    return True


class PathAndOptionalContent:
    """A path, and what stood behind its last `:`.

    Attributes:
        path: the path.
        content: a media type, or None where there was no `:`.
    """

    def __init__(self, path: str, content: str | None = None) -> None:
        """Keep both."""
        self.path = path
        self.content = content


def split_path_and_content(ref: str) -> PathAndOptionalContent:
    """Split `PATH[:MEDIA_TYPE]`.

    A path that exists is taken whole, whatever colons it has. Else the last `:` splits;
    on Windows the one behind the drive's.
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
    """Change the working directory for a `with` block, of the whole process."""
    here = os.getcwd()
    os.chdir(dirname)
    try:
        yield
    finally:
        os.chdir(here)


def mkdir_p(path: str) -> None:
    """Make a folder and its parents; one that exists is fine.

    Raises:
        ValueError: if it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise ValueError(f"Error creating path {path}.") from error


def get_tmpdir(tmpdir: str | None = None, prefix: str | None = "", create: bool = True) -> str:
    """Return a new folder that only this user can read.

    Args:
        tmpdir: where; by default where the system keeps temporary files.
        prefix: the start of its name, `oras-tmp` where empty; a dot and a random part follow.
        create: without, only a name is chosen, which somebody else may take.
    """
    parent = tmpdir or tempfile.gettempdir()
    start = f"{prefix or 'oras-tmp'}."
    if create:
        return tempfile.mkdtemp(prefix=start, dir=parent)
    return os.path.join(parent, start + secrets.token_hex(4))


def get_tmpfile(tmpdir: str | None = None, prefix: str = "", suffix: str = "") -> str:
    """Return a new, empty file in a new folder of its own.

    The folder makes it safe to remove the file's directory together with it.

    Args:
        tmpdir: where the folder is made; by default where the system keeps such.
        prefix: the start of the file's name; folders in it are left out.
        suffix: the end of the file's name, such as `.json`.
    """
    descriptor, path = tempfile.mkstemp(suffix, os.path.basename(prefix), get_tmpdir(tmpdir))
    os.close(descriptor)
    return path


def recursive_find(base: str, pattern: str | None = None) -> Iterator[str]:
    """Yield the absolute paths of all files below `base`, in a stable order.

    Args:
        base: the folder.
        pattern: a regular expression that a path must match somewhere.
    """
    wanted = re.compile(pattern) if pattern else None
    for root, folders, files in os.walk(base):
        folders.sort()
        for name in sorted(files):
            path = os.path.abspath(os.path.join(root, name))
            if wanted is None or wanted.search(path):
                yield path
