"""The folder of the cache on a disk: partial files, links, forks, read-only mounts."""

from __future__ import annotations

import io
import os
import sys

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import BytesSource
from oras_core.errors import TransportError
from oras_core.model.paths import sanitize_path
from oras_core.stores.cache import ContentCache
from oras_core.stores.memory import MemoryStore
from support.cached_blobs import blob, read
from support.read_only import mount_read_only

CONTENT = bytes(range(256)) * 8192
BLOB = blob(CONTENT)


class Source(MemoryStore):
    """A target that gives ranges, and calls a function in the middle of a blob."""

    def __init__(self, midway=lambda: None):
        super().__init__()
        self.midway = midway
        self.starts = []
        self.push(BLOB, BytesSource(CONTENT))

    def fetch(self, descriptor):
        return self.fetch_range(descriptor, 0, descriptor.size)

    def fetch_range(self, descriptor, start, length):
        self.starts.append(start)
        return _Stream(CONTENT[start : start + length], self)


class _Stream(io.BytesIO):
    def __init__(self, content, source):
        super().__init__(content)
        self._source = source

    def read(self, size=-1, /):
        midway, self._source.midway = self._source.midway, lambda: None
        if self.tell():
            midway()
        else:
            self._source.midway = midway
        return super().read(size)


def lose_the_connection():
    raise TransportError("GET", "http://localhost/", "connection reset")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def cache(folder):
    return ContentCache(LocalFileTree(folder, create=True))


def partial_files(folder):
    return [path for path in (folder / "blobs" / "sha256").iterdir() if path.name.startswith(".")]


def test_interrupted_fill_is_resumed(cache, folder):
    source = Source(lose_the_connection)
    with pytest.raises(TransportError):
        cache.fetch(BLOB, source)
    assert len(partial_files(folder)) == 1
    assert read(cache.fetch(BLOB, source)) == CONTENT
    assert source.starts[0] == 0 < source.starts[1]
    assert partial_files(folder) == []


def test_prune_removes_the_partial_files_of_interrupted_fills(cache, folder):
    with pytest.raises(TransportError):
        cache.fetch(BLOB, Source(lose_the_connection))
    assert cache.prune() == ()
    assert partial_files(folder) == []


def test_prune_during_a_fill_of_another_process_leaves_its_partial_file(cache, folder):
    def prune():
        other = ContentCache(LocalFileTree(folder))
        assert other.prune() == ()
        assert len(partial_files(folder)) == 1

    assert read(cache.fetch(BLOB, Source(prune))) == CONTENT
    assert cache.size == len(CONTENT)


@pytest.mark.skipif(os.name == "nt", reason="it makes links")
def test_folder_may_be_a_link_that_its_user_has_made(tmp_path, folder):
    (tmp_path / "scratch").mkdir()
    folder.symlink_to(tmp_path / "scratch")
    source = Source()
    for _ in range(2):
        tree = LocalFileTree(folder, create=True)
        assert read(ContentCache(tree).fetch(BLOB, source)) == CONTENT
    assert source.starts == [0]
    assert (tmp_path / "scratch" / "index.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="the mount is made by /proc")
def test_read_only_mount_serves_what_it_has(cache, folder, monkeypatch):
    source = Source()
    read(cache.fetch(BLOB, source))
    mount_read_only(monkeypatch, folder)
    again = ContentCache(LocalFileTree(folder, create=True), max_size=len(CONTENT))
    assert read(again.fetch(BLOB, source)) == CONTENT
    assert again.prune() == ()
    assert source.starts == [0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="it forks")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_child_forked_during_a_fill_holds_no_lock_of_its_parent(cache, folder):
    waiting, ending = os.pipe()
    children = []

    def fork():
        child = os.fork()
        if child == 0:
            os.close(ending)
            os.read(waiting, 1)
            os._exit(0)
        children.append(child)

    try:
        assert read(cache.fetch(BLOB, Source(fork))) == CONTENT
        tree = LocalFileTree(folder)
        locks = [path.name for path in folder.glob(".oras-*.lock")]
        assert len(locks) == 2
        for lock in locks:
            held = tree.try_lock(sanitize_path(lock))
            assert held is not None
            held.release()
    finally:
        os.close(ending)
        os.close(waiting)
        for child in children:
            assert os.waitpid(child, 0)[1] == 0
    assert len(children) == 1
