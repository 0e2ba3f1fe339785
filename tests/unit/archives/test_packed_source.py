"""An archive is read while it is being packed."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from oras_core.archives import packed_source
from oras_core.archives.archive import PackedDirectory
from oras_core.archives.packed_source import PackedSource
from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import SourceChangedError
from oras_core.model.digest import Digest
from oras_core.testing.contracts.tree_access import names
from oras_core.testing.memory_files import MemoryFileTree

CONTENT = os.urandom(1000)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch):
    monkeypatch.setattr(packed_source, "PART_SIZE", 100)


@pytest.fixture
def scratch():
    return MemoryFileTree()


def whole(content=CONTENT, piece=30):
    """Packs `content`, by pieces."""

    def pack(write):
        for start in range(0, len(content), piece):
            write(content[start : start + piece])
        return PackedDirectory(Digest.of(content), len(content), Digest.of(b"tar"))

    return pack


def read(source, size=-1):
    with closing(source.open()) as stream:
        return stream.read(size)


@pytest.mark.parametrize("length", [0, 1, 99, 100, 101, 120, 1000])
def test_source_returns_the_packed_archive(scratch, length):
    with PackedSource(whole(CONTENT[:length]), scratch) as source:
        assert read(source) == CONTENT[:length]
        assert source.packed.size == source.size == length
    assert read(source) == CONTENT[:length]
    assert not any(name.startswith(".") for name in names(scratch))


def test_readers_run_concurrently(scratch):
    with PackedSource(whole(), scratch) as source, ThreadPoolExecutor(4) as readers:
        found = list(readers.map(lambda _: read(source), range(4)))
    assert found == [CONTENT] * 4


def test_stream_returns_at_most_the_requested_size(scratch):
    with PackedSource(whole(), scratch) as source, closing(source.open()) as stream:
        pieces = list(iter(lambda: stream.read(7), b""))
        assert stream.read(0) == stream.read(7) == b""
    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) == 7


def test_packed_bytes_are_returned_before_packing_ends(scratch):
    seen, half = threading.Event(), whole(CONTENT[:500])

    def pack(write):
        half(write)
        assert seen.wait(20)
        return whole()(lambda _: None)

    with PackedSource(pack, scratch) as source, closing(source.open()) as stream:
        beginning = b"".join(stream.read(100) for _ in range(3))
        assert source.size is None
        seen.set()
    assert CONTENT.startswith(beginning)
    assert len(beginning) > 100


def test_error_of_the_packing_is_raised_by_every_reader(scratch):
    def pack(write):
        whole(CONTENT[:250])(write)
        raise SourceChangedError("file 'a'", "it vanished")

    with PackedSource(pack, scratch) as source:
        for _ in range(2):
            with pytest.raises(SourceChangedError):
                read(source)
        with pytest.raises(SourceChangedError):
            _ = source.packed
    assert source.size is None


def test_leaving_the_with_block_ends_the_packing(scratch):
    before = threading.active_count()

    def pack(write):
        while True:
            write(CONTENT)

    with PackedSource(pack, scratch) as source:
        assert read(source, 10) == CONTENT[:10]
    assert threading.active_count() == before


def test_cancel_token_of_the_with_block_applies_to_the_packing(scratch):
    seen = []

    def pack(write):
        seen.append(current_token())
        return whole()(write)

    token = CancelToken()
    with token.scope(), PackedSource(pack, scratch) as source:
        assert read(source) == CONTENT
    assert seen == [token]
