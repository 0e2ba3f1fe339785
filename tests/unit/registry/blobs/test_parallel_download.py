"""Large blobs over several connections, against a registry with slow connections."""

from __future__ import annotations

import io
import os
import re
import threading
import time

import pytest

from oras_core.cancellation import CancelToken
from oras_core.content import random_access
from oras_core.content.random_access import RandomAccess
from oras_core.errors import (
    CancelledError,
    DigestMismatchError,
    SizeMismatchError,
    TransportError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.ports.http import Headers, HttpResponse
from oras_core.registry.blobs import download, parallel
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.endpoints import RegistryEndpoints
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.transports.guard import Guarded

KiB = 1024
SEGMENT = 8 * KiB
CONTENT = os.urandom(40 * SEGMENT + 123)
BLOB = Descriptor.of(CONTENT, "application/octet-stream")
SECONDS = 20.0


@pytest.fixture(autouse=True)
def _small_sizes(monkeypatch):
    monkeypatch.setattr(download, "RANGED_SIZE", 10 * SEGMENT)
    for name, value in [
        ("SEGMENT_SIZE", SEGMENT),
        ("CHUNK_SIZE", KiB),
        ("PROBE_SIZE", 2 * KiB),
        ("LEAST_REST", 2 * SEGMENT),
        ("FAST", 1 << 60),
    ]:
        monkeypatch.setattr(parallel, name, value)


class Body(io.BytesIO):
    def __init__(self, server, content):
        super().__init__(content)
        self._server = server

    def read(self, size=-1):
        self._server.on_read()
        return super().read(min(size, KiB) if size > 0 else size)

    def close(self):
        if not self.closed:
            self._server.open -= 1
        super().close()


class Server:
    """A server that honours `Range`; `change` may replace its response to a range."""

    def __init__(self, content=CONTENT, change=None, on_read=lambda: None):
        self.content = content
        self.change = change
        self.on_read = on_read
        self.ranges = []
        self.open = 0
        self._lock = threading.Lock()

    def send(self, request):
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        with self._lock:
            self.open += 1
            self.ranges.append(found and (int(found[1]), int(found[2]) + 1))
            number = len(self.ranges)
        if not found:
            length = {"Content-Length": str(len(self.content))}
            return HttpResponse(200, Headers(length), body=Body(self, self.content))
        start, end = int(found[1]), int(found[2]) + 1
        changed = self.change and self.change(self, number, start, end)
        if changed:
            return changed
        return self.part(start, end, self.content[start:end])

    def part(self, start, end, content, **fields):
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(self.content)}", **fields}
        return HttpResponse(206, Headers(headers), body=Body(self, content))

    def status(self, status, content=b""):
        return HttpResponse(status, Headers({}), body=Body(self, content))


def downloader(server, connections=4):
    endpoints = RegistryEndpoints("https://reg.io", "reg.io").repository("app")
    profile = LearnedProfile(HostProfile(range_connections=connections))
    return BlobDownloader(Guarded(server), endpoints, profile), profile


