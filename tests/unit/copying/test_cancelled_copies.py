"""Copies, pushes and pulls whose token is cancelled, wherever they are at that moment."""

from __future__ import annotations

import hashlib
import io
import random
import threading
import time
from contextlib import closing

import pytest

import oras_core.copying.crew
from oras_core.archives.archive import pack_directory
from oras_core.cancellation import CancelToken, current_token, respite
from oras_core.content.read_ahead import ReadAhead
from oras_core.content.sources import BytesSource, OpenedSource
from oras_core.content.verify import copy_verified
from oras_core.copying.copy import copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import CancelledError, CopyError
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.packing.ingestion import INGESTION_SIZE
from oras_core.stores.memory import MemoryStore
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, File, push
from support.targets import EventRecorder, Forwarding, StrictStore, store_with

LONG = 30.0
PROMPT = 2.0
"""Seconds within which what is cancelled has ended, on a busy machine."""


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    names = [thread.name for thread in threading.enumerate()]
    assert [name for name in names if name.startswith("oras-")] == []


@pytest.fixture
def token():
    return CancelToken()


@pytest.fixture
def canceller(token):
    """Start a thread that cancels the token when `reached` is released so often."""
    threads = []

    def begin(reached, times=1):
        def cancel():
            for _ in range(times):
                assert reached.acquire(timeout=LONG)
            token.cancel()

        threads.append(threading.Thread(target=cancel))
        threads[-1].start()

    yield begin
    for thread in threads:
        thread.join()


def cancelled(action):
    start = time.monotonic()
    with pytest.raises(CancelledError) as caught:
        action()
    assert time.monotonic() - start < PROMPT
    return caught.value


class Silent(Forwarding):
    """A source whose streams of layers give one byte, and then wait as a connection does."""

    def __init__(self, target):
        super().__init__(target)
        self.reached = threading.Semaphore(0)

    def fetch(self, descriptor):
        if descriptor.has_successors:
            return super().fetch(descriptor)
        return _SilentStream(self.reached)


class _SilentStream(io.BytesIO):
    def __init__(self, reached):
        super().__init__(b"x")
        self._reached = reached

    def read(self, size=-1):
        if piece := super().read(size):
            return piece
        self._reached.release()
        if current_token().wait(LONG):
            raise ConnectionError("cut")
        raise AssertionError("nobody cancelled")


@pytest.mark.parametrize("concurrency", [1, 2, 16])
@pytest.mark.parametrize("layers", [1, 40])
def test_a_copy_that_waits_for_its_source_is_cancelled(token, canceller, concurrency, layers):
    store, manifest = store_with(*(b"xx" + b"%d" % number for number in range(layers)))
    source, destination, listener = Silent(store), StrictStore(), EventRecorder()
    canceller(source.reached, min(concurrency, layers))
    options = CopyOptions(concurrency=concurrency, listener=listener)
    with token.scope():
        error = cancelled(lambda: copy(source, "v1", destination, options=options))
        assert current_token() is token
    assert error.operation.startswith("copy sha256:")
    assert not destination.exists(manifest.descriptor)
    assert destination.tagged == []
    # As with what stops because other content failed, nothing is told of it.
    assert [event for event in listener.events if event[0] in ("failed", "finished")] == [
        event for event in listener.events if event[0] == "finished"
    ]
    assert token._callbacks == {}


def test_a_cancelled_token_starts_no_copy(token):
    source, _ = store_with(b"one", b"two")
    destination = StrictStore()
    token.cancel()
    with token.scope():
        cancelled(lambda: copy(source, "v1", destination))
    assert destination.pushed == []


def test_the_first_failure_cancels_waiting_transfers(token):
    """Not only at its next chunk: it may never come."""
    store, manifest = store_with(b"xx", b"broken")

    class Failing(Silent):
        def fetch(self, descriptor):
            if descriptor.digest == manifest.layers[1].digest:
                assert self.reached.acquire(timeout=LONG)
                raise OSError("reset")
            return super().fetch(descriptor)

    start = time.monotonic()
    with token.scope(), pytest.raises(CopyError, match="reset"):
        copy(Failing(store), "v1", MemoryStore())
    assert time.monotonic() - start < PROMPT
    assert not token.cancelled


def test_an_interrupt_cancels_waiting_transfers(monkeypatch):
    store, _ = store_with(b"xx", b"xxx")
    source = Silent(store)

    def interrupted(futures, wait=oras_core.copying.crew.wait, **options):
        if not futures:
            return wait(futures, **options)
        assert source.reached.acquire(timeout=LONG)
        raise KeyboardInterrupt

    monkeypatch.setattr("oras_core.copying.crew.wait", interrupted)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        copy(source, "v1", MemoryStore())
    assert time.monotonic() - start < PROMPT


class Reading(MemoryStore):
    """A destination that cancels, and reads the layer after it."""

    def __init__(self, token, *, within):
        super().__init__()
        self._token, self._within = token, within

    def push(self, descriptor, source):
        if descriptor.media_type == "text/plain":
            self._within(lambda: self._read(source))
        super().push(descriptor, source)

    def _read(self, source):
        self._token.cancel()
        with closing(source.open()) as stream:
            self.content = stream.read()


def delayed(action):
    with respite(LONG):
        action()


