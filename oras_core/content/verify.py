"""Content is what its descriptor promises, or an error; the image spec's verification.

The spec (descriptor.md, Verification) asks to check size and digest of everything that
comes from a source that is not trusted, and none is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final

from oras_core.cancellation import current_token, interrupts_cancelling
from oras_core.content.read_ahead import ReadAhead
from oras_core.content.sources import CHUNK_SIZE
from oras_core.errors import ContentError, DigestMismatchError, SizeLimitError, SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest, new_hasher
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["VerifyingReader", "copy_verified", "describe_source", "hash_source", "read_verified"]

READ_AHEAD_SIZE: Final = 2 * CHUNK_SIZE
"""Bytes from which on hashing and writing are worth a thread that reads meanwhile."""

HASH_AHEAD_SIZE: Final = 8 * 1024 * 1024
"""The same for hashing alone, where reading is the smaller part."""


class VerifyingReader:
    """A stream whose last bytes come only if the whole is what the descriptor promises.

    Reaching the promised size, it hashes, compares, and makes sure that nothing follows,
    before it hands out the last chunk: whoever has read to the end holds verified
    content. It never takes more than one byte beyond the promised size. An error is
    raised again by every further read.
    """

    def __init__(self, stream: ByteStream, descriptor: Descriptor, *, what: str = "") -> None:
        """Wrap `stream`.

        Args:
            stream: closed when this reader is.
            descriptor: what the content must be.
            what: names the content in errors; the descriptor's digest if empty.
        """
        self._stream = stream
        self._descriptor = descriptor
        self._what = what or f"content {descriptor.digest}"
        self._hasher = descriptor.digest.hasher()
        self._left = descriptor.size
        self._verified = False
        self._failure: ContentError | None = None

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises:
            SizeMismatchError: if the content ends early, or does not end.
            DigestMismatchError: if it has another digest.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_SIZE), b""))
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
        if self._left < 0:  # a stream that gives more than it is asked for
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
        """Close the stream beneath."""
        self._stream.close()


def copy_verified(
    stream: ByteStream, descriptor: Descriptor, write: Callable[[bytes], object]
) -> None:
    """Hand the content to `write` chunk by chunk; return only if all of it is verified.

    What was written before an error must be thrown away. The caller closes `stream`.

    Raises:
        SizeMismatchError: if the content is shorter or longer than promised.
        DigestMismatchError: if it has another digest.
    """
    if descriptor.size < READ_AHEAD_SIZE:
        _pump(VerifyingReader(stream, descriptor), write)
        return
    with closing(ReadAhead(stream, CHUNK_SIZE)) as ahead, interrupts_cancelling():
        _pump(VerifyingReader(ahead, descriptor), write)


def _pump(reader: VerifyingReader, write: Callable[[bytes], object]) -> None:
    while chunk := reader.read(CHUNK_SIZE):
        write(chunk)


def read_verified(stream: ByteStream, descriptor: Descriptor, *, limit: int) -> bytes:
    """Return the whole content, verified. The caller closes `stream`.

    Raises:
        SizeLimitError: if more than `limit` bytes are promised; nothing is read then.
        SizeMismatchError: if the content is shorter or longer than promised.
        DigestMismatchError: if it has another digest.
    """
    if descriptor.size > limit:
        raise SizeLimitError(f"content {descriptor.digest}", limit)
    return VerifyingReader(stream, descriptor).read()


def describe_source(source: ByteSource, media_type: str) -> Descriptor:
    """Read `source` once and return the descriptor of its bytes."""
    digest, size = hash_source(source)
    return Descriptor(media_type, digest, size)


def hash_source(source: ByteSource, algorithm: str = "sha256") -> tuple[Digest, int]:
    """Read `source` once and return its digest and its size in bytes.

    Raises:
        InvalidDigestError: for an algorithm that is not accepted.
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
        token.raise_if_cancelled("hash content")
        hasher.update(chunk)
        size += len(chunk)
    return Digest(algorithm, hasher.hexdigest()), size