def no_threads():
    deadline = time.monotonic() + SECONDS
    while any(thread.name == "oras-range" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return True


def fetch(server, connections=4):
    subject, profile = downloader(server, connections)
    stream = subject.fetch(BLOB)
    try:
        content = stream.read()
    finally:
        stream.close()
    assert no_threads()
    assert server.open == 0
    return content, profile


def test_a_slow_blob_is_fetched_in_ranges():
    server = Server()
    assert fetch(server)[0] == CONTENT
    first, *ranges = server.ranges
    assert first is None
    assert len(ranges) >= 38
    ranges.sort()
    assert [start for start, _ in ranges[1:]] == [end for _, end in ranges[:-1]]
    assert ranges[-1][1] == len(CONTENT)


def test_all_of_an_open_blob_is_read_in_ranges():
    server = Server()
    with RandomAccess(downloader(server)[0], BLOB) as file:
        assert file.read() == CONTENT
        assert file.verified
    assert len(server.ranges) >= 38
    assert no_threads()


def test_a_large_part_of_an_open_blob_is_read_in_ranges(monkeypatch):
    monkeypatch.setattr(random_access, "STREAM_AFTER", SEGMENT)
    server = Server()
    start, end = 5 * SEGMENT, 35 * SEGMENT
    blob = RandomAccess(downloader(server)[0], BLOB, cache_size=SEGMENT)
    with io.BufferedReader(blob, SEGMENT) as file:
        file.seek(start)
        assert file.read(end - start) == CONTENT[start:end]
    first, *ranges = server.ranges
    assert first == (start, end)
    assert len(ranges) >= 28
    assert all(start < since < until <= end for since, until in ranges)
    assert no_threads()


def test_several_connections_are_open_at_the_same_time():
    together = threading.Barrier(3)

    def meet(server, number, start, end):
        if number in (2, 3, 4):
            together.wait(SECONDS)

    assert fetch(Server(change=meet))[0] == CONTENT
    assert not together.broken


def test_a_fast_blob_takes_one_request(monkeypatch):
    monkeypatch.setattr(parallel, "FAST", 0)
    server = Server()
    assert fetch(server)[0] == CONTENT
    assert server.ranges == [None]


@pytest.mark.parametrize("connections", [1])
def test_ranges_can_be_switched_off(connections):
    server = Server()
    assert fetch(server, connections)[0] == CONTENT
    assert server.ranges == [None]


def test_a_small_blob_takes_one_request(monkeypatch):
    monkeypatch.setattr(download, "RANGED_SIZE", len(CONTENT) + 1)
    server = Server()
    assert fetch(server)[0] == CONTENT
    assert server.ranges == [None]


def test_a_server_that_ignores_ranges_is_remembered():
    server = Server(change=lambda server, *_: server.status(200, CONTENT))
    content, profile = fetch(server)
    assert content == CONTENT
    assert profile.current.range_connections == 1
    assert len(server.ranges) <= 4


@pytest.mark.parametrize("status", [403, 404, 416, 429, 500, 503])
@pytest.mark.parametrize("first", [2, 9])
def test_a_refused_range_leaves_one_connection(status, first):
    refused = []

    def refuse(server, number, start, end):
        if number >= first and end < len(CONTENT):  # the rest is asked for in one piece
            refused.append(number)
            return server.status(status)
        return None

    server = Server(change=refuse)
    assert fetch(server)[0] == CONTENT
    assert refused


def test_a_broken_range_resumes():
    def cut(server, number, start, end):
        return server.part(start, end, CONTENT[start : (start + end) // 2]) if number == 5 else None

    assert fetch(Server(change=cut))[0] == CONTENT


@pytest.mark.parametrize("number", [2, 7, 20])
def test_a_range_with_wrong_bytes_fails_verification(number):
    def lie(server, count, start, end):
        return server.part(start, end, bytes(end - start)) if count == number else None

    server = Server(change=lie)
    with pytest.raises(DigestMismatchError):
        fetch(server)
    assert no_threads()


@pytest.mark.parametrize(
    "change",
    [
        lambda s, n, start, end: s.part(start + 1, end, CONTENT[start + 1 : end]),
        lambda s, n, start, end: s.part(0, end - start, CONTENT[: end - start]),
        lambda s, n, start, end: s.status(206, CONTENT[start:end]),
    ],
)
def test_another_range_than_requested_leaves_one_connection(change):
    server = Server(change=lambda s, n, a, b: change(s, n, a, b) if b < len(CONTENT) else None)
    assert fetch(server)[0] == CONTENT


def test_a_range_of_a_blob_of_another_size_is_not_used():
    def lie(server, number, start, end):
        if end == len(CONTENT):
            return None
        part = f"bytes {start}-{end - 1}/{len(CONTENT) + 1}"
        return server.part(start, end, CONTENT[start:end], **{"Content-Range": part})

    assert fetch(Server(change=lie))[0] == CONTENT


def test_a_longer_range_than_requested_is_cut():
    def more(server, number, start, end):
        return server.part(start, end, CONTENT[start : end + 100])

    assert fetch(Server(change=more))[0] == CONTENT


def test_the_rest_of_a_blob_is_fetched_in_ranges_too():
    server = Server()
    subject, _ = downloader(server)
    stream = subject.fetch_range(BLOB, SEGMENT, BLOB.size - SEGMENT)
    assert stream.read() == CONTENT[SEGMENT:]
    stream.close()
    assert server.ranges[0] == (SEGMENT, BLOB.size)
    assert len(server.ranges) > 30


def test_a_blob_that_is_too_short_is_an_error():
    server = Server(content=CONTENT[:-1])
    with pytest.raises(SizeMismatchError):
        fetch(server)


def test_closing_early_ends_all_requests():
    server = Server()
    subject, _ = downloader(server)
    stream = subject.fetch(BLOB)
    stream.read(5 * SEGMENT)
    stream.close()
    assert no_threads()
    assert server.open == 0


def test_only_a_few_segments_are_kept():
    server = Server()
    subject, _ = downloader(server)
    stream = subject.fetch_unverified(BLOB)
    received = 0
    while received < 10 * SEGMENT:
        received += len(stream.read(KiB))
        furthest = max((r[1] for r in server.ranges if r), default=0)
        assert furthest - received <= 7 * SEGMENT
    stream.close()


def test_a_cancellation_ends_all_connections():
    token = CancelToken()
    waiting = threading.Event()
    reads = []

    def stall():
        reads.append(1)
        if len(reads) > 60:
            waiting.set()
            token.wait(SECONDS)

    server = Server(on_read=stall)
    timer = threading.Thread(target=lambda: (waiting.wait(SECONDS), token.cancel()))
    timer.start()
    with token.scope(), pytest.raises((CancelledError, TransportError)):
        fetch(server)
    timer.join()
    assert no_threads()
    assert server.open == 0


def test_two_blobs_share_the_additional_connections():
    server = Server()
    subject, _ = downloader(server)
    streams = [subject.fetch(BLOB) for _ in range(3)]
    for stream in streams:
        stream.read(4 * KiB)
    threads = [t for t in threading.enumerate() if t.name == "oras-range"]
    assert len(threads) <= 4
    assert all(len(stream.read()) > len(CONTENT) - 5 * KiB for stream in streams)
    for stream in streams:
        stream.close()
    assert no_threads()
