"""Uploads that a cancellation or an interrupt ends, and their DELETE."""

from __future__ import annotations

import io
import threading
import time

import pytest

from oras_core.cancellation import CancelToken, current_token
from oras_core.content.sources import BytesSource
from oras_core.errors import CancelledError, SourceChangedError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.packing.ingestion import INGESTION_SIZE
from oras_core.registry.blobs.session import ABANDON_SECONDS, RESPITE_SECONDS, SMALL
from oras_core.registry.blobs.upload import BlobUploader
from oras_core.registry.endpoints import RegistryEndpoints
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.retries import Retrying
from support.scripted_transport import Answer

LONG = 30.0
PROMPT = 2.0
"""Seconds for a cancelled operation to end, on a busy machine."""

CONTENT = bytes(SMALL + 2)
HALF = len(CONTENT) // 2
BLOB = Descriptor.of(CONTENT, "application/octet-stream")
BASE = "https://reg.io"
BEGUN = Answer(202, {"Location": "/u/1"})
REFUSED = Answer(404, {}, b'{"errors":[{"code":"BLOB_UPLOAD_INVALID"}]}')
CANCEL = f"DELETE {BASE}/u/1"


@pytest.fixture
def token():
    return CancelToken()


def uploader(transport, **profile):
    learned = LearnedProfile(HostProfile(probes_by_mount=True, **profile))
    endpoints = RegistryEndpoints(BASE, "reg.io").repository("app")
    return BlobUploader(Retrying(Guarded(transport)), endpoints, learned)


class Source:
    """A source of two halves that calls a function before the second one."""

    size = len(CONTENT)

    def __init__(self, happening):
        self._happening = happening

    def open(self):
        return Stream(self._happening)


class Stream(io.BytesIO):
    def __init__(self, happening):
        super().__init__(CONTENT)
        self._happening = happening

    def read(self, size=-1):
        if self.tell() == HALF:
            self._happening()
        return super().read(HALF)


def interrupt():
    if threading.current_thread() is threading.main_thread():  # where Ctrl-C arrives
        raise KeyboardInterrupt


def change():
    raise SourceChangedError("it", "it grew")


class Registry:
    """A registry with given responses to POST and DELETE."""

    def __init__(self, deletion=lambda: Answer(204), begin=lambda: None):
        self.lines = []
        self._deletion, self._begin = deletion, begin

    def send(self, request):
        self.lines.append(f"{request.method} {request.url.partition('?')[0]}")
        if request.method == "POST":
            self._begin()
            return BEGUN.response(request)
        if request.method == "DELETE":
            return self._deletion().response(request)
        stream = request.body.open()
        while stream.read(1 << 16):
            continue
        return Answer(202, {"Location": "/u/1"}).response(request)


def break_off():
    raise TransportError("DELETE", BASE, "reset")


BEGIN = f"POST {BASE}/v2/app/blobs/uploads/"


@pytest.mark.parametrize("deletion", [lambda: Answer(204), lambda: REFUSED, break_off])
@pytest.mark.parametrize("chunk_size", [None, 2 * SMALL])
@pytest.mark.parametrize("kind", [CancelledError, KeyboardInterrupt, SourceChangedError])
def test_an_interrupted_upload_is_cancelled_at_the_registry(token, kind, deletion, chunk_size):
    happening = {CancelledError: token.cancel, KeyboardInterrupt: interrupt}.get(kind, change)
    registry = Registry(deletion)
    start = time.monotonic()
    with token.scope(), pytest.raises(kind):
        uploader(registry).push(BLOB, Source(happening), chunk_size=chunk_size)
    assert time.monotonic() - start < PROMPT
    body = f"{'PATCH' if chunk_size else 'PUT'} {BASE}/u/1"
    assert registry.lines[:3] == [BEGIN, body, CANCEL]
    assert set(registry.lines[3:]) <= {CANCEL}


@pytest.mark.parametrize("kind", [CancelledError, KeyboardInterrupt, SourceChangedError])
def test_an_interrupted_streamed_upload_is_cancelled_at_the_registry(token, kind):
    happening = {CancelledError: token.cancel, KeyboardInterrupt: interrupt}.get(kind, change)

    class Large(Source):
        size = INGESTION_SIZE

    registry = Registry()
    with token.scope(), pytest.raises(kind):
        uploader(registry).ingest(Large(happening), "a/b")
    assert registry.lines[:1] + registry.lines[-1:] == [BEGIN, CANCEL]
    assert token._callbacks == {}


