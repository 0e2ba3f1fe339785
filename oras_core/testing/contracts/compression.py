"""The contract of `oras_core.ports.compression`."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from threading import active_count

from oras_core.ports.compression import Compression, DamagedStreamError
from oras_core.testing.contracts.expect import raises

__all__ = ["CompressionContract"]

MOST = 10_000
"""Size of each piece, in bytes."""

TEXT = b"".join(b"line %d of a text\n" % (number % 7_001) for number in range(90_000))
NOISE = b"".join(sha256(b"%d" % number).digest() for number in range(20_000))


def packed(compression: Compression, content: bytes, size: int = 100_000) -> bytes:
    """Compress `content`, given in pieces of `size` bytes."""
    pieces = (content[start : start + size] for start in range(0, len(content), size))
    return b"".join(compression.compress(pieces))


def unpacked(compression: Compression, data: bytes, size: int = 50_000) -> tuple[bytes, bytes]:
    """Decompress one stream, given in pieces; return its bytes and the rest of the input.

    Raises:
        DamagedStreamError: if the stream is damaged or incomplete.
    """
    decompressor = compression.decompressor()
    waiting = (data[start : start + size] for start in range(0, len(data), size))
    found = []
    while not decompressor.eof:
        piece = next(waiting, b"") if decompressor.needs_input else b""
        if decompressor.needs_input and not piece:
            raise DamagedStreamError("the stream is incomplete")
        found.append(decompressor.decompress(piece, MOST))
        assert len(found[-1]) <= MOST
    return b"".join(found), decompressor.unused_data + b"".join(waiting)


class CompressionContract:
    """The contract of every compression; give it a fixture `compression`."""

    def test_decompression_restores_the_bytes(self, compression: Compression) -> None:
        """Unpacking returns bytes of any kind and any length unchanged."""
        for content in (b"", b"x", TEXT, NOISE, bytes(3_000_000), TEXT[:100_000] * 20):
            assert unpacked(compression, packed(compression, content)) == (content, b"")

    def test_a_stream_begins_with_the_magic_bytes(self, compression: Compression) -> None:
        """The output begins with the magic bytes, by which a pull finds the compression."""
        for content in (b"", TEXT):
            assert packed(compression, content).startswith(compression.magic)

    def test_text_gets_smaller(self, compression: Compression) -> None:
        """Text gets smaller, and random bytes grow by little."""
        assert len(packed(compression, TEXT)) < len(TEXT) / 4
        assert len(packed(compression, NOISE)) < len(NOISE) * 9 / 8

    def test_equal_input_gives_equal_output(self, compression: Compression) -> None:
        """The output depends on the bytes only, not on the pieces or on other threads."""
        content = TEXT + NOISE
        wanted = packed(compression, content)
        for size in (999, 65_536, len(content)):
            assert packed(compression, content, size) == wanted
        both = [compression.compress(iter([content])) for _ in range(2)]
        for stream in zip(*both, strict=True):
            assert stream[0] == stream[1]

    def test_the_input_may_arrive_byte_by_byte(self, compression: Compression) -> None:
        """The decompressor accepts pieces of one byte."""
        data = packed(compression, TEXT[:5_000])
        assert unpacked(compression, data, 1) == (TEXT[:5_000], b"")

    def test_bytes_after_the_stream_are_returned(self, compression: Compression) -> None:
        """Bytes after the end of the stream are returned: a second stream may follow."""
        data = packed(compression, TEXT)
        content, rest = unpacked(compression, data + data)
        assert content == TEXT
        assert unpacked(compression, rest) == (TEXT, b"")

    def test_a_damaged_stream_is_an_error(self, compression: Compression) -> None:
        """A byte that is changed or missing is an error, or has no effect."""
        data = packed(compression, TEXT[:3_000])
        for at in range(len(data)):
            changed = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            for damaged in (changed, data[:at]):
                try:
                    content, _ = unpacked(compression, damaged)
                except DamagedStreamError:
                    continue
                assert damaged == changed
                assert content == TEXT[:3_000]

    def test_random_bytes_are_refused(self, compression: Compression) -> None:
        """Random bytes are refused, even after valid magic bytes."""
        for data in (b"rubbish" * 100, compression.magic + b"rubbish" * 100):
            with raises(DamagedStreamError):
                unpacked(compression, data)

    def test_an_error_of_the_source_passes_through(self, compression: Compression) -> None:
        """An error in the source leaves no complete stream."""

        def pieces() -> Iterator[bytes]:
            yield TEXT
            raise LookupError

        with raises(LookupError):
            b"".join(compression.compress(pieces()))

    def test_no_thread_is_left(self, compression: Compression) -> None:
        """No thread is left at the end, nor after an early stop."""
        before = active_count()
        packed(compression, TEXT)
        stream = compression.compress(iter([TEXT] * 10))
        next(stream)
        stream.close()
        assert active_count() == before
