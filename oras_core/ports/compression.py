"""Compression of packed directories: the port for libraries that do it."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol

__all__ = ["Compression", "DamagedStreamError", "Decompressor"]


class DamagedStreamError(Exception):
    """Compressed data is malformed; the message says how. Never leaves the package."""


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
        """Whether nothing more can be given before more is put in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was put in beyond the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Take `data`, and return at most `max_length` bytes; further ones for no data.

        What memory it takes depends on the format alone, never on what the data claims.

        Raises:
            DamagedStreamError: if the data is malformed.
        """
        ...


class Compression(Protocol):
    """A way to compress; thread-safe, one object serves many archives."""

    @property
    def name(self) -> str:
        """What does it, for messages."""
        ...

    @property
    def suffix(self) -> str:
        """What a media type says of it behind a `+`."""
        ...

    @property
    def magic(self) -> bytes:
        """How its streams begin."""
        ...

    @property
    def padding(self) -> bytes:
        """A byte that may follow its streams any number of times; empty for none."""
        ...

    def compress(self, pieces: Iterable[bytes]) -> Generator[bytes, None, None]:
        """Compress into one stream, piece by piece.

        The result depends on the joined pieces alone: not on how they are cut, nor on the
        number of threads. Closing the iterator ends whatever threads it has.
        """
        ...

    def decompressor(self) -> Decompressor:
        """Return what decompresses a stream.

        Raises:
            UnsupportedError: if a library that this needs is not installed.
        """
        ...
