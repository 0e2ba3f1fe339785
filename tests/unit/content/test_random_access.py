"""A blob reads like a file that seeks, costs few requests, and is verified if read in sequence."""

from __future__ import annotations

import io
import random
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core import BytesSource, Descriptor, MemoryStore
from oras_core.content.random_access import BLOCK, RandomAccess, Section
from oras_core.errors import DigestMismatchError, InvalidInputError, SizeMismatchError

MIB = 1024 * 1024
TYPE = "application/octet-stream"


class Ranged:
    """A target that notes which parts are fetched of which content, true or not."""

    def __init__(self, content):
        self.content = content
        self.parts = []

    def fetch(self, descriptor):
        self.parts.append((0, descriptor.size))
        return io.BytesIO(self.content)

    def fetch_range(self, descriptor, start, length):
        self.parts.append((start, length))
        return io.BytesIO(self.content[start : start + length])

    @property
    def fetched(self):
        return sum(length for _, length in self.parts)


def opened(content, actual=None, **options):
    target = Ranged(content if actual is None else actual)
    return target, RandomAccess(target, Descriptor.of(content, TYPE), **options)


CONTENT = random.Random(1).randbytes(10 * MIB)


def test_reading_all_takes_one_request_and_is_verified():
    target, file = opened(CONTENT)
    assert file.read() == CONTENT
    assert target.parts == [(0, len(CONTENT))]
    assert file.verified


def test_reading_in_sequence_takes_few_requests_and_is_verified():
    target, file = opened(CONTENT)
    with io.BufferedReader(file) as buffered:
        assert b"".join(iter(lambda: buffered.read(10_000), b"")) == CONTENT
        assert file.verified
    assert len(target.parts) <= 5
    assert target.fetched <= len(CONTENT) + 2 * MIB


def test_read_after_a_seek_fetches_a_part():
    target, file = opened(CONTENT)
    file.seek(5 * MIB + 17)
    assert file.read(100) == CONTENT[5 * MIB + 17 : 5 * MIB + 117]
    file.seek(-10, io.SEEK_END)
    assert file.read() == CONTENT[-10:]
    file.seek(5 * MIB + 17)
    assert file.read(100) == CONTENT[5 * MIB + 17 : 5 * MIB + 117]
    assert len(target.parts) == 2
    assert target.fetched <= 2 * BLOCK
    assert not file.verified


def test_a_small_blob_is_fetched_whole():
    target, file = opened(CONTENT[:MIB])
    file.seek(1000)
    file.read(1)
    file.seek(0)
    assert file.read() == CONTENT[:MIB]
    assert target.parts == [(0, MIB)]
    assert file.verified


def test_memory_is_bounded():
    _, file = opened(CONTENT, cache_size=2 * MIB)
    for position in range(0, len(CONTENT), 3 * BLOCK):
        file.seek(position)
        file.read(10)
    assert sum(map(len, file._blocks._blocks.values())) <= 2 * MIB


@pytest.mark.parametrize("size", [100, 10 * MIB])
def test_altered_bytes_are_refused_before_the_last_of_them(size):
    content = CONTENT[:size]
    altered = content[:50] + bytes([content[50] ^ 1]) + content[51:]
    _, file = opened(content, altered)
    with pytest.raises(DigestMismatchError):
        file.read()
    assert not file.verified


@pytest.mark.parametrize("size", [100, 10 * MIB])
def test_bytes_that_are_missing_are_an_error(size):
    _, file = opened(CONTENT[:size], CONTENT[: size // 2])
    file.seek(size - 10)
    with pytest.raises(SizeMismatchError):
        file.read(10)


def test_target_without_ranges_works():
    store = MemoryStore()
    descriptor = Descriptor.of(CONTENT, TYPE)
    store.push(descriptor, BytesSource(CONTENT))
    with RandomAccess(store, descriptor) as file:
        file.seek(6 * MIB)
        assert file.read(5) == CONTENT[6 * MIB : 6 * MIB + 5]
        file.seek(MIB)
        assert file.read(5) == CONTENT[MIB : MIB + 5]


def test_a_zip_file_is_read_without_its_other_members():
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for number in range(20):
            archive.writestr(f"{number}.bin", CONTENT[number * 100_000 :][:500_000])
    target, file = opened(written.getvalue())
    with io.BufferedReader(file) as buffered, zipfile.ZipFile(buffered) as archive:
        assert archive.read("7.bin") == CONTENT[700_000:1_200_000]
    assert target.fetched < len(written.getvalue()) * 0.25


def test_positions_are_checked():
    _, file = opened(b"abc")
    with pytest.raises(InvalidInputError):
        file.seek(-1)
    with pytest.raises(InvalidInputError):
        file.seek(0, 7)
    assert file.seek(10) == 10
    assert file.read(1) == b""
    file.close()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


SMALL = CONTENT[: 5 * BLOCK + 17]


@given(
    st.lists(
        st.tuples(st.integers(0, len(SMALL) + 5), st.integers(-1, 2 * BLOCK), st.booleans()),
        max_size=8,
    )
)
def test_blob_file_reads_like_a_file_in_memory(steps):
    _, file = opened(SMALL)
    expected = io.BytesIO(SMALL)
    with io.BufferedReader(file) as buffered:
        for position, size, moves in steps:
            if moves:
                buffered.seek(position)
                expected.seek(position)
            assert buffered.read(size) == expected.read(size)
            assert buffered.tell() == expected.tell()


def test_section_is_a_separate_file():
    section = io.BufferedReader(Section(io.BytesIO(b"0123456789"), 3, 4))
    assert section.read() == b"3456"
    section.seek(-1, io.SEEK_END)
    assert section.read() == b"6"
    with pytest.raises(SizeMismatchError):
        Section(io.BytesIO(b"012"), 5, 5).read(5)
