"""Verification of bytes by size and digest (image spec, descriptor.md, Verification).

The spec demands verification of all bytes from an untrusted source. This library trusts no source.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

from oras_core.cancellation import current_token, interrupts_cancelling
from oras_core.content.read_ahead import ReadAhead
from oras_core.content.reading import CHUNK_SIZE, read_rest
from oras_core.errors import ContentError, DigestMismatchError, SizeLimitError, SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest, new_hasher
from oras_core.ports.content import ByteSource, ByteStream

__all__ = [
    "VerifyingReader",
    "copy_verified",
    "describe_source",
    "hash_source",
    "read_verified",
    "verify_stream",
]

READ_AHEAD_SIZE: Final = 2 * CHUNK_SIZE
"""Least size, in bytes, for which a thread reads while the caller hashes and writes."""

HASH_AHEAD_SIZE: Final = 8 * 1024 * 1024
"""The same for hashing alone, where reading takes less of the time."""


class VerifyingReader:
    """A stream that returns its last bytes only if all bytes match the descriptor.

    At the size of the descriptor, the reader compares the digest and checks that no byte
    follows, before it returns the last chunk. A caller that has read to the end has verified
    bytes. The reader takes at most one byte beyond the size. Every read after an error raises
    the same error again.
    """

    def __init__(self, stream: ByteStream, descriptor: Descriptor, *, what: str = "") -> None:
        """Wrap `stream`.

        Args:
            stream: the stream to verify; closed together with this reader.
            descriptor: the expected size and digest.
            what: names the bytes in errors; by default the digest of the descriptor.
        """
        self._stream = stream
        self._descriptor = descriptor
        self._what = what or _kind_of(descriptor)
        self._hasher = descriptor.digest.hasher()
        self._left = descriptor.size
        self._verified = False
        self._failure: ContentError | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all remaining bytes for -1.

        Raises:
            SizeMismatchError: if the stream is too short or too long.
            DigestMismatchError: if the digest differs.
        """
        if size < 0:
            return read_rest(self)
        if size == 0 or self._verified:
            return b""
        if self._failure is not None:
            raise self._failure
        try:
            return self._read_some(size)
        except ContentError as error:
            self._failure = error
            raise

    def _read_some(self, size: int) -> bytes:
        expected = self._descriptor.size
        chunk = self._stream.read(min(size, self._left)) if self._left else b""
        if self._left and not chunk:
            raise SizeMismatchError(expected, expected - self._left, what=self._what)
        self._left -= len(chunk)
        if self._left < 0:  # the stream returned more than requested
            raise SizeMismatchError(expected, expected - self._left, what=self._what)
        self._hasher.update(chunk)
        if self._left == 0:
            self._verify_end()
        return chunk

    def _verify_end(self) -> None:
        expected = self._descriptor.digest
        actual = self._hasher.hexdigest()
        if surplus := self._stream.read(1):
            size = self._descriptor.size
            raise SizeMismatchError(size, size + len(surplus), what=self._what)
        if actual != expected.encoded:
            raise DigestMismatchError(
                str(expected), f"{expected.algorithm}:{actual}", what=self._what
            )
        self._verified = True

    def close(self) -> None:
        """Close the wrapped stream."""
        self._stream.close()


def _kind_of(descriptor: Descriptor) -> str:
    return f"{'manifest' if descriptor.has_successors else 'blob'} {descriptor.digest}"


def copy_verified(
    stream: ByteStream, descriptor: Descriptor, write: Callable[[bytes], object]
) -> None:
    """Pass the bytes to `write` chunk by chunk; return only if all are verified.

    After an error, the caller must discard the chunks already written, and always closes
    `stream`.

    Raises:
        SizeMismatchError: if the stream is too short or too long.
        DigestMismatchError: if the digest differs.
    """
    if descriptor.size < READ_AHEAD_SIZE:
        _pump(VerifyingReader(stream, descriptor), write)
        return
    with closing(ReadAhead(stream, CHUNK_SIZE)) as ahead, interrupts_cancelling():
        _pump(VerifyingReader(ahead, descriptor), write)


def _pump(reader: VerifyingReader, write: Callable[[bytes], object]) -> None:
    token = current_token()
    while chunk := reader.read(CHUNK_SIZE):
        token.raise_if_cancelled("copy a blob")
        write(chunk)


def verify_stream(stream: ByteStream, descriptor: Descriptor) -> None:
    """Read a stream to its end, and return only if all bytes are verified.

    Raises: as `copy_verified`.
    """
    copy_verified(stream, descriptor, lambda _: None)


def read_verified(stream: ByteStream, descriptor: Descriptor, *, limit: int) -> bytes:
    """Return all bytes, verified. The caller closes `stream`.

    Raises:
        SizeLimitError: if the descriptor exceeds `limit` bytes; nothing is read then.
        SizeMismatchError: if the stream is too short or too long.
        DigestMismatchError: if the digest differs.
    """
    if descriptor.size > limit:
        raise SizeLimitError(_kind_of(descriptor), limit)
    return VerifyingReader(stream, descriptor).read()


def describe_source(source: ByteSource, media_type: str) -> Descriptor:
    """Read `source` once and return the descriptor of its bytes."""
    digest, size = hash_source(source)
    return Descriptor(media_type, digest, size)


def hash_source(source: ByteSource, algorithm: str = "sha256") -> tuple[Digest, int]:
    """Read `source` once and return its digest and its size in bytes.

    Raises:
        InvalidDigestError: if the algorithm is not supported.
        CancelledError: if the thread's token is cancelled.
    """
    with closing(source.open()) as stream:
        if source.size is None or source.size < HASH_AHEAD_SIZE:
            return _hash_stream(stream, algorithm)
        with closing(ReadAhead(stream, CHUNK_SIZE)) as ahead, interrupts_cancelling():
            return _hash_stream(ahead, algorithm)


def _hash_stream(stream: ByteStream, algorithm: str) -> tuple[Digest, int]:
    token = current_token()
    hasher = new_hasher(algorithm)
    size = 0
    while chunk := stream.read(CHUNK_SIZE):
        token.raise_if_cancelled("hash a blob")
        hasher.update(chunk)
        size += len(chunk)
    return Digest(algorithm, hasher.hexdigest()), size
