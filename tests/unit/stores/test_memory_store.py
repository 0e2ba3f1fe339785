from __future__ import annotations

import io
from contextlib import closing

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import (
    InvalidDigestError,
    InvalidManifestError,
    InvalidReferenceError,
    SizeLimitError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MAX_CONTENT_SIZE, MemoryStore
from oras_core.testing.contracts.content_access import (
    CountingSource,
    push_artifact,
    push_blob,
    read,
)


class EndlessSource:
    """A source that never ends, and remembers how much was taken."""

    size = None
    taken = 0

    def open(self):
        return self

    def read(self, size=-1):
        assert size >= 0, "all of what never ends was asked for"
        self.taken += size
        return b"x" * size

    def close(self):
        pass


def test_sha512_digests_are_accepted():
    store = MemoryStore()
    descriptor = Descriptor("a/b", Digest.of(b"blob", "sha512"), 4)
    store.push(descriptor, BytesSource(b"blob"))
    assert read(store, descriptor) == b"blob"
    # The same bytes under another digest are other content.
    assert not store.exists(Descriptor.of(b"blob", "a/b"))


def test_an_empty_blob_is_stored():
    store = MemoryStore()
    blob = push_blob(store, b"")
    assert store.exists(blob)
    assert read(store, blob) == b""


def test_a_blob_beyond_the_limit_is_not_opened():
    store = MemoryStore(limit=3)
    source = CountingSource(b"blob")
    with pytest.raises(SizeLimitError) as caught:
        store.push(Descriptor.of(b"blob", "a/b"), source)
    assert caught.value.limit == 3
    assert all(stream.closed for stream in source.streams)
    push_blob(store, b"blo")
    with pytest.raises(SizeLimitError):
        MemoryStore().push(
            Descriptor("a/b", Digest.of(b""), MAX_CONTENT_SIZE + 1), BytesSource(b"")
        )


def test_an_endless_source_is_read_to_its_promised_size_only():
    source = EndlessSource()
    with pytest.raises(Exception, match="at least 6 bytes, expected 5"):
        MemoryStore().push(Descriptor("a/b", Digest.of(b"x" * 5), 5), source)
    assert source.taken == 6


@pytest.mark.parametrize("content", [b"{}", b"", b"[]", b"\x1f\x8b"])
def test_a_malformed_manifest_is_not_stored(content):
    store = MemoryStore()
    descriptor = Descriptor.of(content, media_types.OCI_MANIFEST)
    with pytest.raises(InvalidManifestError):
        store.push(descriptor, BytesSource(content))
    assert not store.exists(descriptor)


def test_a_manifest_larger_than_usual_where_the_limit_allows_it():
    manifest = pack_manifest([])
    large = codec.decode(manifest.content + b" " * MAX_MANIFEST_SIZE, limit=2 * MAX_MANIFEST_SIZE)
    store = MemoryStore()
    store.push(large.descriptor, BytesSource(large.content))
    assert store.exists(large.descriptor)


def test_resolving_gives_the_descriptor_that_was_pushed():
    store = MemoryStore()
    descriptor = Descriptor.of(b"blob", "a/b", annotations={"a": "1"})
    store.push(descriptor, BytesSource(b"blob"))
    assert store.resolve(str(descriptor.digest)) == descriptor
    store.tag(descriptor.with_annotations({"b": "2"}), "v1")
    assert store.resolve("v1").annotations == {"a": "1", "b": "2"}


def test_an_invalid_tag_is_refused():
    store = MemoryStore()
    blob = push_blob(store, b"blob")
    with pytest.raises(InvalidDigestError):
        store.resolve("sha256:00")
    with pytest.raises(InvalidReferenceError):
        store.tag(blob, str(blob.digest))


def test_tags_are_sorted_and_a_snapshot():
    store = MemoryStore()
    blob = push_blob(store, b"blob")
    for tag in ("b", "c", "a"):
        store.tag(blob, tag)
    tags = store.tags()
    store.untag("b")
    assert list(tags) == ["a", "b", "c"]
    assert list(store.tags()) == ["a", "c"]


def test_a_stream_survives_the_removal_of_its_blob():
    store = MemoryStore()
    blob = push_blob(store, b"blob")
    with closing(store.fetch(blob)) as stream:
        store.delete(blob)
        assert stream.read() == b"blob"


def test_a_removed_manifest_is_not_a_predecessor():
    store = MemoryStore()
    manifest = push_artifact(store, b"layer")
    assert [d.digest for d in store.predecessors(manifest.layers[0])] == [manifest.digest]
    store.delete(manifest.descriptor)
    assert list(store.predecessors(manifest.layers[0])) == []


def test_streams_are_independent_of_what_the_caller_does_with_them():
    store = MemoryStore()
    blob = push_blob(store, b"blob")
    stream = store.fetch(blob)
    assert isinstance(stream, io.BytesIO)
    stream.write(b"xxxx")
    assert read(store, blob) == b"blob"
