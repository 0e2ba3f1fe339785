from __future__ import annotations

import io
import signal
import threading
from contextlib import closing
from threading import Barrier, Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oras_core.copying
from oras_core.content.graph import successors
from oras_core.content.sources import CHUNK_SIZE, BytesSource
from oras_core.copying import CopyOptions, copy, copy_graph
from oras_core.errors import (
    CopyError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    SizeMismatchError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.packing import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.content_access import push_artifact, push_blob, push_document, read
from support.graphs import graphs
from support.targets import EventRecorder, Forwarding, StrictStore, WatchedStore

TITLE = media_types.ANNOTATION_TITLE
PATIENCE = 30
"""Seconds after which an event that should have come is missed."""


def store_with(*layers, tag="v1"):
    store = MemoryStore()
    manifest = push_artifact(store, *layers)
    store.tag(manifest.descriptor, tag)
    return store, manifest


def notes(error):
    return " | ".join(getattr(error, "__notes__", []))


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("oras-copy")] == []


# --- What arrives -------------------------------------------------------------------------


def test_an_artifact_arrives_under_its_name():
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()
    root = copy(source, "v1", destination)
    assert root.digest == destination.resolve("v1").digest == manifest.digest
    assert read(destination, root) == manifest.content
    assert [read(destination, layer) for layer in manifest.layers] == [b"one", b"two"]
    assert read(destination, manifest.config) == b"{}"


def test_another_name():
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    copy(source, "v1", destination, "v2")
    assert list(destination.tags()) == ["v2"]
    assert destination.resolve("v2").digest == manifest.digest


def test_a_digest_names_nothing_new():
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    root = copy(source, str(manifest.digest), destination)
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
def test_whatever_is_missing_arrives_leaves_first(graph, data, concurrency):
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


def test_what_is_there_is_not_moved():
    source, manifest = store_with(b"one", b"two")
    watched, destination = WatchedStore(source), MemoryStore()
    push_blob(destination, b"one")
    copy(watched, "v1", destination)
    assert manifest.layers[0].digest not in watched.fetched
    assert watched.fetched[manifest.layers[1].digest] == 1
    copy(watched, "v1", destination)
    assert watched.fetched[manifest.layers[1].digest] == 1
    assert watched.fetched[manifest.digest] == 1


def test_embedded_content_is_not_fetched():
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


def test_a_subject_comes_along():
    source = MemoryStore()
    subject = push_artifact(source, b"one")
    attached = push_artifact(source, b"two", subject=subject.descriptor)
    destination = MemoryStore()
    copy_graph(source, attached.descriptor, destination)
    assert read(destination, subject.layers[0]) == b"one"


def test_less_may_be_copied():
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


def test_many_small_contents():
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


def test_the_name_comes_last():
    source, manifest = store_with(b"one")
    destination = WatchedStore()
    copy(source, "v1", destination)
    assert destination.pushed[-1] == manifest.digest
    assert destination.tagged == [(manifest.digest, "v1")]


def test_the_name_comes_with_the_manifest_where_that_is_one_step():
    source, manifest = store_with(b"one")
    destination = OneStep()
    copy(source, "v1", destination)
    assert destination.named == [(manifest.digest, "v1")]
    assert destination.tagged == []
    assert manifest.digest not in destination.pushed


@pytest.mark.parametrize("kind", [WatchedStore, OneStep])
def test_what_is_there_gets_a_further_name(kind):
    source, manifest = store_with(b"one")
    destination = kind()
    copy(source, "v1", destination, "v1")
    copy(source, "v1", destination, "v2")
    assert destination.resolve("v2").digest == manifest.digest
    assert destination.resolve("v1").digest == manifest.digest


def test_what_has_no_tags_gets_no_name():
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


def test_a_neighbour_s_blob_is_taken_over():
    source, manifest = store_with(b"mine", b"yours")
    destination, listener = Neighbour(), EventRecorder()
    copy(source, "v1", destination, options=CopyOptions(listener=listener))
    mine, yours = manifest.layers
    # It is offered the source itself, to recognise a neighbour by.
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


def test_one_content_under_two_titles_travels_once():
    source, manifest = titled("a", "b", "a", "c")
    destination = Shelf()
    copy_graph(source, manifest.descriptor, destination)
    same = manifest.layers[0].digest
    assert source.fetched[same] == 1
    assert destination.pushed.count(same) == 1
    assert destination.placed == ["b", "c"]


