from __future__ import annotations

import io
import signal
import threading
from contextlib import closing
from threading import Barrier, Event

import pytest

import oras_core.copying.crew
from oras_core.content.graph import successors
from oras_core.copying.copy import copy, copy_graph
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CopyError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    SizeMismatchError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_document
from support.interrupts import interruptible
from support.targets import EventRecorder, Forwarding, StrictStore, WatchedStore, store_with

TITLE = media_types.ANNOTATION_TITLE
PATIENCE = 30
"""Seconds after which an event that should have come is missed."""


def notes(error):
    return " | ".join(getattr(error, "__notes__", []))


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [t.name for t in threading.enumerate() if t.name.startswith("oras-copy")] == []


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
def test_a_blob_that_does_not_match_is_an_error_of_the_source(content, error, part):
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
def test_an_error_names_the_side_that_failed(side, method, part, operation, own):
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


def test_failures_to_mount_and_to_place_name_the_destination():
    class Broken(WatchedStore):
        def mount(self, descriptor, source):
            raise OSError("reset")

    class Full(WatchedStore):
        def place(self, descriptor):
            raise OSError("full")

    layers = [Descriptor.of(b"same", "a/b", annotations={TITLE: title}) for title in "ab"]
    source, _ = store_with(b"same")
    manifest = pack_manifest(layers)
    push_document(source, manifest)
    for kind, operation in ((Broken, "mount"), (Full, "place")):
        with pytest.raises(CopyError) as caught:
            copy_graph(source, manifest.descriptor, kind())
        assert (caught.value.operation, caught.value.origin) == (operation, "destination")


def test_a_broken_stream_is_an_error_of_the_source():
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


def test_a_recovered_source_is_not_named_in_the_error():
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


def test_a_missing_reference_is_not_found():
    source, _ = store_with(b"one")
    with pytest.raises(NotFoundError) as caught:
        copy(source, "v2", MemoryStore())
    assert notes(caught.value) == "while copying: resolve (source)"


def test_a_malformed_manifest_ends_the_copy():
    class Careless(Forwarding):
        def fetch(self, descriptor):
            return io.BytesIO(b"{}")

    root = Descriptor.of(b"{}", media_types.OCI_MANIFEST)
    destination = StrictStore()
    with pytest.raises(InvalidManifestError):
        copy_graph(Careless(MemoryStore()), root, destination)
    assert destination.pushed == []


def test_blobs_copied_before_a_failure_are_not_moved_again():
    source, manifest = store_with(b"one", b"two")
    destination = MemoryStore()
    broken = Failing(source, "fetch", ConnectionError("reset"), manifest.layers[1])
    with pytest.raises(CopyError):
        copy(broken, "v1", destination, options=CopyOptions(concurrency=1))
    assert destination.exists(manifest.layers[0])
    watched = WatchedStore(source)
    copy(watched, "v1", destination)
    assert manifest.layers[0].digest not in watched.fetched


# --- Many at once -------------------------------------------------------------------------


def test_concurrent_transfers_reach_the_limit():
    meeting = Barrier(3, timeout=PATIENCE)

    class Meeting(WatchedStore):
        def push(self, descriptor, source):
            if descriptor.size == 1:
                meeting.wait()
            super().push(descriptor, source)

    # Six of them meet in two groups of three; with fewer at once they would never end.
    source, manifest = store_with(*(b"%d" % number for number in range(6)))
    destination = Meeting()
    options = CopyOptions(
        concurrency=3, find_successors=lambda f, d: [s for s in successors(f, d) if s.size == 1]
    )
    copy(source, "v1", destination, options=options)
    assert destination.exists(manifest.descriptor)


def test_concurrent_transfers_never_exceed_the_limit():
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
            assert source._token.wait(PATIENCE)
            self.stopping.set()
            self.went_on = False
            stream.read(1)
            self.went_on = True


def test_the_first_failure_stops_running_transfers_and_starts_none(monkeypatch):
    source, manifest = store_with(b"slow", b"broken", *(b"%d" % n for n in range(20)))
    slow, broken, *_ = manifest.layers
    destination, listener = Stalling(slow, broken), EventRecorder()

    def wait(futures, wait=oras_core.copying.crew.wait, **options):
        done = wait(futures, **options)
        # However late the waiting thread wakes up, the others have stopped by themselves.
        assert not futures or destination.stopping.wait(PATIENCE)
        return done

    monkeypatch.setattr(oras_core.copying.crew, "wait", wait)
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


@pytest.mark.parametrize("concurrency", [2, 3])
def test_an_interrupt_stops_all_threads(concurrency, monkeypatch):
    source, manifest = store_with(b"one", b"two", b"three", b"four")
    main = threading.main_thread()
    waiting = Event()

    def wait(futures, wait=oras_core.copying.crew.wait, **options):
        if futures:
            waiting.set()
        return wait(futures, **options)

    monkeypatch.setattr(oras_core.copying.crew, "wait", wait)

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
                while first and not source._token.wait(0.1):
                    signal.pthread_kill(main.ident, signal.SIGINT)
                assert source._token.wait(PATIENCE)
                stream.read(1)
            raise AssertionError("it went on")

    destination = Interrupted()
    with interruptible(), pytest.raises(KeyboardInterrupt):
        copy(source, "v1", destination, options=CopyOptions(concurrency=concurrency))
    assert 1 <= destination.stopped <= concurrency
    assert not destination.exists(manifest.descriptor)


def test_an_interrupt_in_a_single_transfer_is_raised():
    source, _ = store_with()

    class Interrupted(Forwarding):
        def push(self, descriptor, source):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(source, "v1", Interrupted(MemoryStore()))
