from __future__ import annotations

import io
import re
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.content import verify
from oras_core.content.sources import BytesSource, OpenedSource
from oras_core.content.verify import VerifyingReader, copy_verified, hash_source, read_verified
from oras_core.errors import (
    DigestMismatchError,
    FileAccessError,
    InvalidDigestError,
    SizeLimitError,
    SizeMismatchError,
    TransportError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

CONTENT = b"hello world"
DESCRIPTOR = Descriptor.of(CONTENT, "text/plain")


class Pieces:
    """A stream of prepared pieces that records the requested sizes."""

    def __init__(self, *pieces):
        self._pieces = list(pieces)
        self.asked = []
        self.closed = 0

    def read(self, size=-1):
        self.asked.append(size)
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self):
        self.closed += 1


class Endless:
    def __init__(self):
        self.given = 0

    def read(self, size=-1):
        assert size > 0, "all of an endless stream was asked for"
        self.given += size
        return bytes(size)

    def close(self):
        pass


def test_matching_bytes_are_returned():
    assert VerifyingReader(io.BytesIO(CONTENT), DESCRIPTOR).read() == CONTENT


def test_sha512_is_verified_too():
    descriptor = Descriptor("text/plain", Digest.of(CONTENT, "sha512"), len(CONTENT))
    assert read_verified(io.BytesIO(CONTENT), descriptor, limit=100) == CONTENT
    with pytest.raises(DigestMismatchError, match="sha512:"):
        read_verified(io.BytesIO(CONTENT.upper()), descriptor, limit=100)


@given(st.binary(max_size=200), st.lists(st.integers(1, 40), min_size=1))
def test_reads_of_any_size_are_verified(content, sizes):
    reader = VerifyingReader(io.BytesIO(content), Descriptor.of(content, "text/plain"))
    read = b""
    for turn in range(1000):
        piece = reader.read(sizes[turn % len(sizes)])
        if not piece:
            break
        read += piece
    assert read == content
    assert reader.read() == b""


@given(st.binary(max_size=50), st.binary(max_size=50))
def test_other_bytes_are_never_returned_whole(promised, sent):
    descriptor = Descriptor.of(promised, "text/plain")
    if promised == sent:
        assert read_verified(io.BytesIO(sent), descriptor, limit=50) == sent
        return
    kind = DigestMismatchError if len(promised) == len(sent) else SizeMismatchError
    with pytest.raises(kind):
        read_verified(io.BytesIO(sent), descriptor, limit=50)


def test_the_last_bytes_are_withheld_if_the_digest_differs():
    reader = VerifyingReader(io.BytesIO(b"HELLO world"), DESCRIPTOR)
    assert reader.read(6) == b"HELLO "
    with pytest.raises(DigestMismatchError) as caught:
        reader.read(5)
    assert caught.value.expected == str(DESCRIPTOR.digest)
    assert caught.value.actual == str(Digest.of(b"HELLO world"))


def test_the_last_bytes_are_withheld_if_more_bytes_follow():
    reader = VerifyingReader(io.BytesIO(CONTENT + b"!"), DESCRIPTOR)
    assert reader.read(6) == b"hello "
    with pytest.raises(SizeMismatchError, match="at least 12 bytes, expected 11"):
        reader.read(100)


def test_an_early_end_is_an_error():
    reader = VerifyingReader(io.BytesIO(b"hello"), DESCRIPTOR)
    assert reader.read(5) == b"hello"
    with pytest.raises(SizeMismatchError, match="only 5 bytes, expected 11"):
        reader.read(5)


def test_an_error_is_raised_again():
    reader = VerifyingReader(io.BytesIO(b"HELLO world"), DESCRIPTOR)
    for _ in range(2):
        with pytest.raises(DigestMismatchError):
            reader.read()


def test_a_connection_failure_is_not_a_content_error():
    broken = TransportError("GET", "http://localhost/", "reset")
    reader = VerifyingReader(Pieces(b"hello ", broken, b"world"), DESCRIPTOR)
    assert reader.read(100) == b"hello "
    with pytest.raises(TransportError):
        reader.read(100)


def test_an_endless_stream_is_read_one_byte_beyond_the_size():
    stream = Endless()
    with pytest.raises(SizeMismatchError):
        read_verified(stream, DESCRIPTOR, limit=100)
    assert stream.given == DESCRIPTOR.size + 1


def test_a_stream_that_returns_more_than_requested_is_an_error():
    with pytest.raises(SizeMismatchError, match="at least 13"):
        read_verified(Pieces(CONTENT + b"!!"), DESCRIPTOR, limit=100)


@pytest.mark.parametrize("surplus", [b"", b"x"])
def test_an_empty_blob_is_verified(surplus):
    empty = Descriptor.of(b"", "text/plain")
    reader = VerifyingReader(io.BytesIO(surplus), empty)
    if surplus:
        with pytest.raises(SizeMismatchError):
            reader.read()
    else:
        assert reader.read(10) == b""


def test_an_empty_blob_of_another_digest_is_an_error():
    wrong = Descriptor("text/plain", DESCRIPTOR.digest, 0)
    with pytest.raises(DigestMismatchError):
        read_verified(io.BytesIO(b""), wrong, limit=1)


def test_reading_nothing_verifies_nothing():
    reader = VerifyingReader(io.BytesIO(b""), DESCRIPTOR)
    assert reader.read(0) == b""


def test_closing_closes_the_wrapped_stream():
    stream = Pieces()
    reader = VerifyingReader(stream, DESCRIPTOR)
    reader.close()
    reader.close()
    assert stream.closed == 2


def test_errors_name_the_blob():
    with pytest.raises(DigestMismatchError, match=re.escape(f"blob {DESCRIPTOR.digest}")):
        VerifyingReader(io.BytesIO(b"HELLO world"), DESCRIPTOR).read()
    with pytest.raises(DigestMismatchError, match=r"the config has digest"):
        VerifyingReader(io.BytesIO(b"HELLO world"), DESCRIPTOR, what="the config").read()


def test_the_size_limit_is_checked_before_reading():
    stream = Pieces(CONTENT)
    with pytest.raises(SizeLimitError, match="limit of 10 bytes"):
        read_verified(stream, DESCRIPTOR, limit=10)
    assert stream.asked == []


def test_a_copy_is_complete_or_an_error():
    written = []
    copy_verified(io.BytesIO(CONTENT), DESCRIPTOR, written.append)
    assert b"".join(written) == CONTENT
    written.clear()
    with pytest.raises(DigestMismatchError):
        copy_verified(Pieces(b"HELLO ", b"world"), DESCRIPTOR, written.append)
    assert b"".join(written) == b"HELLO "


@pytest.mark.parametrize("ahead", [1, 1000])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_hash_source_returns_digest_and_size(algorithm, ahead, monkeypatch):
    monkeypatch.setattr(verify, "HASH_AHEAD_SIZE", ahead)
    monkeypatch.setattr(verify, "CHUNK_SIZE", 2)
    assert hash_source(BytesSource(CONTENT), algorithm) == (Digest.of(CONTENT, algorithm), 11)


def test_a_large_source_that_fails_leaves_no_thread(monkeypatch):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            raise FileAccessError("read", "a", "I/O error")

    monkeypatch.setattr(verify, "HASH_AHEAD_SIZE", 1)
    before = threading.active_count()
    with pytest.raises(FileAccessError):
        hash_source(OpenedSource(Failing, 11))
    assert threading.active_count() == before


def test_a_weak_algorithm_is_refused():
    with pytest.raises(InvalidDigestError):
        hash_source(BytesSource(CONTENT), "md5")
