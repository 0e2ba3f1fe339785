"""Pulls that clone large blobs of the cache by the operating system."""

from __future__ import annotations

import os
import stat
import time
import tracemalloc

import pytest
from attrs import evolve

from oras_adapters import Client, RegistryServer, Settings
from oras_adapters.files.local_files import has_directory_descriptors
from oras_adapters.settings.settings import CacheSettings, TransferSettings
from oras_core.cancellation import CancelToken
from oras_core.content import known_digests, verify
from oras_core.errors import CancelledError
from oras_core.testing import EmbeddedRegistry

PIECE = "oras_adapters.files.posix.CLONED_AT_ONCE"
CONTENT = bytes(range(256)) * 8192
LARGE = 64 * 1024 * 1024

pytestmark = pytest.mark.skipif(not has_directory_descriptors(), reason="it is about POSIX")


@pytest.fixture(autouse=True)
def copies(tmp_path, monkeypatch):
    """The sizes of the pieces that the system has copied."""
    if not hasattr(os, "copy_file_range"):
        pytest.skip("Python has no copy_file_range on this system")
    (tmp_path / "probe").write_bytes(b"probe")
    with open(tmp_path / "probe", "rb") as probe, open(tmp_path / "copy", "wb") as copied:
        try:
            os.copy_file_range(probe.fileno(), copied.fileno(), 5)
        except OSError as error:
            pytest.skip(f"the system copies no files in this folder: {error}")
    pieces, copy = [], os.copy_file_range

    def noting(*arguments):
        pieces.append(copy(*arguments))
        return pieces[-1]

    monkeypatch.setattr(os, "copy_file_range", noting)
    return pieces


@pytest.fixture
def settings(tmp_path):
    return evolve(Settings(), cache=CacheSettings(str(tmp_path / "cache")))


@pytest.fixture
def place(settings, tmp_path, copies):
    """An artifact of one file, which is in the cache."""
    (tmp_path / "big.bin").write_bytes(CONTENT)
    with RegistryServer(EmbeddedRegistry()) as server, Client(settings) as client:
        place = f"{server.address}/team/data:v1"
        client.push(place, [tmp_path / "big.bin"])
        client.pull(place, tmp_path / "first")
        copies.clear()
        yield place


def test_pulled_file_has_the_mode_and_the_time_of_a_new_file(place, settings, tmp_path, copies):
    begun = time.time() - 1
    for path in (tmp_path / "cache" / "blobs" / "sha256").iterdir():
        os.chmod(path, 0o777)
        os.utime(path, (1, 1))
    earlier = os.umask(0o027)
    try:
        with Client(settings) as client:
            client.pull(place, tmp_path / "out")
    finally:
        os.umask(earlier)
    state = os.stat(tmp_path / "out" / "big.bin")
    assert (stat.S_IMODE(state.st_mode), state.st_nlink) == (0o640, 1)
    assert state.st_mtime >= begun
    assert sum(copies) == len(CONTENT)


def test_edit_of_a_pulled_file_leaves_the_cache_as_it_was(place, settings, tmp_path, copies):
    with open(tmp_path / "first" / "big.bin", "r+b") as file:
        file.write(b"changed")
    with Client(settings) as client:
        client.pull(place, tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == CONTENT
    assert sum(copies) == len(CONTENT)


def test_existing_file_stays_without_overwrite(place, settings, tmp_path, copies):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "big.bin").write_bytes(b"mine")
    with Client(settings) as client:
        client.pull(place, tmp_path / "out", overwrite=False)
        assert (tmp_path / "out" / "big.bin").read_bytes() == b"mine"
        assert copies == []
        client.pull(place, tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == CONTENT


def test_digest_cache_remembers_a_cloned_file(place, settings, tmp_path, copies, monkeypatch):
    transfer = TransferSettings(digest_cache=True, cache_directory=str(tmp_path / "digests"))
    monkeypatch.setattr(known_digests, "SETTLED", 0)
    with Client(evolve(settings, transfer=transfer)) as client:
        client.pull(place, tmp_path / "out")
        client.pull(place, tmp_path / "out")  # hashes the file, and remembers its digest
        monkeypatch.setattr(verify, "_hash_stream", None)
        client.pull(place, tmp_path / "out")
        assert sum(copies) == len(CONTENT)
        monkeypatch.undo()
        (tmp_path / "out" / "big.bin").write_bytes(bytes(len(CONTENT)))
        client.pull(place, tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == CONTENT


def test_cancelled_pull_leaves_the_older_file(place, settings, tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "big.bin").write_bytes(b"mine")
    copy, token = os.copy_file_range, CancelToken()

    def cancelling(*arguments):
        token.cancel()
        return copy(*arguments)

    with Client(settings) as client:
        with monkeypatch.context() as patched:
            patched.setattr(PIECE, 300_000)
            patched.setattr(os, "copy_file_range", cancelling)
            with token.scope(), pytest.raises(CancelledError):
                client.pull(place, tmp_path / "out")
        assert (tmp_path / "out" / "big.bin").read_bytes() == b"mine"
        client.pull(place, tmp_path / "out")
    assert (tmp_path / "out" / "big.bin").read_bytes() == CONTENT
    assert os.listdir(tmp_path / "out") == ["big.bin"]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_blob(settings, tmp_path, copies):
    (tmp_path / "large.bin").write_bytes(os.urandom(LARGE))
    with RegistryServer(EmbeddedRegistry()) as server, Client(settings) as client:
        place = f"{server.address}/team/data:v1"
        client.push(place, [tmp_path / "large.bin"])
        client.pull(place, tmp_path / "first")
        copies.clear()
        tracemalloc.start()
        try:
            client.pull(place, tmp_path / "out")
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert sum(copies) == LARGE
    assert len(copies) > 1
    assert peak < LARGE // 16
