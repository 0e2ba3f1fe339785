"""A blob reads like a file that seeks, costs few requests, and is verified if read in sequence."""

from __future__ import annotations

import io
import itertools
import random
import tracemalloc
import zipfile
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core import BytesSource, Descriptor, MemoryStore
from oras_core.content import random_access
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


# --- Read-ahead ---------------------------------------------------------------------------


def test_read_ahead_grows_in_a_sequence_until_the_rest_is_streamed():
    target, file = opened(CONTENT)
    file.seek(MIB)
    while file.read(BLOCK):
        pass
    *windows, (start, rest) = target.parts
    lengths = [length for _, length in windows]
    assert lengths[0] <= 2 * BLOCK
    assert all(after >= 2 * before for before, after in itertools.pairwise(lengths))
    assert start + rest == len(CONTENT)
    assert len(windows) <= 4
    # Each byte is fetched once.
    assert target.fetched == len(CONTENT) - MIB


def test_read_ahead_ends_at_a_read_elsewhere():
    target, file = opened(CONTENT)
    file.read(3 * MIB)
    target.parts.clear()
    for position in (9 * MIB, 4 * MIB, 7 * MIB, 5 * MIB, 8 * MIB):
        file.seek(position)
        assert file.read(100) == CONTENT[position : position + 100]
    assert len(target.parts) == 5
    assert all(length <= 2 * BLOCK for _, length in target.parts)


@pytest.mark.parametrize("count", [2, 3, 4])
def test_sequences_that_alternate_are_each_fetched_ahead(count):
    target, file = opened(CONTENT)
    share = len(CONTENT) // count // BLOCK * BLOCK
    for offset in range(0, share, BLOCK):
        for start in range(0, count * share, share):
            file.seek(start + offset)
            assert file.read(BLOCK) == CONTENT[start + offset : start + offset + BLOCK]
    assert len(target.parts) <= 5 * count
    assert target.fetched <= 1.5 * len(CONTENT)


def test_read_ahead_is_bounded_by_the_cache():
    target, file = opened(CONTENT, cache_size=4 * MIB)
    for offset in range(0, 4 * MIB, BLOCK):
        for start in (0, 5 * MIB):
            file.seek(start + offset)
            file.read(BLOCK)
    assert max(length for _, length in target.parts) == 4 * MIB // 8


def test_small_gaps_do_not_end_a_sequence():
    target, file = opened(CONTENT)
    while file.read(10_000):
        file.seek(1000, io.SEEK_CUR)
    assert len(target.parts) <= 5


def test_blocks_that_are_kept_are_not_fetched_again():
    target, file = opened(CONTENT)
    for position in range(3 * MIB, 2 * MIB, -BLOCK):
        file.seek(position)
        assert file.read(BLOCK) == CONTENT[position : position + BLOCK]
    assert target.fetched == MIB


def test_reading_all_takes_the_memory_of_the_result():
    _, file = opened(CONTENT)
    tracemalloc.start()
    try:
        content = file.read()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert content == CONTENT
    assert peak < 1.5 * len(CONTENT)


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


@pytest.mark.parametrize("position", [10, BLOCK, 3 * MIB, 10 * MIB - 1])
def test_altered_bytes_that_are_read_in_pieces_are_refused(position):
    altered = CONTENT[:position] + bytes([CONTENT[position] ^ 1]) + CONTENT[position + 1 :]
    _, file = opened(CONTENT, altered)
    last = len(CONTENT) - BLOCK
    for start in range(0, last, BLOCK):
        file.seek(start)
        assert len(file.read(BLOCK)) == BLOCK
        file.seek(start + 5 * MIB)  # a part elsewhere changes nothing
        file.read(1)
    file.seek(last)
    with pytest.raises(DigestMismatchError):
        file.read(BLOCK)
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


@given(
    st.lists(
        st.tuples(st.integers(0, len(SMALL)), st.integers(0, 64 * 64), st.integers(1, 4)),
        max_size=8,
    )
)
def test_blob_of_many_windows_reads_like_a_file_in_memory(steps):
    sizes = {"BLOCK": 64, "STREAM_AFTER": 32 * 64, "SKIP_SIZE": 256, "CACHE_SIZE": 64 * 64}
    with patch.multiple(random_access, **sizes):
        _, file = opened(SMALL, cache_size=64 * 64)
        expected = io.BytesIO(SMALL)
        with io.BufferedReader(file, 64) as buffered:
            for position, size, times in steps:
                buffered.seek(position)
                expected.seek(position)
                for _ in range(times):
                    assert buffered.read(size) == expected.read(size)


def test_section_is_a_separate_file():
    section = io.BufferedReader(Section(io.BytesIO(b"0123456789"), 3, 4))
    assert section.read() == b"3456"
    section.seek(-1, io.SEEK_END)
    assert section.read() == b"6"
    with pytest.raises(SizeMismatchError):
        Section(io.BytesIO(b"012"), 5, 5).read(5)
