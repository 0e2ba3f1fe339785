"""Blobs of a cache or layout that are cloned into a folder, and verified there."""

from __future__ import annotations

import io

import pytest

from oras_core.cancellation import CancelToken
from oras_core.content.graph import ManifestCache
from oras_core.content.sources import BytesSource, FileSource
from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CancelledError,
    DigestMismatchError,
    FileAccessError,
    InvalidConfigurationError,
    SourceChangedError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.progress import ProgressListener
from oras_core.stores.cache import ContentCache
from oras_core.stores.cached import CachedSource
from oras_core.stores.file import FileStore
from oras_core.stores.filling import CLONED_SIZE
from oras_core.stores.layout.files import blob_path
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.stores.staging import StagingStore
from oras_core.testing.contracts.content_access import push_document
from oras_core.testing.contracts.tree_access import at, read, write
from oras_core.testing.memory_content import ContentStream
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from support.cached_blobs import damage

CONTENT = bytes(range(256)) * (CLONED_SIZE // 256) + b"end"
LAYER = Descriptor.of(CONTENT, "a/b", annotations={media_types.ANNOTATION_TITLE: "a"})
DOCUMENT = pack_manifest([LAYER])


class Registry(MemoryStore):
    """A target with an artifact of one layer, which counts its requests for blobs."""

    def __init__(self):
        super().__init__()
        self.push(LAYER, BytesSource(CONTENT))
        self.push(DOCUMENT.config, BytesSource(b"{}"))
        push_document(self, DOCUMENT)
        self.tag(DOCUMENT.descriptor, "v1")
        self.fetched = 0

    def fetch(self, descriptor):
        self.fetched += descriptor.digest == LAYER.digest
        return super().fetch(descriptor)

    def fetch_range(self, descriptor, start, length):
        self.fetched += 1
        return io.BytesIO(super().fetch(descriptor).read()[start : start + length])


class Output(MemoryFileTree):
    """A folder that notes what is cloned and written, and may refuse or change a clone."""

    def __init__(self):
        super().__init__()
        self.cloned = []
        self.written = 0
        self.refuses = False
        self.after_clone = lambda stream: stream

    def _noting(self, file):
        if file is None:
            return None
        clone, write = file.clone, file.write

        def noting_clone(original, size):
            if self.refuses:
                return None
            stream = clone(original, size)
            self.cloned.append(stream is not None)
            changed = stream and self.after_clone(stream)
            if changed is None:
                file.restart()
            return changed

        def noting_write(data):
            self.written += len(data)
            write(data)

        file.clone, file.write = noting_clone, noting_write
        return file

    def create(self, path, *, executable=False):
        return self._noting(super().create(path, executable=executable))

    def resume(self, path, content):
        return self._noting(super().resume(path, content))


class Cache(MemoryFileTree):
    """The folder of a cache, which counts how often a blob is opened."""

    opened = 0

    def open(self, path):
        self.opened += path.parts[0] == "blobs"
        return super().open(path)


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def folder():
    return Cache()


@pytest.fixture
def cached(registry, folder):
    return CachedSource(registry, ContentCache(folder))


@pytest.fixture
def filled(cached, registry, folder):
    """A cache that has the artifact."""
    pull(cached, "v1", MemoryFileTree())
    registry.fetched = folder.opened = 0
    return cached


@pytest.fixture
def output():
    return Output()


def test_first_pull_clones_the_blob_that_it_has_fetched(cached, registry, output):
    pull(cached, "v1", output)
    assert read(output, "a") == CONTENT
    assert (output.cloned, output.written, registry.fetched) == ([True], 0, 1)


def test_second_pull_reads_only_the_clone(filled, registry, folder, output):
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert (output.cloned, output.written, registry.fetched) == ([True], 0, 0)
    assert folder.opened == 2  # the manifest, and the file of the blob for the clone


def test_folder_that_cannot_clone_gets_verified_bytes(filled, registry, output):
    output.refuses = True
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert (output.written, registry.fetched) == (len(CONTENT), 0)


def test_small_blob_is_not_cloned(registry, output):
    small = CONTENT[: CLONED_SIZE - 1]
    descriptor = Descriptor.of(small, "a/b", annotations={media_types.ANNOTATION_TITLE: "a"})
    registry.push(descriptor, BytesSource(small))
    cached = CachedSource(registry, ContentCache(MemoryFileTree()))
    for _ in range(2):
        store = FileStore(output)
        store.push(descriptor, ManifestCache(cached).source(descriptor))
        output.remove(at("a"))
    assert (output.cloned, output.written) == ([], 2 * len(small))


# --- Damage -------------------------------------------------------------------------------


@pytest.mark.parametrize("refuses", [False, True], ids=["clones", "copies"])
@pytest.mark.parametrize(
    "damaged",
    [bytes(len(CONTENT)), CONTENT[:-1] + b"x", CONTENT[:-1], CONTENT + b"x"],
    ids=["zeros", "last byte", "short", "long"],
)
def test_damaged_blob_of_the_cache_is_never_pulled(
    filled, registry, folder, output, damaged, refuses
):
    output.refuses = refuses
    damage(folder, LAYER, damaged)
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert registry.fetched == 1
    assert read(folder, str(blob_path(LAYER.digest))) == CONTENT


def test_blob_that_changes_after_its_clone_does_not_change_the_pull(filled, folder, output):
    def poison(stream):
        damage(folder, LAYER, bytes(len(CONTENT)))
        return stream

    output.after_clone = poison
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT


def test_blob_that_changes_before_its_clone_is_fetched_again(filled, registry, folder, output):
    class Poisoned(Cache):
        def open(self, path):
            stream = super().open(path)
            if path == blob_path(LAYER.digest) and not registry.fetched:
                damage(self, LAYER, bytes(len(CONTENT)))
                return super().open(path)
            return stream

    folder.__class__ = Poisoned
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert registry.fetched == 1


class Windows(Cache):
    """A folder of Windows, which removes and replaces no open file."""

    def __init__(self):
        super().__init__()
        self.streams = []

    def open(self, path):
        stream = Closing(super().open(path))
        self.streams.append((path, stream))
        return stream

    def remove(self, path):
        if any(opened == path and not stream.closed for opened, stream in self.streams):
            raise FileAccessError("remove", str(path), "it is open")
        super().remove(path)


class Closing:
    closed = False

    def __init__(self, stream):
        self._stream = stream
        self.read = stream.read

    def close(self):
        self.closed = True
        self._stream.close()


def test_damaged_blob_is_closed_before_it_is_removed(registry):
    folder = Windows()
    cached = CachedSource(registry, ContentCache(folder))
    pull(cached, "v1", MemoryFileTree())
    damage(folder, LAYER, bytes(len(CONTENT)))
    output = MemoryFileTree()
    pull(cached, "v1", output)
    assert read(output, "a") == read(folder, str(blob_path(LAYER.digest))) == CONTENT


def test_wrong_clone_of_a_right_blob_is_replaced_by_its_bytes(filled, registry, output):
    class Wrong(ContentStream):
        def read(self, size=-1, /):
            return bytes(len(super().read(size)))

    output.after_clone = lambda stream: Wrong(stream.content)
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert (output.cloned, registry.fetched) == ([True], 0)


class Unreadable:
    def __init__(self, stream):
        self._stream = stream

    def read(self, size=-1, /):
        raise FileAccessError("read", "a", "input/output error")

    def close(self):
        self._stream.close()


def test_clone_that_cannot_be_read_is_replaced(filled, registry, output):
    output.after_clone = Unreadable
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT


def test_blob_that_cannot_be_read_is_fetched_without_the_cache(
    filled, registry, folder, output, caplog
):
    output.after_clone = Unreadable
    folder.open = lambda path, opening=folder.open: (
        Clonable(opening(path)) if path == blob_path(LAYER.digest) else opening(path)
    )
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert registry.fetched == 1
    assert "without the cache" in caplog.text


class Clonable(Unreadable):
    def clone_into(self, clone):
        return clone(self._stream)


def test_failing_disk_of_the_folder_is_an_error(filled, output):
    output.after_clone = Unreadable

    def fail(*_):
        raise FileAccessError("write", "a", "no space left on device")

    noting = output._noting
    output._noting = lambda file: noting(file) and set_write(file, fail)
    with pytest.raises(FileAccessError, match="no space left on device"):
        pull(filled, "v1", output)
    assert output.entry(at("a")) is None


def set_write(file, write):
    file.write = write
    return file


def test_folder_that_is_a_layout_with_tags_is_refused(registry, folder, output):
    copy(registry, "v1", OciLayoutStore(folder))
    with pytest.raises(InvalidConfigurationError, match=r"cache\.directory"):
        pull(CachedSource(registry, ContentCache(folder)), "v1", output)
    with pytest.raises(InvalidConfigurationError, match=r"cache\.directory"):
        CachedSource(registry, ContentCache(folder)).fetch_unverified(LAYER)


def test_blob_larger_than_the_cache_is_fetched(filled, registry, folder, output):
    pull(CachedSource(registry, ContentCache(folder, max_size=1000)), "v1", output)
    assert read(output, "a") == CONTENT
    assert (output.cloned, registry.fetched) == ([], 1)


# --- Eviction, cancellation, progress -----------------------------------------------------


def test_blob_evicted_after_its_clone_is_pulled(filled, registry, folder, output):
    def evict(stream):
        folder.remove(blob_path(LAYER.digest))
        return stream

    output.after_clone = evict
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert registry.fetched == 0


def test_blob_evicted_before_it_is_copied_is_fetched_again(filled, registry, folder, output):
    def refuse(stream):
        folder.remove(blob_path(LAYER.digest))

    output.after_clone = refuse
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert registry.fetched == 1


def test_clone_counts_as_use_of_the_blob(registry, folder, output):
    cache = ContentCache(folder)
    cached = CachedSource(registry, cache)
    pull(cached, "v1", MemoryFileTree())
    other = Descriptor.of(b"other", "a/b")
    registry.push(other, BytesSource(b"other"))
    cached.fetch(other).close()
    pull(cached, "v1", output)
    assert cache.prune(len(CONTENT))[0].digest != LAYER.digest
    assert [blob.digest for blob in cache.blobs()] == [LAYER.digest]


def test_cancelled_clone_leaves_the_older_file(filled, output):
    write(output, "a", b"old")
    token = CancelToken()

    def cancel(stream):
        token.cancel()
        return stream

    output.after_clone = cancel
    with token.scope(), pytest.raises(CancelledError):
        pull(filled, "v1", output)
    assert read(output, "a") == b"old"
    output.after_clone = lambda stream: stream
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT


class Counting(ProgressListener):
    def __init__(self):
        self.moved = 0
        self.events = []

    def started(self, descriptor):
        self._note("started", descriptor)

    def advanced(self, descriptor, count):
        if descriptor.digest == LAYER.digest:
            self.moved += count

    def restarted(self, descriptor, moved):
        self.moved -= moved
        self._note("restarted", descriptor)

    def finished(self, descriptor):
        self._note("finished", descriptor)

    def skipped(self, descriptor, reason):
        self._note("skipped", descriptor)

    def _note(self, event, descriptor):
        if descriptor.digest == LAYER.digest:
            self.events.append(event)


@pytest.mark.parametrize("damaged", [False, True])
def test_bytes_of_a_clone_are_counted(filled, folder, output, damaged):
    if damaged:
        damage(folder, LAYER, CONTENT[:-1] + b"x")
    listener = Counting()
    pull(filled, "v1", output, options=CopyOptions(listener=listener))
    expected = ["started", "restarted", "finished"] if damaged else ["started", "finished"]
    assert listener.events == expected
    assert listener.moved == len(CONTENT)


def test_partial_file_of_an_earlier_pull_is_completed(filled, registry, output):
    with output.resume(at("a"), LAYER.digest) as file:
        file.write(CONTENT[:300_000])
    pull(filled, "v1", output)
    assert read(output, "a") == CONTENT
    assert output._kept == {}


# --- Other sources of files ---------------------------------------------------------------


def test_layout_is_copied_to_a_layout_by_clones():
    first, second = MemoryFileTree(), Output()
    copy(Registry(), "v1", OciLayoutStore(first))
    copy(OciLayoutStore(first), "v1", OciLayoutStore(second))
    assert read(second, str(blob_path(LAYER.digest))) == CONTENT
    assert second.cloned == [True]


def test_damaged_layout_is_not_copied():
    first, second = MemoryFileTree(), Output()
    copy(Registry(), "v1", OciLayoutStore(first))
    damage(first, LAYER, CONTENT[:-1] + b"x")
    with pytest.raises(DigestMismatchError):
        copy(OciLayoutStore(first), "v1", OciLayoutStore(second))
    assert second.entry(blob_path(LAYER.digest)) is None


def test_file_is_pushed_to_a_layout_by_a_clone():
    files, layout = MemoryFileTree(), Output()
    write(files, "a", CONTENT)
    staging = StagingStore()
    layer = staging.add(FileSource(files, at("a")), "a/b", title="a")
    OciLayoutStore(layout).push(layer, staging.source(layer))
    assert read(layout, str(blob_path(layer.digest))) == CONTENT
    assert layout.cloned == [True]


def test_file_that_changes_before_it_is_cloned_is_not_pushed():
    files, layout = MemoryFileTree(), Output()
    write(files, "a", CONTENT)
    staging = StagingStore()
    layer = staging.add(FileSource(files, at("a")), "a/b", title="a")
    source = staging.source(layer)
    opening = files.open

    def change(path):
        write(files, "a", bytes(len(CONTENT)))
        return opening(path)

    files.open = change
    with pytest.raises(SourceChangedError):
        OciLayoutStore(layout).push(layer, source)
    assert layout.entry(blob_path(layer.digest)) is None


def test_further_title_of_a_blob_is_a_clone(output):
    store = FileStore(output)
    store.push(LAYER, BytesSource(CONTENT))
    store.place(LAYER.with_annotations({media_types.ANNOTATION_TITLE: "b"}))
    assert read(output, "a") == read(output, "b") == CONTENT
    assert output.cloned == [True]
