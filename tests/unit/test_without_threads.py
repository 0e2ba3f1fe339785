"""Where no thread can be started, everything is done in the caller's thread."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from oras_core.archives.archive import pack_directory
from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.packed_source import PackedSource
from oras_core.content.read_ahead import read_ahead
from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.stores.memory import MemoryStore
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.threads import can_start_threads
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, push
from support.artifacts import all_files, file, repository, tree_of

LARGE = b"".join(b"line %d\n" % number for number in range(300_000))


@pytest.fixture
def no_threads(monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)


def test_threads_can_be_started_here():
    before = threading.active_count()
    assert can_start_threads()
    assert threading.active_count() == before


@pytest.mark.usefixtures("no_threads")
class TestWithout:
    def test_missing_threads_are_detected(self):
        assert not can_start_threads()

    def test_push_copy_and_pull_work(self):
        target, folder = repository(), MemoryFileTree()
        contents = [file("a", LARGE * 15), Directory("d", tree_of(x=LARGE, y=b"y"))]
        root = push(target, "v1", contents, scratch=MemoryFileTree())
        store = MemoryStore()
        copied = copy(target, "v1", store, options=CopyOptions(concurrency=8))
        assert copied.root.digest == root.digest
        pull(store, "v1", folder)
        assert all_files(folder) == {"a": LARGE * 15, "d/x": LARGE, "d/y": b"y"}

    def test_archives_are_the_same(self, monkeypatch):
        packed = b"".join(GZIP.compress([LARGE]))
        monkeypatch.undo()
        assert b"".join(GZIP.compress([LARGE])) == packed

    def test_errors_are_the_same(self):
        def chunks():
            yield b"one"
            raise KeyError("two")

        seen = []
        with pytest.raises(KeyError):
            seen.extend(read_ahead(chunks()))

    def test_a_directory_is_packed_at_once(self):
        tree = tree_of(x=LARGE)
        pieces = []
        pack_directory(tree, pieces.append, prefix="d")
        with PackedSource(partial(pack_directory, tree, prefix="d"), MemoryFileTree()) as source:
            assert source.size == len(b"".join(pieces))
            assert source.open().read() == b"".join(pieces)
