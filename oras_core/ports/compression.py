"""The compression port: libraries that compress packed directories."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from oras_core.ports.files import FileEntry, FileTree

__all__ = ["Compression", "CompressionChooser", "DamagedStreamError", "Decompressor"]


class DamagedStreamError(Exception):
    """Compressed data is malformed. Internal: callers of the package never see it."""


class Decompressor(Protocol):
    """Decompresses one stream; not thread-safe.

    The methods are those of `bz2.BZ2Decompressor` and of `compression.zstd` in the standard
    library.
    """

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether the next output needs more input."""
        ...

    @property
    def unused_data(self) -> bytes:
        """Input beyond the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data` and return at most `max_length` bytes; call with no data for the rest.

        Memory use depends on the format alone, never on sizes that the data claims.

        Raises:
            DamagedStreamError: if the data is malformed.
        """
        ...


@runtime_checkable
class CompressionChooser(Protocol):
    """Chooses the compression of each directory by its files."""

    def choose(self, tree: FileTree, entries: Iterable[FileEntry]) -> Compression:
        """Return the compression for the directory `tree`, whose entries are `entries`.

        Raises:
            FileAccessError: if a file cannot be read.
        """
        ...


class Compression(Protocol):
    """A compression format. Thread-safe: one object serves many archives."""

    @property
    def name(self) -> str:
        """Name of the implementation, for messages."""
        ...

    @property
    def suffix(self) -> str:
        """Suffix of media types, after the `+`; empty for no compression."""
        ...

    @property
    def magic(self) -> bytes:
        """The first bytes of every stream."""
        ...

    @property
    def padding(self) -> bytes:
        """A byte that may follow a stream any number of times; empty if none may."""
        ...

    def compress(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Compress into one stream, piece by piece.

        The result depends only on the joined bytes: not on how they are split, nor on the
        number of threads. Closing the iterator ends its threads.
        """
        ...

    def decompressor(self) -> Decompressor:
        """Return a decompressor for one stream.

        Raises:
            UnsupportedError: if the library for this format is not installed.
        """
        ...
