from __future__ import annotations

import pytest

from oras_core.content.reading import CHUNK_SIZE
from oras_core.copying.copy import copy, copy_graph
from oras_core.copying.options import CopyOptions
from oras_core.errors import CopyError, SizeMismatchError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_blob, push_document
from support.targets import EventRecorder, store_with

TITLE = media_types.ANNOTATION_TITLE


def test_progress_is_reported():
    large = bytes(range(256)) * (CHUNK_SIZE // 256 * 2) + b"end"
    source, manifest = store_with(large, b"small", b"there")
    destination, listener = MemoryStore(), EventRecorder()
    large_layer, small, there = manifest.layers
    push_blob(destination, b"there")
    copy(source, "v1", destination, options=CopyOptions(listener=listener))
    for descriptor in (large_layer, small, manifest.config, manifest.descriptor):
        (first, *moved, last) = listener.of(descriptor)
        assert (first, last) == (("started",), ("finished",))
        assert {kind for kind, _ in moved} == {"advanced"}
        assert sum(count for _, count in moved) == descriptor.size
        assert all(count > 0 for _, count in moved)
    assert len(listener.of(large_layer)) == 5
    assert listener.of(there) == [("skipped", "exists")]


@pytest.mark.parametrize("reference", [None, "v2"])
def test_a_present_root_is_reported_once(reference):
    source, manifest = store_with(b"one")
    destination, listener = MemoryStore(), EventRecorder()
    copy(source, "v1", destination)
    options = CopyOptions(listener=listener)
    copy_graph(source, manifest.descriptor, destination, reference=reference, options=options)
    assert listener.events == [("skipped", manifest.digest, "exists")]


def test_a_present_child_is_reported():
    source = MemoryStore()
    child = push_artifact(source, b"one")
    index = codec.encode_index(manifests=[child.descriptor])
    push_document(source, index)
    destination, listener = MemoryStore(), EventRecorder()
    copy_graph(source, child.descriptor, destination)
    options = CopyOptions(listener=listener)
    copy_graph(source, index.descriptor, destination, options=options)
    assert listener.of(child) == [("skipped", "exists")]
    assert listener.of(index)[-1] == ("finished",)


def test_an_exception_of_the_listener_ends_the_copy():
    class Tired(EventRecorder):
        def advanced(self, descriptor, count):
            raise RuntimeError("tired")

    source, manifest = store_with(b"one")
    destination = MemoryStore()
    with pytest.raises(CopyError, match="tired"):
        copy(source, "v1", destination, options=CopyOptions(listener=Tired()))
    assert not destination.exists(manifest.descriptor)


def test_one_digest_with_two_sizes_is_an_error():
    source = MemoryStore()
    push_blob(source, b"{}")
    push_blob(source, b"one")
    digest = Digest.of(b"one")
    layers = [Descriptor("a/b", digest, 4), Descriptor("a/b", digest, 3)]
    manifest = pack_manifest(layers)
    push_document(source, manifest)
    destination = MemoryStore()
    with pytest.raises(SizeMismatchError):
        copy_graph(source, manifest.descriptor, destination)
    assert not destination.exists(manifest.descriptor)
