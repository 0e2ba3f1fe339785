"""R33: which requests are retried, how often, and after which pauses."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

import pytest
from attrs import evolve

from oras_core.cancellation import CancelToken, within
from oras_core.content.sources import BytesSource
from oras_core.errors import CancelledError, TlsError, TransportError, TransportTimeoutError
from oras_core.ports.http import Headers, HttpRequest
from oras_core.registry.transports.retries import Retrying, RetryPolicy, is_retryable, retry_after
from support.scripted_transport import Answer, ScriptedTransport

REQUEST = HttpRequest("GET", "https://r.example/v2/?sig=secret")
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
POLICY = RetryPolicy(attempts=4, backoff=1.0, max_backoff=3.0, max_pause=60.0)


class Clock:
    """A clock that only moves by being slept on."""

    def __init__(self):
        self.time = 1000.0
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.slept.append(round(seconds, 6))
        self.time += seconds


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def retrying(clock):
    def retrying(transport, policy=POLICY, chance=0.0):
        return Retrying(
            transport,
            policy,
            sleep=clock.sleep,
            now=clock.now,
            clock=lambda: NOW,
            chance=lambda: chance,
        )

    return retrying


def broken(retryable=True):
    return TransportError("GET", "https://r.example/", "reset", retryable=retryable)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 507, 520, 599])
def test_retryable_status_is_retried(retrying, status):
    transport = ScriptedTransport(Answer(status), Answer(200))
    assert is_retryable(status)
    assert retrying(transport).send(REQUEST).status == 200


@pytest.mark.parametrize(
    "status", [200, 202, 307, 400, 401, 403, 404, 409, 413, 416, 425, 501, 505, 600]
)
def test_other_status_is_not_retried(retrying, clock, status):
    transport = ScriptedTransport(Answer(status, {"Retry-After": "1"}))
    assert not is_retryable(status)
    assert retrying(transport).send(REQUEST).status == status
    assert clock.slept == []


def test_a_broken_connection_is_retried(retrying):
    transport = ScriptedTransport(broken(), TransportTimeoutError("GET", "u", "slow"), Answer(200))
    assert retrying(transport).send(REQUEST).status == 200


def test_a_request_that_is_not_repeatable_is_sent_again_only_after_429(retrying, clock):
    upload = HttpRequest("PATCH", "https://r.example/u", body=BytesSource(b"x"), repeatable=False)
    upload = upload.with_headers({"A": "b"}).with_body(BytesSource(b"y"))
    error = broken()
    with pytest.raises(TransportError) as caught:
        retrying(ScriptedTransport(error)).send(upload)
    assert caught.value is error
    assert clock.slept == []
    # The server may have kept a part of the body, but not before a 429.
    assert retrying(ScriptedTransport(Answer(503))).send(upload).status == 503
    assert retrying(ScriptedTransport(Answer(429), Answer(202))).send(upload).status == 202


@pytest.mark.parametrize("error", [broken(retryable=False), TlsError("GET", "u", "untrusted")])
def test_permanent_connection_error_is_not_retried(retrying, clock, error):
    with pytest.raises(TransportError) as caught:
        retrying(ScriptedTransport(error)).send(REQUEST)
    assert caught.value is error
    assert clock.slept == []


def test_last_response_is_returned(retrying, clock):
    transport = ScriptedTransport(*[Answer(503, body=b"no")] * 3, Answer(503, body=b"last"))
    response = retrying(transport).send(REQUEST)
    assert (response.status, response.body.read()) == (503, b"last")
    assert clock.slept == [1.0, 2.0, 3.0]


def test_the_last_error_is_raised(retrying, clock):
    errors = [broken() for _ in range(4)]
    with pytest.raises(TransportError) as caught:
        retrying(ScriptedTransport(*errors)).send(REQUEST)
    assert caught.value is errors[-1]
    assert clock.slept == [1.0, 2.0, 3.0]


def test_one_attempt_is_no_retry(retrying):
    transport = ScriptedTransport(Answer(503))
    assert retrying(transport, RetryPolicy(attempts=1)).send(REQUEST).status == 503


@pytest.mark.parametrize(
    ("chance", "pauses"), [(0.0, [1, 2, 3]), (0.5, [0.75, 1.5, 2.25]), (1.0, [0.5, 1, 1.5])]
)
def test_backoff_grows_is_capped_and_jittered(chance, pauses):
    assert [POLICY.pause(number, chance=chance) for number in (1, 2, 3)] == pauses
    assert POLICY.pause(100_000, chance=0.0) == 3.0


@pytest.mark.parametrize("field", ["attempts", "backoff", "max_backoff", "max_pause"])
def test_invalid_policy_is_refused(field):
    with pytest.raises(ValueError, match=field):
        RetryPolicy(**{field: -1})


def test_unread_response_is_closed_before_the_next_attempt(retrying):
    class Body:
        closed = False

        def read(self, size=-1, /):
            raise AssertionError("nobody wants to read this")

        def close(self):
            Body.closed = True

    class Transport(ScriptedTransport):
        def send(self, request):
            if not self.requests:
                return evolve(super().send(request), body=Body())
            assert Body.closed
            return super().send(request)

    assert retrying(Transport(Answer(503), Answer(200))).send(REQUEST).status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_body_is_sent_again_from_its_start(retrying, method):
    transport = ScriptedTransport(Answer(503), broken(), Answer(201))
    request = HttpRequest(method, "https://r.example/x", body=BytesSource(b"all of it"))
    assert retrying(transport).send(request).status == 201
    assert [sent.body for sent in transport.requests] == [b"all of it"] * 3


# --- Retry-After --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0 "}, 0.0),
        ({"Retry-After": "1.5"}, 1.5),
        ({"Retry-After": "86400"}, 86400.0),
        ({"Retry-After": "9" * 5000}, float("inf")),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0),
        ({"Retry-After": "Tue, 14 Nov 2023 23:13:50 +0100"}, 30.0),
        ({"Retry-After": "Tue, 14 Nov 2023 22:00:00 GMT"}, 0.0),
        # The server's clock is an hour behind: its own `Date` says so.
        (
            {
                "Retry-After": "Tue, 14 Nov 2023 21:13:50 GMT",
                "Date": "Tue, 14 Nov 2023 21:13:20 GMT",
            },
            30.0,
        ),
        ({"Retry-After": "Tue, 14 Nov 2023 22:13:50 GMT", "Date": "rubbish"}, 30.0),
        ({}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "1e9"}, None),
        ({"Retry-After": "\u0663"}, None),
        ({"Retry-After": "5, 7"}, None),
        ({"Retry-After": "Tue, 99 Foo 99999 99:99:99 GMT"}, None),
    ],
)
def test_retry_after_is_read(fields, seconds):
    assert retry_after(Headers(fields), clock=lambda: NOW) == seconds


def test_retry_after_is_respected(retrying, clock):
    transport = ScriptedTransport(Answer(429, {"Retry-After": "20"}), Answer(200))
    assert retrying(transport).send(REQUEST).status == 200
    (pause,) = clock.slept
    assert 20 <= pause <= 21  # and a little more, not with everybody else at once


@pytest.mark.parametrize("pause", ["61", "86400", "9" * 400, "Wed, 15 Nov 2023 22:13:20 GMT"])
def test_long_retry_after_is_not_waited_for(retrying, clock, pause):
    transport = ScriptedTransport(Answer(429, {"Retry-After": pause}, b"slow down"))
    response = retrying(transport).send(REQUEST)
    assert (response.status, response.body.read()) == (429, b"slow down")
    assert clock.slept == []


def test_invalid_retry_after_uses_the_backoff(retrying, clock):
    transport = ScriptedTransport(Answer(503, {"Retry-After": "soon"}), Answer(200))
    retrying(transport).send(REQUEST)
    assert clock.slept == [1.0]


@pytest.mark.parametrize("answer", [Answer(429), Answer(503, {"Retry-After": "1"})])
def test_retry_after_applies_to_all_requests_to_the_host(retrying, clock, answer):
    transport = ScriptedTransport(answer, Answer(200), Answer(200), Answer(200))
    shared = retrying(transport, RetryPolicy(attempts=1, backoff=1.0))
    assert shared.send(REQUEST).status == answer.status
    shared.send(HttpRequest("GET", "https://other.example/"))
    assert clock.slept == []
    shared.send(HttpRequest("PUT", "https://r.example/elsewhere"))
    assert len(clock.slept) == 1
    assert clock.slept[0] >= 1
    shared.send(REQUEST)
    assert len(clock.slept) == 1


@pytest.mark.parametrize("step", [Answer(503), broken()])
def test_backoff_does_not_delay_other_requests(retrying, clock, step):
    shared = retrying(ScriptedTransport(step, Answer(200)), RetryPolicy(attempts=1))
    with contextlib.suppress(TransportError):
        shared.send(REQUEST)
    shared.send(REQUEST)
    assert clock.slept == []


def test_threads_share_retry_after():
    """While one thread is told to wait, a second one waits with it."""
    asked, slept = threading.Event(), []
    pausing = threading.Barrier(2)

    class Transport:
        def __init__(self):
            self.lock, self.count = threading.Lock(), 0

        def send(self, request):
            with self.lock:
                self.count += 1
                answer = Answer(429, {"Retry-After": "9"}) if self.count == 1 else Answer(200)
            return answer.response(request)

    def sleep(seconds):
        slept.append(seconds)
        asked.set()
        pausing.wait(10)

    shared = Retrying(Transport(), POLICY, sleep=sleep, now=lambda: 0.0, chance=lambda: 0.0)
    first = threading.Thread(target=shared.send, args=(REQUEST,))
    first.start()
    assert asked.wait(10)
    second = threading.Thread(target=shared.send, args=(REQUEST,))
    second.start()
    first.join(10)
    second.join(10)
    assert len(slept) == 2
    assert min(slept) >= 9


def test_a_retry_is_logged_without_secrets(retrying, caplog):
    transport = ScriptedTransport(Answer(503), broken(), Answer(200))
    with caplog.at_level(logging.DEBUG, logger="oras_core"):
        retrying(transport).send(REQUEST)
    assert [record.levelname for record in caplog.records] == ["INFO", "INFO"]
    assert "attempt 2 of 4" in caplog.text
    assert "secret" not in caplog.text


# --- Cancellation -------------------------------------------------------------------------


def test_cancellation_ends_the_wait():
    asked = Answer(503, {"Retry-After": "50"})
    token, transport = CancelToken(), ScriptedTransport(asked)
    retrying = Retrying(Closing(transport, token), RetryPolicy())
    start = time.monotonic()
    with token.scope(), pytest.raises(CancelledError):
        retrying.send(REQUEST)
    assert time.monotonic() - start < 2
    assert len(transport.requests) == 1


class Closing:
    """Cancels a token a moment after each answer."""

    def __init__(self, transport, token):
        self._transport, self._token = transport, token

    def send(self, request):
        response = self._transport.send(request)
        threading.Timer(0.05, self._token.cancel).start()
        return response


def test_request_does_not_wait_beyond_its_deadline(clock, retrying):
    transport = ScriptedTransport(Answer(429, {"Retry-After": "50"}), Answer(202), Answer(503))
    once = retrying(transport, RetryPolicy(attempts=1))
    assert once.send(REQUEST).status == 429
    with within(10):
        assert once.send(REQUEST).status == 202  # though the host asked to slow down
        # A further attempt would have to wait for too long.
        assert retrying(transport, RetryPolicy(backoff=100, max_backoff=100)).send(REQUEST)
    assert clock.slept == []
    assert transport.finished


def test_request_is_retried_before_its_deadline(clock, retrying):
    transport = ScriptedTransport(broken(), Answer(202))
    with within(10):
        assert retrying(transport).send(REQUEST).status == 202
    assert clock.slept == [1.0]
    transport = ScriptedTransport(broken())
    with within(0.5), pytest.raises(TransportError):
        retrying(transport).send(REQUEST)
    assert transport.finished
