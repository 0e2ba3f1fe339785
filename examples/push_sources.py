"""Push sources that are not files: bytes, a generator, a member of a zip, a remote file.

Run it with the address of a registry: `python examples/push_sources.py localhost:5001`.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import oras
from oras_adapters import scratch_directory
from oras_core import BytesSource, File, OpenedSource
from oras_core.content.sources import spool


class RemoteFiles:
    """Has two methods of a file system of fsspec, such as `fsspec.filesystem("s3")`."""

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
    """Give lines, one after the other; their number is unknown in advance."""
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
    remote = RemoteFiles({"bucket/photo.raw": bytes(10_000)})
    with (
        oras.Client() as client,
        scratch_directory() as scratch,
        zipfile.ZipFile(zip_file()) as archive,
    ):
        member = archive.getinfo("data/table.csv")
        photo = remote.info("bucket/photo.raw")
        contents: list[str | File] = [
            # A path: the file is read in place.
            __file__,
            File("hello.txt", BytesSource(b"hello\n")),
            # Opened for each attempt.
            File("table.csv", OpenedSource(partial(archive.open, member), member.file_size)),
            File("photo.raw", OpenedSource(partial(remote.open, photo["name"]), photo["size"])),
            # Readable only once: kept in the scratch directory until the push ends.
            File("squares.csv", spool(measurements(), scratch)),
            File("stream.bin", spool(io.BytesIO(b"from an open file"), scratch)),
        ]
        root = client.push(f"{argv[0]}/examples/sources:v1", contents)
        print(f"pushed {len(contents)} files as {root.digest}")


if __name__ == "__main__":
    main(sys.argv[1:])