def test_it_travels_again_where_it_was_not_kept():
    source, manifest = titled("a", "b")
    destination = Shelf(keeps=False)
    copy_graph(source, manifest.descriptor, destination)
    assert destination.pushed.count(manifest.layers[0].digest) == 2


def test_titles_mean_nothing_where_there_are_none():
    source, manifest = titled("a", "b")
    destination = WatchedStore()
    copy_graph(source, manifest.descriptor, destination)
    assert destination.pushed.count(manifest.layers[0].digest) == 1


# --- Failures -----------------------------------------------------------------------------


def corrupted(descriptor, content):
    """Return a forwarding class whose streams of `descriptor` are `content`."""

    class Corrupting(Forwarding):
        def fetch(self, wanted):
            if wanted.digest == descriptor.digest:
                return io.BytesIO(content)
            return super().fetch(wanted)

    return Corrupting


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"three", SizeMismatchError),
        (b"tw", SizeMismatchError),
        (b"", SizeMismatchError),
        (b"owt", DigestMismatchError),
    ],
)
@pytest.mark.parametrize("part", ["layer", "manifest"])
def test_wrong_content_is_the_source_s_fault(content, error, part):
    source, manifest = store_with(b"one", b"two")
    wrong = manifest.layers[1]
    if part == "manifest":
        wrong = manifest.descriptor
        content = manifest.content[:-3] + content
    destination, listener = StrictStore(), EventRecorder()
    with pytest.raises(error) as caught:
        copy(
            corrupted(wrong, content)(source),
            "v1",
            destination,
            options=CopyOptions(listener=listener),
        )
    assert f"while copying: fetch {wrong} (source)" in notes(caught.value)
    assert not destination.exists(manifest.descriptor)
    assert destination.tagged == []
    if part == "layer":
        assert listener.of(wrong)[-1] == ("failed", caught.value)


class Failing(Forwarding):
    """Fails in one method, for one content or any."""

    def __init__(self, target, method, error, descriptor=None):
        super().__init__(target)

        def fail(*arguments):
            first = arguments[0]
            if descriptor is None or getattr(first, "digest", None) == descriptor.digest:
                raise error
            return getattr(target, method)(*arguments)

        setattr(self, method, fail)


@pytest.mark.parametrize(
    ("side", "method", "part", "operation"),
    [
        ("source", "resolve", None, "resolve"),
        ("source", "fetch", "manifest", "fetch"),
        ("source", "fetch", "layer", "fetch"),
        ("destination", "exists", None, "look for"),
        ("destination", "push", "layer", "push"),
        ("destination", "push", "manifest", "push"),
        ("destination", "tag", None, "tag"),
    ],
)
@pytest.mark.parametrize("own", [True, False])
def test_an_error_says_which_side_failed(side, method, part, operation, own):
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()
    descriptor = {None: None, "layer": manifest.layers[1], "manifest": manifest.descriptor}[part]
    cause = NotFoundError("it", "its place") if own else OSError("disk full")
    if side == "source":
        source = Failing(source, method, cause, descriptor)
    else:
        destination = Failing(destination, method, cause, descriptor)
    with pytest.raises(NotFoundError if own else CopyError) as caught:
        copy(source, "v1", destination)
    known = "" if operation == "resolve" else str(descriptor or manifest.descriptor)
    if own:
        assert caught.value is cause
        assert " ".join(f"while copying: {operation} {known} ({side})".split()) in notes(cause)
    else:
        assert caught.value.__cause__ is cause
        assert caught.value.operation == operation
        assert caught.value.origin == side
        assert caught.value.descriptor == known
        assert "disk full" in str(caught.value)


def test_a_mount_and_a_place_that_fail():
    class Broken(WatchedStore):
        def mount(self, descriptor, source):
            raise OSError("reset")

    class Full(Shelf):
        def place(self, descriptor):
            raise OSError("full")

    source, manifest = titled("a", "b")
    for kind, operation in ((Broken, "mount"), (Full, "place")):
        with pytest.raises(CopyError) as caught:
            copy_graph(source, manifest.descriptor, kind())
        assert (caught.value.operation, caught.value.origin) == (operation, "destination")


