"""Read and write files. Also exports the functions of `archives` and `paths`."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any, AnyStr

from oras._names import module_attributes
from oras.utils.archives import extract_targz, make_targz, reset
from oras.utils.paths import (
    PathAndOptionalContent,
    get_tmpdir,
    get_tmpfile,
    is_within_directory,
    mkdir_p,
    recursive_find,
    sanitize_path,
    split_path_and_content,
    workdir,
)

__all__ = [
    "PathAndOptionalContent",
    "copyfile",
    "extract_targz",
    "get_file_hash",
    "get_size",
    "get_tmpdir",
    "get_tmpfile",
    "is_within_directory",
    "make_targz",
    "mkdir_p",
    "print_json",
    "read_file",
    "read_in_chunks",
    "read_json",
    "readline",
    "recursive_find",
    "reset",
    "sanitize_path",
    "split_path_and_content",
    "workdir",
    "write_file",
    "write_json",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


def readline() -> str:
    """Return the first line of standard input, without its line end.

    Blanks are kept: they may be part of a password. Empty input returns an empty string.
    """
    return sys.stdin.readline().rstrip("\r\n")


def get_size(path: str) -> int:
    """Return a file's size in bytes."""
    return os.stat(path).st_size


def get_file_hash(path: str, algorithm: str = "sha256") -> str:
    """Return a file's hash in hexadecimal digits, without the algorithm's name.

    Raises:
        AttributeError: if `hashlib` does not have the algorithm.
    """
    make = getattr(hashlib, algorithm)
    with open(path, "rb") as file:
        return str(hashlib.file_digest(file, make).hexdigest())


def copyfile(source: str, destination: str, force: bool = True) -> str:
    """Copy a file and return `destination`.

    The copy replaces an older file only when it is complete.

    Args:
        source: the file.
        destination: the path of the copy.
        force: replace an existing file.
    """
    if os.path.exists(destination) and (not force or os.path.samefile(source, destination)):
        return destination
    directory, name = os.path.split(destination)
    with open(source, "rb") as reader:
        descriptor, partial = tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
        try:
            with os.fdopen(descriptor, "wb") as writer:
                shutil.copyfileobj(reader, writer)
            os.chmod(partial, stat.S_IMODE(os.fstat(reader.fileno()).st_mode))
            os.replace(partial, destination)
        except BaseException:
            os.unlink(partial)
            raise
    return destination


def _open(filename: str, mode: str) -> IO[Any]:
    return open(filename, mode, encoding=None if "b" in mode else "utf-8")


def read_file(filename: str, mode: str = "r") -> Any:
    """Read a file as UTF-8 text, or as bytes with mode `rb`."""
    with _open(filename, mode) as file:
        return file.read()


def write_file(filename: str, content: AnyStr, mode: str = "w", make_exec: bool = False) -> str:
    """Write text (as UTF-8) or, with mode `wb`, bytes; return `filename`.

    Args:
        filename: the file.
        content: the text or bytes.
        mode: the mode of `open`.
        make_exec: make the file executable for all users.
    """
    with _open(filename, mode) as file:
        file.write(content)
    if make_exec:
        executable = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
        os.chmod(filename, os.stat(filename).st_mode | executable)
    return filename


def read_in_chunks(image: IO[AnyStr], chunk_size: int = 1024) -> Iterator[AnyStr]:
    """Yield the rest of an open file, `chunk_size` bytes or characters at a time."""
    while chunk := image.read(chunk_size):
        yield chunk


def print_json(json_obj: object) -> str:
    """Return an object as JSON text, indented by four blanks. Nothing is printed.

    Raises:
        TypeError: if the object is not serializable as JSON.
    """
    return json.dumps(json_obj, indent=4)


def write_json(json_obj: object, filename: str, mode: str = "w") -> str:
    """Write an object as JSON and return `filename`.

    Raises:
        TypeError: if the object is not serializable as JSON. The file is not changed then.
    """
    return write_file(filename, print_json(json_obj), mode)


def read_json(filename: str, mode: str = "r") -> Any:
    """Parse a JSON file.

    Raises:
        ValueError: if the file is not JSON.
    """
    return json.loads(read_file(filename, mode))