@pytest.mark.parametrize("happening", [interrupt, change])
def test_an_interrupted_upload_ends_the_existence_check(token, happening):
    """The upload joins the hashing thread, which must not wait for a silent registry."""
    reached = threading.Event()

    class Silent(Registry):
        def send(self, request):
            if request.method != "HEAD":
                return super().send(request)
            reached.set()
            return wait_until_cut()

    def happen():
        if not threading.current_thread().name.startswith(("oras-hash", "oras-read-ahead")):
            assert reached.wait(LONG)
            happening()

    class Large(Source):
        size = INGESTION_SIZE

    start = time.monotonic()
    with token.scope(), pytest.raises((KeyboardInterrupt, SourceChangedError)):
        uploader(Silent()).ingest(Large(happen), "a/b")
    assert time.monotonic() - start < PROMPT


def wait_until_cut():
    if current_token().wait(LONG):
        raise ConnectionError("cut")
    pytest.fail("nobody cut it")


def test_a_delete_without_response_does_not_delay_the_error(token):
    registry = Registry(deletion=wait_until_cut)
    start = time.monotonic()
    with token.scope(), pytest.raises(CancelledError):
        uploader(registry).push(BLOB, Source(token.cancel))
    assert ABANDON_SECONDS <= time.monotonic() - start < ABANDON_SECONDS + PROMPT
    assert registry.lines[-1] == CANCEL


def test_retry_after_does_not_delay_the_error(token):
    """The DELETE is sent without the pause, which would outlast the operation."""
    reached = threading.Event()

    class Busy(Registry):
        def send(self, request):
            if request.method != "PUT":
                return super().send(request)
            reached.set()
            return Answer(429, {"Retry-After": "50"}).response(request)

    def cancel():
        reached.wait(LONG)
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    registry = Busy()
    start = time.monotonic()
    with token.scope(), pytest.raises(CancelledError):
        uploader(registry).push(BLOB, BytesSource(CONTENT))
    thread.join()
    assert time.monotonic() - start < PROMPT
    assert registry.lines == [BEGIN, CANCEL]


def test_an_upload_cancelled_during_its_post_is_abandoned(token):
    def begin():
        token.cancel()
        assert not current_token().wait(RESPITE_SECONDS / 10)

    registry = Registry(begin=begin)
    with token.scope(), pytest.raises(CancelledError):
        uploader(registry).push(BLOB, BytesSource(CONTENT))
    assert registry.lines == [BEGIN, CANCEL]


def test_a_post_without_response_is_not_awaited_after_cancellation(token):
    def begin():
        token.cancel()
        wait_until_cut()

    registry = Registry(begin=begin)
    start = time.monotonic()
    with token.scope(), pytest.raises(CancelledError):
        uploader(registry).push(BLOB, BytesSource(CONTENT))
    assert RESPITE_SECONDS <= time.monotonic() - start < RESPITE_SECONDS + PROMPT
    assert registry.lines == [BEGIN]


def test_a_small_upload_may_complete_after_cancellation(token):
    content = b"small"
    blob = Descriptor.of(content, "a/b")

    class Storing(Registry):
        def send(self, request):
            response = super().send(request)
            if request.method != "PUT":
                return response
            token.cancel()
            assert not current_token().wait(RESPITE_SECONDS / 10)
            return Answer(201, {"Docker-Content-Digest": str(blob.digest)}).response(request)

    registry = Storing()
    with token.scope():
        uploader(registry).push(blob, BytesSource(content))
    assert registry.lines == [BEGIN, f"PUT {BASE}/u/1"]


def test_a_large_upload_ends_at_once_after_cancellation(token):
    class Reading(Registry):
        def send(self, request):
            if request.method == "PUT":
                token.cancel()
                assert current_token().cancelled
            return super().send(request)

    registry = Reading()
    with token.scope(), pytest.raises(CancelledError):
        uploader(registry).push(BLOB, BytesSource(CONTENT))
    assert registry.lines == [BEGIN, f"PUT {BASE}/u/1", CANCEL]


@pytest.mark.parametrize("act", ["push", "mount"])
def test_no_upload_starts_after_cancellation(token, act):
    registry = Registry()
    token.cancel()
    acts = {
        "push": lambda: uploader(registry).push(BLOB, BytesSource(CONTENT)),
        "mount": lambda: uploader(registry).mount(BLOB, "other"),
    }
    with token.scope(), pytest.raises(CancelledError):
        acts[act]()
    assert registry.lines == []