def test_a_stream_that_breaks_is_the_source_s_fault():
    class Breaking(Forwarding):
        def fetch(self, descriptor):
            stream = super().fetch(descriptor)
            return stream if descriptor.has_successors else BreakingStream()

    class BreakingStream(io.BytesIO):
        def read(self, size=-1):
            raise OSError("reset by peer")

    source, _ = store_with(b"one")
    with pytest.raises(CopyError) as caught:
        copy(Breaking(source), "v1", MemoryStore())
    assert (caught.value.operation, caught.value.origin) == ("fetch", "source")


def test_a_source_that_recovered_is_not_to_blame():
    class Insisting(Forwarding):
        """Tries twice, and then fails by itself."""

        def push(self, descriptor, source):
            if descriptor.digest != Digest.of(b"one"):
                super().push(descriptor, source)
                return
            for _ in range(2):
                try:
                    with closing(source.open()) as stream:
                        stream.read()
                except ConnectionError:
                    continue
            raise OSError("disk full")

    class Unsteady(Forwarding):
        failed = False

        def fetch(self, descriptor):
            if not descriptor.has_successors and not self.failed:
                self.failed = True
                raise ConnectionError("reset")
            return super().fetch(descriptor)

    source, _ = store_with(b"one")
    with pytest.raises(CopyError, match="disk full") as caught:
        copy(Unsteady(source), "v1", Insisting(MemoryStore()))
    assert (caught.value.operation, caught.value.origin) == ("push", "destination")


def test_a_name_that_is_not_there():
    source, _ = store_with(b"one")
    with pytest.raises(NotFoundError) as caught:
        copy(source, "v2", MemoryStore())
    assert notes(caught.value) == "while copying: resolve (source)"


def test_a_manifest_that_is_none_stops_the_copy():
    class Careless(Forwarding):
        def fetch(self, descriptor):
            return io.BytesIO(b"{}")

    root = Descriptor.of(b"{}", media_types.OCI_MANIFEST)
    destination = StrictStore()
    with pytest.raises(InvalidManifestError):
        copy_graph(Careless(MemoryStore()), root, destination)
    assert destination.pushed == []


def test_what_arrived_before_a_failure_stays_and_is_not_moved_again():
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()
    broken = Failing(source, "fetch", ConnectionError("reset"), manifest.layers[1])
    with pytest.raises(CopyError):
        copy(broken, "v1", destination, options=CopyOptions(concurrency=1))
    assert destination.exists(manifest.layers[0])
    watched = WatchedStore(source)
    copy(watched, "v1", destination)
    assert manifest.layers[0].digest not in watched.fetched


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


# --- Many at once -------------------------------------------------------------------------


def test_as_many_move_at_once_as_are_allowed():
    meeting = Barrier(3, timeout=PATIENCE)

    class Meeting(WatchedStore):
        def push(self, descriptor, source):
            if descriptor.size == 1:
                meeting.wait()
            super().push(descriptor, source)

    # Six of them meet in two groups of three; with fewer at once they would wait for ever.
    source, manifest = store_with(*(b"%d" % number for number in range(6)))
    destination = Meeting()
    options = CopyOptions(
        concurrency=3, find_successors=lambda f, d: [s for s in successors(f, d) if s.size == 1]
    )
    copy(source, "v1", destination, options=options)
    assert destination.exists(manifest.descriptor)


def test_no_more_move_at_once_than_are_allowed():
    class Counting(WatchedStore):
        running = most = 0
        lock = threading.Lock()

        def push(self, descriptor, source):
            with self.lock:
                self.running += 1
                self.most = max(self.most, self.running)
            super().push(descriptor, source)
            with self.lock:
                self.running -= 1

    source, _ = store_with(*(b"%d" % number for number in range(50)))
    for concurrency, most in ((1, 1), (0, 1), (2, 2)):
        destination = Counting()
        copy(source, "v1", destination, options=CopyOptions(concurrency=concurrency))
        assert destination.most <= most


