"""Decompress untrusted archives with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from oras_core.archives.tar_format import ArchiveDamage
from oras_core.content.reading import CHUNK_SIZE
from oras_core.ports.compression import Compression, DamagedStreamError, Decompressor
from oras_core.ports.content import ByteStream

__all__ = ["decompressed"]

INPUT_SIZE: Final = 128 * 1024
"""Bytes decompressed at a time. Small, because zlib copies the input that it leaves over."""


def decompressed(stream: ByteStream, compressions: Sequence[Compression]) -> Iterator[bytes]:
    """Decompress a stream, whose first bytes show the format, and read it to its end.

    No piece exceeds `CHUNK_SIZE`, whatever the compression ratio. Concatenated compressed
    streams count as one (RFC 1952, 2.2; RFC 8878, 3.1). A stream that matches no compression
    is passed through unchanged.

    Raises:
        ArchiveDamage: if the stream is malformed or truncated, or other data follows it.
        UnsupportedError: if the library for this format is not installed.
    """
    longest = max(len(compression.magic) for compression in compressions)
    beginning = b""
    while len(beginning) < longest and (piece := stream.read(CHUNK_SIZE)):
        beginning += piece
    for compression in compressions:
        # No tar archive begins with magic bytes: its first name would hold control characters.
        if beginning.startswith(compression.magic):
            yield from _streams(stream, beginning, compression)
            return
    while beginning:
        yield beginning
        beginning = stream.read(CHUNK_SIZE)


def _streams(stream: ByteStream, data: bytes, compression: Compression) -> Iterator[bytes]:
    while data:
        decompressor = compression.decompressor()
        try:
            yield from _one(stream, data, decompressor)
        except DamagedStreamError as error:
            raise ArchiveDamage(f"its compression is damaged ({error})") from error
        data = decompressor.unused_data
        while not (data := data.lstrip(compression.padding)) and (data := stream.read(INPUT_SIZE)):
            pass


def _one(stream: ByteStream, data: bytes, decompressor: Decompressor) -> Iterator[bytes]:
    if chunk := decompressor.decompress(data, CHUNK_SIZE):
        yield chunk
    while not decompressor.eof:
        data = b""
        if decompressor.needs_input and not (data := stream.read(INPUT_SIZE)):
            raise ArchiveDamage("its compressed data is truncated")
        if chunk := decompressor.decompress(data, CHUNK_SIZE):
            yield chunk
