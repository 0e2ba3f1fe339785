"""The client reads by way of a cache that settings name."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from attrs import evolve

from oras_adapters import AsyncClient, Client, RegistryServer, Settings
from oras_adapters.filesystem.file_system import OrasFileSystem
from oras_adapters.settings.settings import CacheSettings, load_settings
from oras_core.testing import EmbeddedRegistry
from support.processes import python_running


class Counting:
    """A registry that notes its requests."""

    def __init__(self):
        self._registry = EmbeddedRegistry()
        self._lock = threading.Lock()
        self.requests = []

    def send(self, request):
        with self._lock:
            self.requests.append(f"{request.method} {request.url.partition('/v2/')[2]}")
        return self._registry.send(request)


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def place(counting, tmp_path):
    """An artifact of two files, and of a folder."""
    (tmp_path / "big.bin").write_bytes(bytes(range(256)) * 8192)
    (tmp_path / "small.txt").write_text("small")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("inner")
    with RegistryServer(counting) as server, Client(Settings()) as client:
        files = [tmp_path / name for name in ("big.bin", "small.txt", "folder")]
        client.push(f"{server.address}/team/data:v1", files)
        counting.requests.clear()
        yield f"{server.address}/team/data:v1"


@pytest.fixture
def settings(tmp_path):
    return evolve(Settings(), cache=CacheSettings(str(tmp_path / "cache")))


def test_variable_names_the_folder():
    settings = load_settings({"ORAS_CACHE": "/var/cache/oras"})
    assert settings.cache == CacheSettings("/var/cache/oras")


def test_client_without_a_cache_has_none():
    with Client(Settings()) as client:
        assert client.cache is None


def test_second_pull_resolves_the_tag_and_no_more(place, settings, counting, tmp_path):
    for number in range(2):
        counting.requests.clear()
        with Client(settings) as client:
            client.pull(place, tmp_path / f"out{number}")
        assert (tmp_path / f"out{number}" / "folder" / "inner.txt").read_text() == "inner"
        assert (tmp_path / f"out{number}" / "big.bin").stat().st_size == 256 * 8192
    assert counting.requests == ["HEAD team/data/manifests/v1"]


def test_digest_in_the_cache_needs_no_network(place, settings, counting, tmp_path):
    with Client(settings) as client:
        digest = client.pull(place, tmp_path / "out").root.digest
        counting.requests.clear()
        pinned = f"{place.rpartition(':')[0]}@{digest}"
        client.pull(pinned, tmp_path / "again")
        assert client.read(pinned, "small.txt") == b"small"
        with client.open(pinned, "big.bin") as stream:
            stream.seek(256 * 4096 + 5)
            assert stream.read(3) == bytes([5, 6, 7])
    assert counting.requests == []


def test_file_system_uses_the_cache(place, settings, counting, tmp_path):
    with Client(settings) as client:
        client.pull(place, tmp_path / "out")
    counting.requests.clear()
    system = OrasFileSystem(settings=settings, skip_instance_cache=True)
    assert system.cat_file(f"oras://{place}/big.bin", 5, 8) == bytes([5, 6, 7])
    assert [one for one in counting.requests if "blobs" in one] == []


def test_copies_between_registries_leave_the_cache_alone(place, settings):
    with Client(settings) as client:
        client.copy(place, f"{place.rpartition(':')[0]}-copy:v1")
        assert client.cache.size == 0


def test_cache_is_pruned_by_the_client(place, settings, tmp_path):
    with Client(settings) as client:
        client.pull(place, tmp_path / "out")
        assert client.cache.size > 256 * 8192
        removed = client.cache.prune(max_size=1000)
        assert client.cache.size <= 1000
        assert 256 * 8192 in [blob.size for blob in removed]
        assert AsyncClient.over(client._parts).cache is client.cache


# --- A folder that others write to ---------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="it makes links")
def test_links_in_the_folder_are_not_followed(place, settings, tmp_path, caplog):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "blobs").symlink_to(outside)
    with Client(settings) as client, caplog.at_level(logging.WARNING):
        client.pull(place, tmp_path / "out")
    assert (tmp_path / "out" / "small.txt").read_text() == "small"
    assert list(outside.iterdir()) == []
    assert "without the cache" in caplog.text


@pytest.mark.skipif(os.name == "nt", reason="it makes links")
def test_linked_blob_of_another_user_is_replaced_rather_than_followed(place, settings, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("secret")
    with Client(settings) as client:
        client.pull(place, tmp_path / "out")
        for path in (tmp_path / "cache" / "blobs" / "sha256").iterdir():
            path.unlink()
            path.symlink_to(secret)
        client.pull(place, tmp_path / "again")
    assert (tmp_path / "again" / "small.txt").read_text() == "small"
    assert secret.read_text() == "secret"


def test_poisoned_blobs_are_never_pulled(place, settings, tmp_path):
    with Client(settings) as client:
        client.pull(place, tmp_path / "out")
        for path in (tmp_path / "cache" / "blobs" / "sha256").iterdir():
            path.write_bytes(b"\0" * path.stat().st_size)
        client.pull(place, tmp_path / "again")
    for name in ("big.bin", "small.txt", "folder/inner.txt"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


AS_ANOTHER_USER = """
import os, sys
from oras_adapters import Client
place, mine, others = sys.argv[1:]
for cache in (mine, others):
    os.environ["ORAS_CACHE"] = cache
    with Client() as client:
        print(client.read(place, "small.txt").decode(), client.cache.size, flush=True)
    if cache == mine:
        # Only now: modules that are loaded on first use may be unreadable for that user.
        os.setgid(65534)
        os.setuid(65534)
