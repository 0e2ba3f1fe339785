"""A cache whose folder or source fails, or changes while it is used."""

from __future__ import annotations

import io
import time

import pytest
from attrs import evolve

from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource
from oras_core.errors import (
    CancelledError,
    FileAccessError,
    InvalidManifestError,
    NotFoundError,
    RegistryError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.packing.manifest import pack_manifest
from oras_core.stores import cache as cache_module
from oras_core.stores.cache import ContentCache
from oras_core.stores.cached import CachedSource
from oras_core.stores.layout.index import MAX_INDEX_SIZE
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_document
from oras_core.testing.memory_files import MemoryFileTree
from support.cached_blobs import blob, damage, read

CONTENT = b"content"


def put(tree: MemoryFileTree, path: str, content: bytes) -> None:
    with tree.create(sanitize_path(path)) as file:
        file.write(content)
        file.commit()


class Source(MemoryStore):
    """A target that counts its requests and gives ranges."""

    def __init__(self, *contents: bytes, algorithm: str = "sha256") -> None:
        super().__init__()
        self.requests: list[str] = []
        for content in contents:
            self.push(blob(content, algorithm), BytesSource(content))

    def fetch(self, descriptor):
        self.requests.append("blob")
        return super().fetch(descriptor)

    def fetch_range(self, descriptor, start, length):
        self.requests.append(f"{start}+{length}")
        return io.BytesIO(super().fetch(descriptor).read()[start : start + length])


class Hooked(MemoryFileTree):
    """A folder that another process changes at chosen moments."""

    before_open = before_touch = None
    """Functions that are called once, with the path."""

    def _call(self, name, path):
        hook = getattr(self, name)
        if hook is not None and path.parts[0] == "blobs":
            setattr(self, name, None)
            hook(path)

    def open(self, path):
        self._call("before_open", path)
        return super().open(path)

    def touch(self, path):
        self._call("before_touch", path)
        super().touch(path)


# --- Another process -----------------------------------------------------------------------


def test_blob_evicted_between_fill_and_open_is_fetched_again(caplog):
    tree, source = Hooked(), Source(CONTENT)
    tree.before_open = tree.remove
    assert read(ContentCache(tree).fetch(blob(CONTENT), source)) == CONTENT
    assert source.requests == ["blob", "blob"]
    assert "without the cache" in caplog.text


def test_blob_evicted_between_verification_and_open_is_fetched_again():
    tree, source = Hooked(), Source(CONTENT)
    cache = ContentCache(tree)
    read(cache.fetch(blob(CONTENT), source))
    tree.before_touch = tree.remove
    assert read(cache.fetch(blob(CONTENT), source)) == CONTENT
    assert source.requests == ["blob", "blob"]


def test_blob_replaced_after_its_verification_is_not_remembered_as_verified():
    tree, source = Hooked(), Source(CONTENT)
    cache = ContentCache(tree)
    read(cache.fetch(blob(CONTENT), source))
    tree.before_touch = lambda path: damage(tree, blob(CONTENT), b"CONTENT")
    cache.fetch(blob(CONTENT), source).close()
    cached = CachedSource(source, cache)
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"


def test_range_of_a_blob_replaced_before_it_is_opened_comes_from_the_target():
    tree, source = Hooked(), Source(CONTENT)
    cached = CachedSource(source, ContentCache(tree))
    read(cached.fetch(blob(CONTENT)))
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"
    tree.before_open = lambda path: damage(tree, blob(CONTENT), b"CONTENT")
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"
    assert source.requests == ["blob", "0+3"]


class Ticking(MemoryFileTree):
    """A folder whose clock has not moved on since the last change of a file."""

    def entry(self, path):
        entry = super().entry(path)
        return entry and evolve(entry, revision="same", changed_at=time.time_ns())


def test_verification_of_a_file_that_changed_a_moment_ago_is_not_remembered():
    tree, source = Ticking(), Source(CONTENT)
    cached = CachedSource(source, ContentCache(tree))
    read(cached.fetch(blob(CONTENT)))
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"
    damage(tree, blob(CONTENT), b"CONTENT")
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"


class Opened(MemoryFileTree):
    """A folder that counts how often a file is opened."""

    count = 0

    def open(self, path):
        self.count += 1
        return super().open(path)


def test_number_of_remembered_verifications_is_bounded(monkeypatch):
    monkeypatch.setattr(cache_module, "MOST_KNOWN", 2)
    contents = [bytes([number]) * 10 for number in range(3)]
    tree, source = Opened(), Source(*contents)
    cached = CachedSource(source, ContentCache(tree))

    def opened(content):
        tree.count = 0
        read(cached.fetch_range(blob(content), 0, 1))
        return tree.count

    for content in contents:
        read(cached.fetch(blob(content)))
    assert [opened(content) for content in contents] == [2, 2, 2]
    assert [opened(content) for content in contents[1:]] == [1, 1]
    assert opened(contents[0]) == 2


# --- Failures of the source and of the folder ----------------------------------------------


class Unreadable(Source):
    def fetch(self, descriptor):
        self.requests.append("blob")
        raise FileAccessError("read", "source", "input/output error")


class FailingMidway(Source):
    def fetch(self, descriptor):
        self.requests.append("blob")
        return _FailingStream()


class _FailingStream:
    def read(self, size=-1, /):
        raise FileAccessError("read", "source", "input/output error")

    def close(self):
        pass


@pytest.mark.parametrize("kind", [Unreadable, FailingMidway])
def test_failure_of_the_source_is_no_failure_of_the_cache(kind, caplog):
    source = kind(CONTENT)
    with pytest.raises(FileAccessError, match="input/output error"):
        ContentCache(MemoryFileTree()).fetch(blob(CONTENT), source)
    assert source.requests == ["blob"]
    assert "without the cache" not in caplog.text


class ReadOnly(MemoryFileTree):
    """A folder that its user may only read, once it is locked."""

    locked = False

    def _refuse(self, operation, path):
        if self.locked:
            raise FileAccessError(operation, str(path), "read-only file system")

    def create(self, path, *, executable=False):
        self._refuse("create", path)
        return super().create(path, executable=executable)

    def resume(self, path, content):
        self._refuse("create", path)
        return super().resume(path, content)

    def make_directory(self, path):
        self._refuse("create", path)
        super().make_directory(path)

    def touch(self, path):
        self._refuse("touch", path)
        super().touch(path)

    def remove(self, path):
        self._refuse("remove", path)
        super().remove(path)

    def try_lock(self, path, *, shared=False):
        self._refuse("lock", path)
        return super().try_lock(path, shared=shared)


def test_read_only_folder_serves_what_it_has():
    tree, source = ReadOnly(), Source(CONTENT, b"other")
    read(ContentCache(tree).fetch(blob(CONTENT), source))
    tree.locked = True
    cached = CachedSource(source, ContentCache(tree, max_size=10))
    source.requests.clear()
    assert read(cached.fetch(blob(CONTENT))) == CONTENT
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"
    assert source.requests == []
    assert read(cached.fetch(blob(b"other"))) == b"other"
    assert source.requests == ["blob"]


def test_damaged_blob_of_a_read_only_folder_comes_from_the_target():
    tree, source = ReadOnly(), Source(CONTENT)
    cached = CachedSource(source, ContentCache(tree))
    read(cached.fetch(blob(CONTENT)))
    damage(tree, blob(CONTENT), b"CONTENT")
    tree.locked = True
    assert read(cached.fetch(blob(CONTENT))) == CONTENT
    assert read(cached.fetch_range(blob(CONTENT), 0, 3)) == b"con"
    assert source.requests == ["blob", "blob", "0+3"]


def test_prune_of_a_read_only_folder_keeps_and_reports_its_blobs(caplog):
    tree = ReadOnly()
    cache = ContentCache(tree)
    read(cache.fetch(blob(CONTENT), Source(CONTENT)))
    tree.locked = True
    assert cache.prune() == ()
    assert cache.size == len(CONTENT)
    assert "stays in the cache" in caplog.text


class Full(MemoryFileTree):
    """A disk on which nothing fits."""

    def create(self, path, *, executable=False):
        file = super().create(path, executable=executable)
        if path.parts[0] == "blobs":
            file.write = self._fail
        return file

    def resume(self, path, content):
        file = super().resume(path, content)
        file.write = self._fail
        return file

    def _fail(self, data):
        raise FileAccessError("write", "blob", "no space left on device")


@pytest.mark.parametrize("content", [CONTENT, bytes(1024 * 1024)])
def test_full_disk_costs_only_the_cache(content, caplog):
    tree, source = Full(), Source(content)
    assert read(ContentCache(tree).fetch(blob(content), source)) == content
    assert ContentCache(tree).size == 0
    assert source.requests == ["blob", "blob"]
    assert "no space left on device" in caplog.text


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("index.json", b"{"),
        ("index.json", b" " * (MAX_INDEX_SIZE + 1)),
        ("oci-layout", b'{"imageLayoutVersion": "9"}'),
    ],
    ids=["index", "huge index", "version"],
)
def test_damaged_layout_costs_only_the_cache(name, damaged, caplog):
    tree, source = MemoryFileTree(), Source(CONTENT)
    cache = ContentCache(tree, max_size=100)
    put(tree, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    put(tree, "index.json", b'{"schemaVersion": 2, "manifests": []}')
    put(tree, name, damaged)
    for _ in range(2):
        assert read(cache.fetch(blob(CONTENT), source)) == CONTENT
    assert source.requests == ["blob", "blob"]
    assert "without the cache" in caplog.text


def test_layout_damaged_after_its_first_use_is_not_pruned(caplog):
    tree, source = MemoryFileTree(), Source(CONTENT, b"other")
    cache = ContentCache(tree, max_size=100)
    read(cache.fetch(blob(CONTENT), source))
    put(tree, "index.json", b"{")
    read(ContentCache(tree).fetch(blob(b"other"), source))
    with pytest.raises(InvalidManifestError, match=r"index\.json"):
        cache.prune()
    assert cache.size


def test_cancelled_fill_keeps_nothing_that_a_later_fill_cannot_mend():
    content = bytes(range(256)) * 8192
    tree, token = MemoryFileTree(), CancelToken()

    class Cancelling(Source):
        def fetch(self, descriptor):
            token.cancel()
            return super().fetch(descriptor)

    source = Cancelling(content)
    with token.scope(), pytest.raises(CancelledError):
        ContentCache(tree).fetch(blob(content), source)
    assert ContentCache(tree).size == 0
    assert read(ContentCache(tree).fetch(blob(content), Source(content))) == content


# --- Digests and manifests -----------------------------------------------------------------


def test_sha512_is_cached_as_sha256_is():
    tree, source = MemoryFileTree(), Source(CONTENT, algorithm="sha512")
    cached = CachedSource(source, ContentCache(tree))
    descriptor = blob(CONTENT, "sha512")
    for _ in range(2):
        assert read(cached.fetch(descriptor)) == CONTENT
    assert read(cached.fetch_range(descriptor, 0, 3)) == b"con"
    damage(tree, descriptor, b"CONTENT")
    assert read(cached.fetch(descriptor)) == CONTENT
    assert source.requests == ["blob", "blob"]


class Registry(MemoryStore):
    """A target of which HEAD may be refused or wrong, and GET is right."""

    def __init__(self, document, head=None) -> None:
        super().__init__()
        self.requests: list[str] = []
        self._head = head
        push_document(self, document)
        self.tag(document.descriptor, "v1")
        self.requests.clear()

    def resolve(self, reference):
        self.requests.append("HEAD")
        if isinstance(self._head, Exception):
            raise self._head
        return self._head or super().resolve(reference)

    def fetch_range(self, descriptor, start, length):
        raise AssertionError

    def fetch_reference(self, reference):
        self.requests.append("GET")
        root = super().resolve(reference)
        return root, read(super().fetch(root))


REFUSED = RegistryError(
    "resolve a tag", status=405, method="HEAD", url="http://localhost/v2/x/manifests/v1"
)


@pytest.mark.parametrize(
    "head",
    [
        None,
        REFUSED,
        NotFoundError("tag 'v1'", "the registry"),
        evolve(pack_manifest([]).descriptor, size=3, media_type="text/html"),
    ],
    ids=["right", "refused", "missing", "wrong size"],
)
def test_manifest_of_a_tag_is_that_of_get_and_then_that_of_the_cache(head):
    document = pack_manifest([])
    registry = Registry(document, head)
    cached = CachedSource(registry, ContentCache(MemoryFileTree()))
    expected = document.descriptor.plain()
    for _ in range(2):
        root, content = cached.fetch_reference("v1")
        assert (root.digest, root.size, root.media_type) == (
            expected.digest,
            expected.size,
            expected.media_type,
        )
        assert content == document.content
    is_known = head is None or isinstance(head, Descriptor)
    assert registry.requests == (["HEAD", "GET", "HEAD"] if is_known else ["HEAD", "GET"] * 2)
    registry.requests.clear()
    assert cached.fetch_reference(str(expected.digest))[1] == document.content
    assert registry.requests == []


def test_blob_in_the_cache_is_not_resolved_as_a_manifest():
    tree, source = MemoryFileTree(), Source(CONTENT)
    cached = CachedSource(source, ContentCache(tree))
    read(cached.fetch(blob(CONTENT)))
    assert ContentCache(tree).read_manifest(blob(CONTENT).digest) is None
