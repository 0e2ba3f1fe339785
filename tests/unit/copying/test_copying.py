from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.content.graph import successors
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy, copy_graph
from oras_core.copying.options import CopyOptions
from oras_core.errors import CopyError, NotFoundError, SizeLimitError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_blob, push_document, read
from support.graphs import graphs
from support.targets import EventRecorder, StrictStore, WatchedStore, store_with

TITLE = media_types.ANNOTATION_TITLE


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("oras-copy")] == []


# --- What arrives -------------------------------------------------------------------------


def test_an_artifact_is_copied_with_its_tag():
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()
    root = copy(source, "v1", destination).root
    assert root.digest == destination.resolve("v1").digest == manifest.digest
    assert read(destination, root) == manifest.content
    assert [read(destination, layer) for layer in manifest.layers] == [b"one", b"two"]
    assert read(destination, manifest.config) == b"{}"


def test_the_destination_tag_may_differ():
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    copy(source, "v1", destination, "v2")
    assert list(destination.tags()) == ["v2"]
    assert destination.resolve("v2").digest == manifest.digest


def test_a_copy_by_digest_creates_no_tag():
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    root = copy(source, str(manifest.digest), destination).root
    assert root.digest == manifest.digest
    assert list(destination.tags()) == []
    copy(source, str(manifest.digest), destination, "v2")
    assert list(destination.tags()) == ["v2"]


def test_a_single_blob_is_a_graph_too():
    source, destination = MemoryStore(), MemoryStore()
    blob = push_blob(source, b"blob")
    copy_graph(source, blob, destination)
    assert read(destination, blob) == b"blob"
    copy_graph(source, blob, destination, reference="v1")
    assert destination.resolve("v1").digest == blob.digest


@given(graphs(), st.data(), st.integers(1, 4))
def test_missing_blobs_arrive_before_their_manifests(graph, data, concurrency):
    source = graph.push_to(WatchedStore())
    destination = StrictStore()
    # Some blobs are there already, and some manifests with all that they refer to.
    present = set()
    for node in data.draw(st.lists(st.sampled_from(graph.nodes), max_size=3)):
        present |= graph.reachable(node)
    graph.push_to(destination.target, present)

    copy_graph(source, graph.root, destination, options=CopyOptions(concurrency=concurrency))

    wanted = graph.reachable()
    for digest in wanted:
        blob = Descriptor("a/b", digest, len(graph.contents[digest]))
        assert read(destination.target, blob) == graph.contents[digest]
    moved = wanted - present
    # Each once, nothing that is there, nothing that is not referred to.
    assert source.fetched == dict.fromkeys(moved, 1)
    assert set(destination.pushed) <= wanted
    assert len(set(destination.pushed)) == len(destination.pushed)
    assert all(
        destination.target.exists(node) == (node.digest in wanted | present) for node in graph.nodes
    )


def test_present_blobs_are_not_moved():
    source, manifest = store_with(b"one", b"two")
    watched, destination = WatchedStore(source), MemoryStore()
    push_blob(destination, b"one")
    copy(watched, "v1", destination)
    assert manifest.layers[0].digest not in watched.fetched
    assert watched.fetched[manifest.layers[1].digest] == 1
    copy(watched, "v1", destination)
    assert watched.fetched[manifest.layers[1].digest] == 1
    assert watched.fetched[manifest.digest] == 1


def test_embedded_data_is_not_fetched():
    source = MemoryStore()
    child = pack_manifest([])
    embedded = Descriptor(child.media_type, child.digest, len(child.content), data=child.content)
    index = codec.encode_index(manifests=[embedded])
    push_document(source, index)
    watched, destination = WatchedStore(source), MemoryStore()
    copy_graph(watched, index.descriptor, destination)
    assert watched.fetched == {index.digest: 1}
    assert read(destination, child.descriptor) == child.content
    assert read(destination, child.config) == b"{}"


def test_subject_is_copied():
    source = MemoryStore()
    subject = push_artifact(source, b"one")
    attached = push_artifact(source, b"two", subject=subject.descriptor)
    destination = MemoryStore()
    copy_graph(source, attached.descriptor, destination)
    assert read(destination, subject.layers[0]) == b"one"


def test_find_successors_selects_what_is_copied():
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()

    def first_layer(fetcher, descriptor):
        return successors(fetcher, descriptor)[1:2]

    copy(source, "v1", destination, options=CopyOptions(find_successors=first_layer))
    assert destination.exists(manifest.layers[0])
    assert not destination.exists(manifest.layers[1])
    assert not destination.exists(manifest.config)


def test_a_deep_chain_does_not_recurse():
    source = MemoryStore()
    document = pack_manifest([])
    push_document(source, document)
    push_blob(source, b"{}")
    for _ in range(1500):
        document = codec.encode_index(manifests=[document.descriptor])
        push_document(source, document)
    destination = StrictStore()
    copy_graph(source, document.descriptor, destination)
    assert destination.pushed[-1] == document.digest
    assert len(destination.pushed) == 1502


def test_many_small_blobs_are_copied():
    source, manifest = store_with(*(b"%d" % number for number in range(500)))
    destination = StrictStore()
    copy(source, "v1", destination)
    assert all(destination.exists(layer) for layer in manifest.layers)
    assert destination.pushed[-1] == manifest.digest


# --- Names --------------------------------------------------------------------------------


class OneStep(WatchedStore):
    """Takes a manifest in under its name in one step."""

    def __init__(self):
        super().__init__()
        self.named = []

    def push_reference(self, descriptor, source, reference):
        self.target.push(descriptor, source)
        self.target.tag(descriptor, reference)
        self.named.append((descriptor.digest, reference))