class Stalling(Forwarding):
    """A destination in which one transfer fails while another one is under way."""

    def __init__(self, slow, broken):
        super().__init__(StrictStore())
        self.slow, self.broken = slow, broken
        self.begun, self.stopping = Event(), Event()
        self.went_on = None
        self.others = []

    def push(self, descriptor, source):
        if descriptor.digest == self.broken.digest:
            assert self.begun.wait(PATIENCE)
            raise OSError("disk full")
        if descriptor.digest != self.slow.digest:
            self.others.append(descriptor)
            super().push(descriptor, source)
            return
        with closing(source.open()) as stream:
            assert stream.read(1) == b"s"
            self.begun.set()
            assert source._cancellation.wait(PATIENCE)
            self.stopping.set()
            self.went_on = False
            stream.read(1)
            self.went_on = True


def test_the_first_failure_stops_what_is_under_way_and_begins_nothing_new(monkeypatch):
    source, manifest = store_with(b"slow", b"broken", *(b"%d" % n for n in range(20)))
    slow, broken, *_ = manifest.layers
    destination, listener = Stalling(slow, broken), EventRecorder()

    def wait(futures, wait=oras_core.copying.wait, **options):
        done = wait(futures, **options)
        # However late the waiting thread wakes up, the others have stopped by themselves.
        assert not futures or destination.stopping.wait(PATIENCE)
        return done

    monkeypatch.setattr(oras_core.copying, "wait", wait)
    options = CopyOptions(
        concurrency=2,
        listener=listener,
        # The two come first, so that both threads are theirs.
        find_successors=lambda f, d: successors(f, d)[1:],
    )
    with pytest.raises(CopyError, match="disk full") as caught:
        copy(source, "v1", destination, options=options)
    assert caught.value.descriptor == str(broken)
    assert destination.went_on is False
    assert destination.others == []
    # The stopped one did not fail by itself.
    assert listener.of(slow) == [("started",), ("advanced", 1)]
    assert [kind for kind, *_ in listener.of(broken)] == ["failed"]
    assert not destination.exists(manifest.descriptor)
    assert destination.target.tagged == []


def test_no_manifest_is_pushed_after_a_failure_below():
    source = MemoryStore()
    manifests = [push_artifact(source, b"%d" % number) for number in range(4)]
    index = codec.encode_index(manifests=[manifest.descriptor for manifest in manifests])
    push_document(source, index)
    destination = StrictStore()
    broken = Failing(source, "fetch", OSError("reset"), manifests[2].layers[0])
    with pytest.raises(CopyError):
        copy_graph(broken, index.descriptor, destination)
    assert not any(destination.exists(manifest.descriptor) for manifest in manifests)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_an_interrupt_stops_all_threads(concurrency, monkeypatch):
    source, manifest = store_with(b"one", b"two", b"three", b"four")
    main = threading.main_thread()
    waiting = Event()

    def wait(futures, wait=oras_core.copying.wait, **options):
        if futures:
            waiting.set()
        return wait(futures, **options)

    monkeypatch.setattr(oras_core.copying, "wait", wait)

    class Interrupted(StrictStore):
        stopped = 0
        lock = threading.Lock()

        def push(self, descriptor, source):
            assert waiting.wait(PATIENCE)
            with closing(source.open()) as stream:
                with self.lock:
                    self.stopped += 1
                    first = self.stopped == 1
                # Again, since a signal is missed while the main thread is about to wait.
                while first and not source._cancellation.wait(0.1):
                    signal.pthread_kill(main.ident, signal.SIGINT)
                assert source._cancellation.wait(PATIENCE)
                stream.read(1)
            raise AssertionError("it went on")

    destination = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        copy(source, "v1", destination, options=CopyOptions(concurrency=concurrency))
    assert 1 <= destination.stopped <= concurrency
    assert not destination.exists(manifest.descriptor)


def test_an_interrupt_in_a_single_transfer_passes():
    source, _ = store_with()

    class Interrupted(Forwarding):
        def push(self, descriptor, source):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, "v1", Interrupted(MemoryStore()))


# --- Progress -----------------------------------------------------------------------------


def test_progress_is_told():
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
def test_a_root_that_is_there_is_told_once(reference):
    source, manifest = store_with(b"one")
    destination, listener = MemoryStore(), EventRecorder()
    copy(source, "v1", destination)
    options = CopyOptions(listener=listener)
    copy_graph(source, manifest.descriptor, destination, reference=reference, options=options)
    assert listener.events == [("skipped", manifest.digest, "exists")]


def test_a_child_that_is_there_is_told():
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


def test_a_digest_promised_twice_with_two_sizes_is_caught():
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