"""


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="it changes users")
def test_folder_of_another_user_costs_only_the_cache(place, tmp_path):
    with tempfile.TemporaryDirectory(dir="/tmp") as shared:
        os.chmod(shared, 0o755)
        settings = evolve(Settings(), cache=CacheSettings(shared))
        with Client(settings) as client:
            client.read(place, "small.txt")
            client.cache.prune(max_size=10)
            size = client.cache.size
        with python_running("-c", AS_ANOTHER_USER, place, str(tmp_path / "mine"), shared) as run:
            assert run.stdout.readline().startswith("small ")
            assert run.stdout.readline() == f"small {size}\n"


def test_unusable_folder_is_reported_and_left_alone(place, tmp_path, caplog):
    (tmp_path / "file").write_text("")
    settings = evolve(Settings(), cache=CacheSettings(str(tmp_path / "file" / "cache")))
    with Client(settings) as client, caplog.at_level(logging.WARNING):
        assert client.read(place, "small.txt") == b"small"
    assert "the cache is not used" in caplog.text


# --- Threads and processes ----------------------------------------------------------------


def test_processes_that_want_one_blob_fetch_it_once(place, settings, counting, tmp_path):
    program = """
import sys
from oras_adapters import Client
with Client() as client:
    print("ready", flush=True)
    sys.stdin.readline()
    client.pull(sys.argv[1], sys.argv[2], include="/big.bin")
    print("done", flush=True)
"""
    cache = str(tmp_path / "cache")
    with (
        python_running("-c", program, place, str(tmp_path / "1"), ORAS_CACHE=cache) as one,
        python_running("-c", program, place, str(tmp_path / "2"), ORAS_CACHE=cache) as two,
    ):
        for run in (one, two):
            assert run.stdout.readline().strip() == "ready"
        for run in (one, two):
            run.stdin.write("\n")
            run.stdin.flush()
        for run in (one, two):
            assert run.stdout.readline().strip() == "done"
    assert len([one for one in counting.requests if one.startswith("GET team/data/blobs")]) == 1


def test_eviction_during_pulls_loses_nothing(place, settings, tmp_path):
    with Client(settings) as client:

        def pull(number):
            client.pull(place, tmp_path / str(number), include="*.bin")
            client.cache.prune()
            return (tmp_path / str(number) / "big.bin").read_bytes()

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(pull, range(12))) == {bytes(range(256)) * 8192}
