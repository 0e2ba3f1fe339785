"""A killed pull over several connections is resumed."""

from __future__ import annotations

import os
import re
import threading

import pytest

from oras_adapters import LocalFileTree
from oras_core import BytesSource, Descriptor, RemoteRegistry, push
from oras_core.content.sources import RangedSource
from oras_core.registry.blobs import download, parallel
from oras_core.stores.file import FileStore
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs.push import File

KiB = 1024
SEGMENT = 16 * KiB
CONTENT = os.urandom(80 * SEGMENT + 77)
BLOB = Descriptor.of(CONTENT, "application/octet-stream").with_annotations(
    {"org.opencontainers.image.title": "big.bin"}
)
KILLED = 9


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch):
    monkeypatch.setattr(download, "RANGED_SIZE", 4 * SEGMENT)
    for name, value in [
        ("SEGMENT_SIZE", SEGMENT),
        ("LEAST_SEGMENT", SEGMENT),
        ("CHUNK_SIZE", 4 * KiB),
        ("PROBE_SIZE", 4 * KiB),
        ("LEAST_REST", 2 * SEGMENT),
        ("FAST", 1 << 60),
    ]:
        monkeypatch.setattr(parallel, name, value)


class Watched:
    """A registry that notes the ranges of requests, and calls `on_read` for each piece."""

    def __init__(self, registry):
        self.registry = registry
        self.ranges = []
        self.on_read = lambda: None

    def send(self, request):
        if "/blobs/sha256:" in request.url and request.method == "GET":
            self.ranges.append(request.headers.get("Range", ""))
        response = self.registry.send(request)
        return response.with_body(Body(response.body, self))


class Body:
    def __init__(self, stream, watched):
        self._stream = stream
        self._watched = watched

    def read(self, size=-1, /):
        self._watched.on_read()
        return self._stream.read(min(size, KiB) if size > 0 else size)

    def close(self):
        self._stream.close()


@pytest.fixture
def watched():
    registry = EmbeddedRegistry()
    repository = RemoteRegistry("reg.io", registry).repository("app")
    push(repository, "v1", [File("big.bin", BytesSource(CONTENT), "application/octet-stream")])
    return Watched(registry)


def pull(watched, folder):
    repository = RemoteRegistry("reg.io", watched).repository("app")
    FileStore(LocalFileTree(folder)).push(BLOB, RangedSource(repository, BLOB, repository))


def starts(watched):
    return [int(re.fullmatch(r"bytes=(\d+)-\d*", r)[1]) for r in watched.ranges if r]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_pull_in_ranges_that_is_killed_goes_on_where_it_ended(watched, tmp_path):
    child = os.fork()
    if child == 0:
        lock, reads = threading.Lock(), [0]

        def kill() -> None:
            with lock:
                reads[0] += 1
                if reads[0] > 700:  # KiB, of 1280
                    os._exit(KILLED)

        watched.on_read = kill
        try:
            pull(watched, tmp_path)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED
    (partial,) = tmp_path.iterdir()
    kept = partial.stat().st_size
    assert 0 < kept < len(CONTENT)
    assert CONTENT.startswith(partial.read_bytes())

    pull(watched, tmp_path)
    assert (tmp_path / "big.bin").read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ["big.bin"]
    assert min(starts(watched)) == kept
    assert len(starts(watched)) > 3, "the rest was fetched in ranges, too"
    assert "" not in watched.ranges
