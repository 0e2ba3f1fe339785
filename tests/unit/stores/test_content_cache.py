"""The cache of blobs and manifests: verified on each read, shared, bounded."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    DigestMismatchError,
    FileAccessError,
    InvalidConfigurationError,
    NotFoundError,
)
from oras_core.model.paths import sanitize_path
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.cache import ContentCache
from oras_core.stores.cached import CachedSource
from oras_core.stores.layout.files import LayoutFiles, blob_path
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_document
from oras_core.testing.memory_files import MemoryFileTree
from support.cached_blobs import blob, damage, read


class Counted(MemoryStore):
    """A target that counts requests, and may give wrong bytes."""

    def __init__(self, *contents: bytes) -> None:
        super().__init__()
        self.requests: list[str] = []
        self.wrong = False
        for content in contents:
            self.push(blob(content), BytesSource(content))

    def fetch(self, descriptor):
        self.requests.append(str(descriptor.digest))
        return io.BytesIO(b"x" * descriptor.size) if self.wrong else super().fetch(descriptor)

    def fetch_range(self, descriptor, start, length):
        self.requests.append(f"{start}+{length}")
        return io.BytesIO(super().fetch(descriptor).read()[start : start + length])

    def resolve(self, reference):
        self.requests.append(reference)
        return super().resolve(reference)


@pytest.fixture
def tree():
    return MemoryFileTree()


def test_second_fetch_needs_no_request(tree):
    source = Counted(b"content")
    for _ in range(2):
        assert read(ContentCache(tree).fetch(blob(b"content"), source)) == b"content"
    assert len(source.requests) == 1


def test_cache_is_an_image_layout_without_tags(tree):
    read(ContentCache(tree).fetch(blob(b"content"), Counted(b"content")))
    layout = OciLayoutStore(tree)
    assert list(layout.tags()) == []
    assert read(layout.fetch(blob(b"content"))) == b"content"


def test_wrong_bytes_in_the_cache_are_fetched_again(tree):
    assert_mended(tree, b"CONTENT")


@pytest.mark.parametrize("damaged", [b"conten", b"", b"content and more"])
def test_damaged_blob_is_fetched_again_and_mended(tree, damaged, caplog):
    assert_mended(tree, damaged)
    assert "damaged" in caplog.text


def assert_mended(tree: MemoryFileTree, damaged: bytes) -> None:
    cache, source = ContentCache(tree), Counted(b"content")
    read(cache.fetch(blob(b"content"), source))
    damage(tree, blob(b"content"), damaged)
    assert read(cache.fetch(blob(b"content"), source)) == b"content"
    assert read(cache.fetch(blob(b"content"), source)) == b"content"
    assert len(source.requests) == 2


def test_link_in_place_of_a_blob_is_not_followed(tree):
    damage(tree, blob(b"content"), b"content")
    tree.remove(blob_path(blob(b"content").digest))
    tree.make_symlink(blob_path(blob(b"content").digest), "../../secret")
    source = Counted(b"content")
    assert read(ContentCache(tree).fetch(blob(b"content"), source)) == b"content"
    assert tree.entry(blob_path(blob(b"content").digest)).kind in ("file", "symlink")
    assert source.requests


def test_wrong_bytes_of_the_source_are_not_kept(tree):
    cache, source = ContentCache(tree), Counted(b"content")
    source.wrong = True
    with pytest.raises(DigestMismatchError):
        cache.fetch(blob(b"content"), source)
    source.wrong = False
    assert read(cache.fetch(blob(b"content"), source)) == b"content"


def test_missing_blob_is_an_error_of_the_source(tree):
    with pytest.raises(NotFoundError):
        ContentCache(tree).fetch(blob(b"content"), Counted())


def test_threads_that_want_one_blob_fetch_it_once(tree):
    source, barrier = Counted(b"content" * 1000), Barrier(8)

    def fetch(_):
        barrier.wait(10)
        return read(ContentCache(tree).fetch(blob(b"content" * 1000), source))

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(fetch, range(8))) == {b"content" * 1000}
    assert len(source.requests) == 1


def test_unusable_folder_costs_only_the_cache(caplog):
    class Full(MemoryFileTree):
        def create(self, path, *, executable=False):
            raise FileAccessError("create", str(path), "no space left on device")

    source = Counted(b"content")
    assert read(ContentCache(Full()).fetch(blob(b"content"), source)) == b"content"
    assert "without the cache" in caplog.text


def test_layout_with_tags_is_no_cache(tree):
    layout = OciLayoutStore(tree)
    layout.tag(push_document(layout, pack_manifest([])), "v1")
    with pytest.raises(InvalidConfigurationError, match=r"cache\.directory"):
        ContentCache(tree).fetch(blob(b"content"), Counted(b"content"))
    with pytest.raises(InvalidConfigurationError):
        ContentCache(tree).prune()


GO_CACHE = (
    b'{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":['
    b'{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%d}]}'
)
"""The `index.json` of a cache that Go's `oras` 1.3.3 has filled by a pull."""


