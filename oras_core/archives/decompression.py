"""Decompressing strangers' archives, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from oras_core.archives.tar_format import ArchiveDamage
from oras_core.content.sources import CHUNK_SIZE
from oras_core.ports.compression import Compression, DamagedStreamError, Decompressor
from oras_core.ports.content import ByteStream

__all__ = ["decompressed"]

INPUT_SIZE: Final = 128 * 1024
"""Bytes decompressed at a time: what zlib leaves over is copied, so this is kept small."""


def decompressed(stream: ByteStream, compressions: Sequence[Compression]) -> Iterator[bytes]:
    """Decompress a stream, which is read to its end, by what its beginning shows it to be.

    No piece is larger than a chunk, however much a bomb would give. Several compressed
    streams in a row are one (RFC 1952, 2.2; RFC 8878, 3.1). What begins like none is handed
    on as it is.

    Raises:
        ArchiveDamage: if it is malformed, breaks off, or something follows it.
        UnsupportedError: if a library that this needs is not installed.
    """
    longest = max(len(compression.magic) for compression in compressions)
    beginning = b""
    while len(beginning) < longest and (piece := stream.read(CHUNK_SIZE)):
        beginning += piece
    for compression in compressions:
        # No tar archive begins so: it would be a control character in a name, or no UTF-8.
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
            raise ArchiveDamage("its compressed data breaks off")
        if chunk := decompressor.decompress(data, CHUNK_SIZE):
            yield chunk
