"""One folder of `ORAS_CACHE` for this library and Go's `oras`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from attrs import evolve

import oras
from oras_adapters import Settings
from oras_adapters.settings.settings import CacheSettings
from support.trees import describe


@pytest.fixture
def folder(tmp_path):
    """The folder of the cache."""
    return tmp_path / "cache"


@pytest.fixture
def cached(folder):
    """Our client with the cache."""
    with oras.Client(evolve(Settings(), cache=CacheSettings(str(folder)))) as client:
        yield client


@pytest.fixture
def cached_go(go, folder):
    """Pull with Go's client and the cache."""

    def pull(place, output):
        go("pull", place, "--output", output, ORAS_CACHE=str(folder))

    return pull


@pytest.fixture
def place(world, client, work):
    client.push(f"{world.repository}:v1", ["card.md", "weights"])
    return f"{world.repository}:v1"


def blobs(folder):
    return sorted((folder / "blobs" / "sha256").iterdir())


def blob_requests(requests):
    return [one for one in requests if "blobs/" in one]


def test_ours_reads_what_go_has_cached(world, place, cached, cached_go, work, tmp_path):
    cached_go(place, tmp_path / "first")
    with world.recording() as requests:
        cached.pull(place, tmp_path / "second")
    assert requests == ["HEAD manifests/v1"]
    assert describe(tmp_path / "second") == describe(tmp_path / "first")
    assert (tmp_path / "second" / "card.md").read_bytes() == (work / "card.md").read_bytes()


def test_go_reads_what_ours_has_cached(world, place, cached, cached_go, tmp_path):
    cached.pull(place, tmp_path / "first")
    with world.recording() as requests:
        cached_go(place, tmp_path / "second")
    assert blob_requests(requests) == []
    assert describe(tmp_path / "second") == describe(tmp_path / "first")


def test_ours_pulls_the_right_bytes_while_go_fills_the_cache(
    world, place, client, cached, cached_go, tmp_path
):
    client.pull(place, tmp_path / "expected")
    outputs = [tmp_path / f"ours{number}" for number in range(4)]

    def go_pull():
        # Go's client has no lock: its pull may fail while another client fills the cache, and
        # two such pulls may damage the list of the cache.
        with suppress(RuntimeError):
            cached_go(place, tmp_path / "go")

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(go_pull)]
        running += [pool.submit(cached.pull, place, output) for output in outputs]
    for one in running:
        one.result()
    cached.pull(place, tmp_path / "ours after")
    with world.recording() as requests:
        cached_go(place, tmp_path / "go after")
    assert blob_requests(requests) == []
    for output in (*outputs, tmp_path / "ours after", tmp_path / "go after"):
        assert describe(output) == describe(tmp_path / "expected")


def test_ours_mends_the_blobs_that_make_go_fail(
    world, place, client, cached, cached_go, folder, tmp_path
):
    cached_go(place, tmp_path / "first")
    root = client.resolve(place)
    for path in blobs(folder):
        path.chmod(0o644)
        if path.name != root.digest.encoded:
            path.write_bytes(b"damaged")
    with pytest.raises(RuntimeError, match="failed to"):
        cached_go(place, tmp_path / "second")
    cached.pull(place, tmp_path / "third")
    with world.recording() as requests:
        cached_go(place, tmp_path / "fourth")
    assert blob_requests(requests) == []
    for name in ("third", "fourth"):
        assert describe(tmp_path / name) == describe(tmp_path / "first")


def test_ours_mends_the_manifest_that_makes_go_fail(
    place, client, cached, cached_go, folder, tmp_path
):
    cached_go(place, tmp_path / "first")
    manifest = folder / "blobs" / "sha256" / client.resolve(place).digest.encoded
    manifest.chmod(0o644)
    manifest.write_bytes(b"damaged")
    with pytest.raises(RuntimeError, match=r"invalid OCI Image Index"):
        cached_go(place, tmp_path / "second")
    cached.pull(place, tmp_path / "third")
    cached_go(place, tmp_path / "fourth")
    assert describe(tmp_path / "fourth") == describe(tmp_path / "first")


@pytest.mark.parametrize(
    ("name", "content"), [("index.json", b""), ("index.json", b'{"schemaV'), ("oci-layout", b"")]
)
def test_half_written_list_of_go_costs_ours_only_the_cache(
    place, cached, cached_go, folder, tmp_path, name, content, caplog
):
    cached_go(place, tmp_path / "first")
    (folder / name).write_bytes(content)
    cached.pull(place, tmp_path / "second")
    assert describe(tmp_path / "second") == describe(tmp_path / "first")
    assert "without the cache" in caplog.text
    assert (folder / name).read_bytes() == content


def test_blobs_that_a_killed_go_has_not_finished_are_fetched(
    world, place, cached, cached_go, folder, tmp_path
):
    cached_go(place, tmp_path / "first")
    for path in blobs(folder):
        path.chmod(0o644)
        path.rename(folder / "ingest" / f"{path.name}_123")  # the name of a partial file
    cached.pull(place, tmp_path / "second")
    with world.recording() as requests:
        cached.pull(place, tmp_path / "third")
    assert requests == ["HEAD manifests/v1"]
    for name in ("second", "third"):
        assert describe(tmp_path / name) == describe(tmp_path / "first")


def test_go_uses_the_cache_after_ours_has_pruned_it(
    world, place, cached, cached_go, folder, tmp_path
):
    cached_go(place, tmp_path / "first")
    removed = cached.cache.prune()
    assert len(removed) == 3
    assert blobs(folder) == []
    cached_go(place, tmp_path / "second")
    with world.recording() as requests:
        cached_go(place, tmp_path / "third")
    assert blob_requests(requests) == []
    assert describe(tmp_path / "third") == describe(tmp_path / "first")


def test_go_uses_the_cache_after_ours_has_removed_a_part_of_it(
    place, cached, cached_go, folder, tmp_path
):
    cached_go(place, tmp_path / "first")
    total = cached.cache.size
    (removed,) = cached.cache.prune(total - 1)
    assert removed.size < total
    cached_go(place, tmp_path / "second")
    assert cached.cache.size == total
    assert describe(tmp_path / "second") == describe(tmp_path / "first")
