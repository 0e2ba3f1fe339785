"""Limits of requests and bytes a second, on a clock of the test."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from oras_core import forks
from oras_core.content.sources import BytesSource
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.transports.throttle import Rate, Throttled
from support.scripted_transport import Answer, ScriptedTransport


class Clock:
    """A clock that `sleep` alone moves."""

    def __init__(self):
        self.now = 100.0
        self.slept = []

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Always:
    """Answers each request with the same body, and reads that of the request."""

    def __init__(self, body=b""):
        self.body = body

    def send(self, request):
        if request.body is not None:
            stream = request.body.open()
            while stream.read(1 << 20):
                pass
            stream.close()
        return HttpResponse(200, {}, body=io.BytesIO(self.body))


def throttled(transport, clock, **rate):
    return Throttled(transport, Rate(**rate), sleep=clock.sleep, now=clock)


GET = HttpRequest("GET", "https://a.example/v2/")


def test_requests_are_spaced_evenly():
    clock = Clock()
    transport = throttled(Always(), clock, requests=4)
    for _ in range(9):
        transport.send(GET)
    assert clock.now == pytest.approx(102.0)
    assert max(clock.slept) == pytest.approx(0.25)


def test_time_without_requests_is_not_saved_up():
    clock = Clock()
    transport = throttled(Always(), clock, requests=4)
    transport.send(GET)
    clock.now += 60
    for _ in range(5):
        transport.send(GET)
    assert clock.now == pytest.approx(161.0)


def test_bytes_of_both_directions_count():
    clock = Clock()
    transport = throttled(Always(b"r" * 500_000), clock, bytes=1_000_000)
    with transport.send(HttpRequest("PUT", GET.url, body=BytesSource(b"s" * 500_000))) as response:
        assert len(b"".join(iter(lambda: response.body.read(1 << 20), b""))) == 500_000
    transport.send(GET).body.read(1)
    assert clock.now == pytest.approx(101.0, abs=0.07)
    assert max(clock.slept) <= 0.07


def test_without_limits_nothing_waits():
    clock = Clock()
    transport = throttled(Always(b"r" * 10), clock)
    for _ in range(100):
        assert transport.send(GET).body.read() == b"r" * 10
    assert clock.slept == []


@pytest.mark.timeout(20)
def test_a_forked_process_does_not_wait_for_a_thread_of_its_parent(monkeypatch):
    held, end = Event(), Event()
    clock = Clock()

    def now():
        """Keep the first request within the lock, as a fork can without end."""
        if transport is not None and not held.is_set():
            held.set()
            assert end.wait(10)
        return clock()

    transport = None
    transport = Throttled(Always(), Rate(requests=1), sleep=clock.sleep, now=now)
    with ThreadPoolExecutor(2) as threads:
        parent = threads.submit(transport.send, GET)
        try:
            assert held.wait(10)
            monkeypatch.setattr(forks, "getpid", lambda: -1)  # that of the child
            assert threads.submit(transport.send, GET).result(5).status == 200
            monkeypatch.undo()
        finally:
            end.set()
        parent.result(10)


@pytest.mark.parametrize(
    ("status", "headers", "pause"),
    [
        (429, {"Retry-After": "7"}, 7.0),
        (503, {"Retry-After": "2"}, 2.0),
        (429, {}, 0.0),
        (200, {"Retry-After": "7"}, 0.0),
        (403, {"Retry-After": "7"}, 0.0),
    ],
)
def test_the_pause_that_a_registry_demands_is_known(status, headers, pause):
    clock = Clock()
    transport = throttled(ScriptedTransport(Answer(status, headers)), clock)
    transport.send(GET)
    assert transport.pause == pytest.approx(pause)
    clock.now += 5
    assert transport.pause == pytest.approx(max(0.0, pause - 5))
    assert clock.slept == []


def test_a_shorter_pause_does_not_replace_a_longer_one_of_another_thread():
    clock = Clock()
    longer = []

    def now():
        """Let another thread get its response while the first thread computes its pause."""
        if longer:
            with ThreadPoolExecutor(1) as threads:
                threads.submit(longer.pop().send, GET).result(10)
        return clock()

    answers = ScriptedTransport(
        Answer(429, {"Retry-After": "2"}), Answer(429, {"Retry-After": "60"})
    )
    transport = Throttled(answers, now=now)
    longer.append(transport)
    transport.send(GET)
    assert transport.pause == pytest.approx(60)


def test_a_worker_gets_its_share():
    assert Rate(10, 1000).shared(4) == Rate(2.5, 250)
    assert Rate().shared(4) == Rate()


@pytest.mark.parametrize("rate", [{"requests": 0}, {"bytes": -1}])
def test_limits_are_positive(rate):
    with pytest.raises(ValueError, match="must be > 0"):
        Rate(**rate)