def test_the_tag_is_created_last():
    source, manifest = store_with(b"one")
    destination = WatchedStore()
    copy(source, "v1", destination)
    assert destination.pushed[-1] == manifest.digest
    assert destination.tagged == [(manifest.digest, "v1")]


def test_manifest_and_tag_are_one_request_where_possible():
    source, manifest = store_with(b"one")
    destination = OneStep()
    copy(source, "v1", destination)
    assert destination.named == [(manifest.digest, "v1")]
    assert destination.tagged == []
    assert manifest.digest not in destination.pushed


@pytest.mark.parametrize("kind", [WatchedStore, OneStep])
def test_a_present_manifest_gets_a_further_tag(kind):
    source, manifest = store_with(b"one")
    destination = kind()
    copy(source, "v1", destination, "v1")
    copy(source, "v1", destination, "v2")
    assert destination.resolve("v2").digest == manifest.digest
    assert destination.resolve("v1").digest == manifest.digest


def test_a_destination_without_tags_gets_no_tag():
    source, manifest = store_with(b"one")

    class NoTarget:
        def __init__(self):
            store = MemoryStore()
            self.exists, self.fetch, self.push = store.exists, store.fetch, store.push

    with pytest.raises(CopyError, match="it has no tags") as caught:
        copy_graph(source, manifest.descriptor, NoTarget(), reference="v1")
    assert (caught.value.operation, caught.value.origin) == ("tag", "destination")


# --- Neighbours and titles ----------------------------------------------------------------


class Neighbour(WatchedStore):
    """Takes blobs over that begin with `m`."""

    def __init__(self):
        super().__init__()
        self.mounted = []

    def mount(self, descriptor, source):
        content = read(source, descriptor)
        if not content.startswith(b"m"):
            return False
        self.target.push(descriptor, BytesSource(content))
        self.mounted.append((descriptor.digest, source))
        return True


def test_destination_learns_how_many_blobs_will_arrive():
    class Expecting(WatchedStore):
        def expect_blobs(self, count):
            assert not self.pushed
            self.expected = count

    source, manifest = store_with(b"one", b"two", b"one")
    destination = Expecting()
    copy(source, "v1", destination)
    # The config and two different layers, and not the manifest.
    assert destination.expected == 3
    assert destination.pushed[-1] == manifest.descriptor.digest


def test_a_blob_is_mounted_from_another_repository():
    source, manifest = store_with(b"mine", b"yours")
    destination, listener = Neighbour(), EventRecorder()
    copy(source, "v1", destination, options=CopyOptions(listener=listener))
    mine, yours = manifest.layers
    # The destination gets the source itself, to recognise a repository of its registry.
    assert destination.mounted == [(mine.digest, source)]
    assert listener.of(mine) == [("skipped", "mounted")]
    assert listener.of(yours)[-1] == ("finished",)
    assert mine.digest not in destination.pushed


def test_a_manifest_is_never_mounted():
    class Greedy(WatchedStore):
        def mount(self, descriptor, source):
            assert not descriptor.has_successors
            return False

    source, manifest = store_with(b"one")
    index = codec.encode_index(manifests=[manifest.descriptor])
    push_document(source, index)
    destination = Greedy()
    copy_graph(source, index.descriptor, destination)
    assert destination.exists(manifest.descriptor)


class Shelf(WatchedStore):
    """Holds content under titles."""

    def __init__(self, *, keeps=True):
        super().__init__()
        self.keeps = keeps
        self.placed = []

    def place(self, descriptor):
        if not self.keeps:
            raise NotFoundError(str(descriptor), "the shelf")
        assert self.exists(descriptor)
        self.placed.append(descriptor.title)


def titled(*titles):
    layers = [Descriptor.of(b"same", "a/b", annotations={TITLE: title}) for title in titles]
    source = MemoryStore()
    push_blob(source, b"same")
    push_blob(source, b"{}")
    manifest = pack_manifest(layers)
    push_document(source, manifest)
    return WatchedStore(source), manifest


def test_a_blob_with_two_titles_is_transferred_once():
    source, manifest = titled("a", "b", "a", "c")
    destination = Shelf()
    copy_graph(source, manifest.descriptor, destination)
    same = manifest.layers[0].digest
    assert source.fetched[same] == 1
    assert destination.pushed.count(same) == 1
    assert destination.placed == ["b", "c"]


def test_a_blob_is_transferred_again_if_it_was_not_kept():
    source, manifest = titled("a", "b")
    destination = Shelf(keeps=False)
    copy_graph(source, manifest.descriptor, destination)
    assert destination.pushed.count(manifest.layers[0].digest) == 2


def test_titles_are_ignored_by_a_store_without_titles():
    source, manifest = titled("a", "b")
    destination = WatchedStore()
    copy_graph(source, manifest.descriptor, destination)
    assert destination.pushed.count(manifest.layers[0].digest) == 1


# --- Limits -------------------------------------------------------------------------------


def test_a_manifest_that_is_too_large_is_refused():
    source, manifest = store_with(b"one")
    size = len(manifest.content)
    copy(source, "v1", MemoryStore(), options=CopyOptions(manifest_size=size))
    with pytest.raises(SizeLimitError):
        copy(source, "v1", MemoryStore(), options=CopyOptions(manifest_size=size - 1))


def test_a_larger_manifest_may_be_allowed():
    source = MemoryStore()
    push_blob(source, b"{}")
    content = pack_manifest([]).content + b" " * MAX_MANIFEST_SIZE
    large = Descriptor.of(content, media_types.OCI_MANIFEST)
    source.push(large, BytesSource(content))
    with pytest.raises(SizeLimitError):
        copy_graph(source, large, MemoryStore())
    destination = MemoryStore()
    copy_graph(source, large, destination, options=CopyOptions(manifest_size=len(content)))
    assert destination.exists(large)