def in_another_thread(action):
    failures = []

    def act():
        try:
            action()
        except CancelledError as error:
            failures.append(error)

    thread = threading.Thread(target=act)  # without the token of this thread
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def test_a_destination_reads_a_whole_blob_in_a_respite(token):
    """The registry gets all of a small blob: half a body disturbs the DELETE that follows."""
    destination = Reading(token, within=delayed)
    contents = [File("a", BytesSource(b"small"), media_type="text/plain")]
    with token.scope():
        cancelled(lambda: push(destination, None, contents, scratch=MemoryFileTree()))
    assert destination.content == b"small"


def test_a_destination_that_reads_in_threads_of_its_own_is_cancelled(token):
    destination = Reading(token, within=in_another_thread)
    contents = [File("a", BytesSource(b"small"), media_type="text/plain")]
    with token.scope():
        cancelled(lambda: push(destination, None, contents, scratch=MemoryFileTree()))
    assert not hasattr(destination, "content")


def test_other_copies_are_not_cancelled(token):
    source, manifest = store_with(b"one", b"two")
    token.cancel()
    destination = MemoryStore()
    with CancelToken().scope():
        copy(source, "v1", destination)
    assert destination.exists(manifest.descriptor)


# --- Reading, hashing, packing, unpacking ---------------------------------------------------


def endless(token, size, after=3):
    """Return a source that cancels after some chunks, and has many more."""

    class Stream:
        count = 0

        def read(self, size=-1):
            Stream.count += 1
            if Stream.count == after:
                token.cancel()
            assert Stream.count < after + 10, "it goes on"
            return bytes(min(size, 1024))

        def close(self):
            pass

    return OpenedSource(Stream, size=size)


@pytest.mark.parametrize("size", [1 << 40, None])
def test_hashing_a_large_file_is_cancelled(token, size):
    with token.scope():
        error = cancelled(
            lambda: push(
                MemoryStore(),
                "v1",
                [File("big", endless(token, size))],
                scratch=MemoryFileTree(),
            )
        )
    assert error.operation in ("hash a blob", "read the next chunk", "read a blob to push")


def test_ingesting_a_large_file_is_cancelled(token):
    class Ingesting(MemoryStore):
        def ingest(self, source, media_type):
            with closing(source.open()) as stream:
                while stream.read(1024):
                    continue

    contents = [File("big", endless(token, INGESTION_SIZE))]
    with token.scope():
        cancelled(lambda: push(Ingesting(), None, contents, scratch=MemoryFileTree()))


def folder_with(count, size=1):
    tree = MemoryFileTree()
    for number in range(count):
        with tree.create(sanitize_path(f"{number:05}.bin")) as file:
            file.write(hashlib.sha256(b"%d" % number).digest() * (size // 32 + 1))
            file.commit()
    return tree


class Cancelling(MemoryFileTree):
    """A folder that cancels when something is done in it for the n-th time."""

    def __init__(self, inner, token, method, number):
        self._inner, self._token, self._method, self._left = inner, token, method, number

    def __getattribute__(self, name):
        if name.startswith("_"):
            return object.__getattribute__(self, name)
        if name == self._method:
            self._left -= 1
            if self._left == 0:
                self._token.cancel()
            assert self._left > -200, "it goes on"
        return getattr(self._inner, name)


@pytest.mark.parametrize("method", ["entries", "open"])
def test_packing_a_folder_is_cancelled(token, method):
    tree = Cancelling(folder_with(300, 600_000), token, method, 1)
    scratch = MemoryFileTree()
    with token.scope():
        cancelled(lambda: push(MemoryStore(), "v1", [Directory("d", tree)], scratch=scratch))
    assert list(scratch.entries()) == []


@pytest.mark.parametrize("packed", [True, False])
def test_a_cancelled_pull_leaves_no_file(token, packed):
    store, inside = MemoryStore(), MemoryFileTree()
    with inside.create(sanitize_path("inside.bin")) as file:
        file.write(random.Random(1).randbytes(3_000_000))
        file.commit()
    contents = [Directory("d", inside)] if packed else [File("d", BytesSource(bytes(3_000_000)))]
    push(store, "v1", contents, scratch=MemoryFileTree())

    class Slow(Forwarding):
        def fetch(self, descriptor):
            stream = super().fetch(descriptor)
            return stream if descriptor.has_successors else _Cancelling(stream)

    class _Cancelling:
        def __init__(self, stream):
            self._stream, self._count = stream, 0
            self.close = stream.close

        def read(self, size=-1):
            self._count += 1
            if self._count == 3:
                token.cancel()
            return self._stream.read(min(size, 20_000))

    out = MemoryFileTree()
    with token.scope():
        cancelled(lambda: pull(Slow(store), "v1", out))
    assert list(out.entries()) == []
    pull(store, "v1", out)
    assert [str(entry.path) for entry in out.entries()] == ["d"]


def test_packing_works_without_a_token():
    assert pack_directory(folder_with(3), lambda _: None, prefix="d").size


def test_reading_ahead_stops(token):
    with token.scope():
        ahead = ReadAhead(io.BytesIO(bytes(100)), 1)
        assert ahead.read(1) == b"\0"
        token.cancel()
        with pytest.raises(CancelledError):
            ahead.read(1)
        ahead.close()


def test_an_interrupt_ends_reading_ahead_in_a_connection(token):
    """The thread that waits there is waited for, so it has to be woken first."""
    reached = threading.Semaphore(0)

    def write(_):
        assert reached.acquire(timeout=LONG)
        raise KeyboardInterrupt

    descriptor = Descriptor.of(bytes(1 << 20), "a/b")
    start = time.monotonic()
    with token.scope(), pytest.raises(KeyboardInterrupt):
        copy_verified(_SilentStream(reached), descriptor, write)
    assert time.monotonic() - start < PROMPT
    assert token.cancelled
