from __future__ import annotations

import io
import threading

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from oras_core.content.read_ahead import ReadAhead
from oras_core.content.verify import READ_AHEAD_SIZE, copy_verified
from oras_core.errors import DigestMismatchError, SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

CONTENT = bytes(range(256)) * (READ_AHEAD_SIZE // 256 + 1)
DESCRIPTOR = Descriptor.of(CONTENT, "application/octet-stream")


@given(st.binary(max_size=200), st.integers(1, 50), st.lists(st.integers(1, 60), min_size=1))
def test_reads_of_any_size_return_all_bytes(content, chunk, sizes):
    stream = ReadAhead(io.BytesIO(content), chunk)
    found, turn = b"", 0
    while piece := stream.read(sizes[turn % len(sizes)]):
        assert len(piece) <= sizes[turn % len(sizes)]
        found, turn = found + piece, turn + 1
    assert found == content
    stream.close()


@given(st.binary(max_size=200), st.integers(1, 50), st.integers(0, 60))
def test_the_remaining_bytes_are_returned_at_once(content, chunk, first):
    stream = ReadAhead(io.BytesIO(content), chunk)
    begun = stream.read(first)
    assert begun + stream.read() == content
    stream.close()


def test_chunks_are_read_before_they_are_requested():
    asked = threading.Semaphore(0)

    class Stream(io.BytesIO):
        def read(self, size=-1):
            asked.release()
            return super().read(size)

    stream = ReadAhead(Stream(b"abc"), 1)
    assert stream.read(1) == b"a"
    assert asked.acquire(timeout=10)
    assert asked.acquire(timeout=10)
    stream.close()


def test_an_error_of_the_thread_is_raised_by_read():
    class Stream(io.BytesIO):
        def read(self, size=-1):
            raise OSError("broken")

    stream = ReadAhead(Stream(), 1)
    with pytest.raises(OSError, match="broken"):
        stream.read(1)
    stream.close()


def test_closing_ends_the_thread():
    before = threading.active_count()
    stream = ReadAhead(io.BytesIO(b"x" * 1000), 1)
    stream.read(1)
    stream.close()
    assert threading.active_count() == before


def test_the_reading_thread_may_close_the_stream():
    """The garbage collector may close a stream in any thread."""
    go, closed = threading.Event(), threading.Event()

    class Stream(io.BytesIO):
        def read(self, size=-1):
            if self.tell() == 1:
                assert go.wait(10)
                ahead.close()
                closed.set()
            return super().read(size)

    ahead = ReadAhead(Stream(b"abc"), 1)
    assert ahead.read(1) == b"a"
    go.set()
    assert closed.wait(10)


def test_a_large_blob_is_copied_whole():
    written = io.BytesIO()
    copy_verified(io.BytesIO(CONTENT), DESCRIPTOR, written.write)
    assert written.getvalue() == CONTENT


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (CONTENT[:-1], SizeMismatchError),
        (CONTENT + b"x", SizeMismatchError),
        (CONTENT * 4, SizeMismatchError),
        (b"x" + CONTENT[1:], DigestMismatchError),
        (b"", SizeMismatchError),
    ],
)
def test_a_large_blob_is_verified(content, error):
    before = threading.active_count()
    with pytest.raises(error):
        copy_verified(io.BytesIO(content), DESCRIPTOR, io.BytesIO().write)
    assert threading.active_count() == before


def test_sha512_is_verified():
    digest = Digest.of(CONTENT, "sha512")
    copy_verified(io.BytesIO(CONTENT), evolve(DESCRIPTOR, digest=digest), io.BytesIO().write)
