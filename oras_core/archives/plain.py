"""Archives without compression, and the choice between both by a sample of the files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from typing import Final

from attrs import field, frozen

from oras_core.archives.gzip_streams import GZIP
from oras_core.cancellation import current_token
from oras_core.content.reading import skip_to
from oras_core.errors import UnsupportedError
from oras_core.ports.compression import Compression, Decompressor
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileEntry, FileTree

__all__ = ["PLAIN", "Automatic", "Plain"]

SAMPLES: Final = 32
"""Samples of one directory, evenly distributed over the bytes of its files."""

SAMPLE_SIZE: Final = 32 * 1024
"""Bytes of one sample: enough to count each byte value about 128 times."""

TOLERANCE: Final = 8
"""Percent by which byte counts of incompressible data differ from those of random data."""

STORED_SHARE: Final = 90
"""Percent of the samples that must be incompressible to store a directory without compression."""


@frozen
class Plain:
    """No compression: the archive is a plain tar (image spec, layer.md)."""

    name = "none"
    suffix = ""
    magic = b""
    padding = b""

    def compress(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Yield the pieces unchanged."""
        yield from pieces

    def decompressor(self) -> Decompressor:
        """Refuse: a plain tar is read as it is.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("decompress a plain tar", "it is not compressed")


PLAIN: Final = Plain()


@frozen
class Automatic:
    """Chooses no compression for directories whose files do not compress, such as media files.

    The choice depends on the files only, so the same files give the same digest everywhere.

    Attributes:
        compression: the compression for all other directories.
    """

    compression: Compression = field(default=GZIP)

    def choose(self, tree: FileTree, entries: Iterable[FileEntry]) -> Compression:
        """Return the compression for the directory `tree`, whose entries are `entries`.

        Raises:
            FileAccessError: if a file cannot be read.
            CancelledError: if the current token is cancelled.
        """
        token = current_token()
        total = incompressible = 0
        for sample in _samples(tree, [entry for entry in entries if entry.size]):
            token.raise_if_cancelled("sample a directory")
            total += len(sample)
            if not _is_compressible(sample):
                incompressible += len(sample)
        is_stored = total > 0 and incompressible * 100 >= total * STORED_SHARE
        return PLAIN if is_stored else self.compression


def _samples(tree: FileTree, files: list[FileEntry]) -> Iterator[bytes]:
    """Yield samples that are evenly distributed over the bytes of all files."""
    total = sum(entry.size for entry in files)
    places = iter(sorted({total * number // SAMPLES for number in range(SAMPLES)}))
    place = next(places)
    begin = 0
    for entry in files:
        end = begin + entry.size
        offsets = []
        while begin <= place < end:
            offsets.append(place - begin)
            place = next(places, total)
        if offsets:
            with closing(tree.open(entry.path)) as stream:
                yield from _read_at(stream, offsets)
        begin = end


def _read_at(stream: ByteStream, offsets: Iterable[int]) -> Iterator[bytes]:
    """Yield a sample at each offset, or after the previous sample."""
    position = 0
    for offset in offsets:
        if position < offset:
            position = skip_to(stream, offset, position)
        sample = b""
        while len(sample) < SAMPLE_SIZE and (piece := stream.read(SAMPLE_SIZE - len(sample))):
            sample += piece
        position += len(sample)
        if sample:
            yield sample


def _is_compressible(sample: bytes) -> bool:
    """Tell whether bytes, or the differences between neighbours, are unevenly distributed."""
    number = int.from_bytes(sample, "big")
    differences = (number ^ (number >> 8)).to_bytes(len(sample), "big")[1:]
    return _is_uneven(sample) or _is_uneven(differences)


def _is_uneven(data: bytes) -> bool:
    # Random bytes give a sum of n^2/256 + n. Integers keep the result equal on every machine.
    size = len(data)
    squares = sum(count * count for count in Counter(data).values())
    return squares * 25600 > size * (size + 256) * (100 + TOLERANCE)