def filled_by_go(tree):
    """Fill a cache as Go's `oras` does; return the manifest, and a blob that is not listed."""
    manifest = pack_manifest([blob(b"content")])
    members = {
        "oci-layout": b'{"imageLayoutVersion":"1.0.0"}',
        "index.json": GO_CACHE % (str(manifest.digest).encode(), len(manifest.content)),
        str(blob_path(manifest.digest)): manifest.content,
        str(blob_path(blob(b"content").digest)): b"content",
    }
    for name, content in members.items():
        with tree.create(sanitize_path(name)) as file:
            file.write(content)
            file.commit()
    return manifest, blob(b"content")


def test_cache_that_go_has_filled_is_read_without_a_request(tree):
    manifest, layer = filled_by_go(tree)
    source = Counted()
    cached = CachedSource(source, ContentCache(tree, max_size=10_000))
    assert read(cached.fetch(layer)) == b"content"
    assert cached.fetch_reference(str(manifest.digest))[1] == manifest.content
    assert read(cached.fetch(manifest.descriptor)) == manifest.content
    assert source.requests == []


def test_removed_manifests_are_removed_from_the_list_of_go(tree):
    manifest, layer = filled_by_go(tree)
    cache = ContentCache(tree)
    read(cache.fetch(manifest.descriptor, Counted()))  # used last
    assert [one.digest for one in cache.prune(len(manifest.content))] == [layer.digest]
    listed = LayoutFiles(tree)
    assert [one.digest for one in listed.read_index().descriptors] == [manifest.digest]
    assert [one.digest for one in cache.prune()] == [manifest.digest]
    assert listed.read_index().descriptors == ()


# --- Upkeep -------------------------------------------------------------------------------


def test_blobs_used_longest_ago_are_removed_first(tree):
    contents = [bytes([number]) * 100 for number in range(10)]
    cache, source = ContentCache(tree), Counted(*contents)
    for content in (*contents, contents[0]):
        read(cache.fetch(blob(content), source))
    removed = cache.prune(300)
    assert [one.digest for one in removed] == [blob(content).digest for content in contents[1:8]]
    assert cache.size == 300


def test_size_stays_below_its_limit(tree):
    contents = [bytes([number]) * 100 for number in range(50)]
    cache, source = ContentCache(tree, max_size=1000), Counted(*contents)
    for content in contents:
        assert read(cache.fetch(blob(content), source)) == content
        assert cache.size <= 1000 + 1000 // 20
    assert cache.size > 500


def test_blob_larger_than_the_cache_is_not_kept(tree):
    cache = ContentCache(tree, max_size=3)
    assert read(cache.fetch(blob(b"content"), Counted(b"content"))) == b"content"
    assert cache.size == 0


def test_removal_leaves_open_streams_readable(tree):
    cache = ContentCache(tree)
    stream = cache.fetch(blob(b"content"), Counted(b"content"))
    assert [one.size for one in cache.prune()] == [7]
    assert read(stream) == b"content"


# --- A target by way of the cache ----------------------------------------------------------


def test_ranges_of_a_cached_blob_are_verified_and_need_no_request(tree):
    content = bytes(range(256)) * 40
    source, cache = Counted(content), ContentCache(tree)
    cached = CachedSource(source, cache)
    assert read(cached.fetch_range(blob(content), 10, 5)) == content[10:15]
    assert source.requests == ["10+5"]
    read(cached.fetch(blob(content)))
    source.requests.clear()
    assert read(cached.fetch_range(blob(content), 10, 5)) == content[10:15]
    assert source.requests == []
    damage(tree, blob(content), bytes(len(content)))
    assert read(cached.fetch_range(blob(content), 10, 5)) == content[10:15]
    assert source.requests == ["10+5"]


def test_digest_of_a_cached_manifest_is_resolved_without_a_request(tree):
    source, document = Counted(), pack_manifest([])
    push_document(source, document)
    source.tag(document.descriptor, "v1")
    cached = CachedSource(source, ContentCache(tree))
    root = cached.resolve("v1")
    read(cached.fetch(root))
    source.requests.clear()
    assert cached.resolve(str(root.digest)).digest == root.digest
    assert read(cached.fetch(root)) == document.content
    assert source.requests == []
    assert cached.resolve("v1").digest == root.digest
    assert source.requests == ["v1"]
