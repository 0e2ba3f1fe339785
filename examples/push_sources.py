"""Push what is no file: bytes, what a program makes on the way, members of a zip, remote files.

Run it with the address of a registry: `python examples/push_sources.py localhost:5000`.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from oras_adapters import LocalFileTree, compose, scratch_directory
from oras_core import BytesSource, File, FileSource, OpenedSource, push, sanitize_path
from oras_core.content.sources import spool


class RemoteFiles:
    """Stands for a file system of fsspec: `fsspec.filesystem("s3")` has the same two methods."""

    def __init__(self, files: dict[str, bytes]) -> None:
        """Hold `files`, contents by path."""
        self._files = files

    def open(self, path: str) -> io.BytesIO:
        """Open a file."""
        return io.BytesIO(self._files[path])

    def info(self, path: str) -> dict[str, Any]:
        """Describe a file."""
        return {"name": path, "size": len(self._files[path])}


def measurements() -> Iterator[bytes]:
    """Make lines, one after the other, of which nobody knows how many there will be."""
    for number in range(1000):
        yield f"{number},{number * number}\n".encode()


def zip_file() -> io.BytesIO:
    """Make a zip file with one member."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data/table.csv", "a,b\n1,2\n")
    return written


def main(argv: Sequence[str]) -> None:
    """Push one artifact of many sources to the registry `argv[0]`."""
    here = Path(__file__).resolve()
    remote = RemoteFiles({"bucket/photo.raw": bytes(10_000)})
    with (
        compose() as composition,
        scratch_directory() as scratch,
        zipfile.ZipFile(zip_file()) as archive,
    ):
        member = archive.getinfo("data/table.csv")
        photo = remote.info("bucket/photo.raw")
        contents = [
            # A path: the file is read where it lies.
            File("program.py", FileSource(LocalFileTree(here.parent), sanitize_path(here.name))),
            File("hello.txt", BytesSource(b"hello\n")),
            # What can be opened again and again is opened when it is needed.
            File("table.csv", OpenedSource(partial(archive.open, member), member.file_size)),
            File("photo.raw", OpenedSource(partial(remote.open, photo["name"]), photo["size"])),
            # What can be read only once is kept for as long as the push takes.
            File("squares.csv", spool(measurements(), scratch)),
            File("stream.bin", spool(io.BytesIO(b"from an open file"), scratch)),
        ]
        repository = composition.repository(f"{argv[0]}/examples/sources")
        root = push(repository, "v1", contents, scratch=scratch)
        print(f"pushed {len(contents)} files as {root.digest}")


if __name__ == "__main__":
    main(sys.argv[1:])
