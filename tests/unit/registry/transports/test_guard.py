"""Foreign transports: whatever they raise is the port's error, and carries no secret."""

from __future__ import annotations

import io
import traceback

import pytest

from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource
from oras_core.errors import (
    CancelledError,
    SourceChangedError,
    TlsError,
    TransportError,
    TransportTimeoutError,
)
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.transports.guard import Guarded

REQUEST = HttpRequest("GET", "https://r.example/v2/?sig=topsecret")


class Raising:
    def __init__(self, error):
        self.error = error

    def send(self, request):
        if request.body is not None:
            request.body.open().read()
        raise self.error


class Answering:
    def __init__(self, body, status=200, headers=None):
        self.body, self.status, self.headers = body, status, headers or {}

    def send(self, request):
        return HttpResponse(self.status, self.headers, body=self.body)


class BrokenBody:
    def __init__(self, error):
        self.error = error
        self.closed = False

    def read(self, size=-1, /):
        raise self.error

    def close(self):
        self.closed = True


FOREIGN = [
    (RuntimeError("boom"), TransportError, "RuntimeError: boom"),
    (ConnectionResetError(104, "reset by peer"), TransportError, "ConnectionResetError"),
    (OSError(), TransportError, "OSError"),
    (TimeoutError("too slow"), TransportTimeoutError, "too slow"),
]


@pytest.mark.parametrize(("error", "kind", "reason"), FOREIGN)
def test_exception_while_sending_is_wrapped(error, kind, reason):
    with pytest.raises(kind) as caught:
        Guarded(Raising(error)).send(REQUEST)
    assert caught.value.retryable
    assert reason in caught.value.reason
    assert (caught.value.method, caught.value.url) == ("GET", "https://r.example/v2/")
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(("error", "kind", "reason"), FOREIGN)
def test_exception_while_reading_is_wrapped(error, kind, reason):
    body = BrokenBody(error)
    response = Guarded(Answering(body)).send(REQUEST)
    with pytest.raises(kind) as caught, response:
        response.body.read(10)
    assert reason in caught.value.reason
    assert body.closed


@pytest.mark.parametrize(
    "error", [TlsError("GET", "https://a", "x"), TransportTimeoutError("GET", "https://a", "x")]
)
def test_errors_of_the_port_are_raised_unchanged(error):
    with pytest.raises(TransportError) as caught:
        Guarded(Raising(error)).send(REQUEST)
    assert caught.value is error
    with pytest.raises(TransportError) as caught:
        Guarded(Answering(BrokenBody(error))).send(REQUEST).body.read()
    assert caught.value is error


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit()])
def test_interrupt_is_raised_unchanged(stop):
    with pytest.raises(type(stop)):
        Guarded(Raising(stop)).send(REQUEST)


@pytest.mark.parametrize(
    "text",
    [
        "Max retries exceeded with url: /v2/a?sig=topsecret&x=1 (caused by ...)",
        "cannot reach 'https://cdn.example/a?X-Amz-Signature=topsecret'",
        "bad proxy http://user:topsecret@proxy.example:3128",
        "bad proxy http://user:12/topsecret@proxy.example:3128",
        "sent Authorization: Basic topsecret",
    ],
)
def test_secrets_in_foreign_messages_are_removed(text):
    for transport in (
        Raising(RuntimeError(text)),
        Answering(BrokenBody(RuntimeError(text))),
    ):
        with pytest.raises(TransportError) as caught:
            Guarded(transport).send(REQUEST).body.read()
        assert "topsecret" not in "".join(traceback.format_exception(caught.value))
        assert "RuntimeError" in str(caught.value)


@pytest.mark.parametrize("explicit", [True, False])
def test_secrets_in_the_causes_of_foreign_exceptions_do_not_pass(explicit):
    inner = RuntimeError("GET /v2/a?sig=topsecret")
    outer = RuntimeError("the pool is broken")
    outer.__cause__ = inner if explicit else None
    outer.__context__ = inner
    outer.__suppress_context__ = explicit
    with pytest.raises(TransportError) as caught:
        Guarded(Raising(outer)).send(REQUEST)
    assert "topsecret" not in "".join(traceback.format_exception(caught.value))
    assert "the pool is broken" in str(caught.value)


def test_foreign_messages_do_not_control_the_terminal():
    with pytest.raises(TransportError) as caught:
        Guarded(Raising(RuntimeError("\x1b[31mred"))).send(REQUEST)
    assert "\x1b" not in "".join(traceback.format_exception(caught.value))


def test_a_long_message_is_shortened():
    with pytest.raises(TransportError) as caught:
        Guarded(Raising(RuntimeError("x" * 100_000))).send(REQUEST)
    assert len(str(caught.value)) < 1000


# --- The request's body -------------------------------------------------------------------


class FailingSource:
    size = 10

    def __init__(self, error, *, at_once):
        self.error, self.at_once = error, at_once

    def open(self):
        if self.at_once:
            raise self.error
        return BrokenBody(self.error)


class Swallowing:
    """As HTTP libraries do: what the body raises comes out as something of their own."""

    def send(self, request):
        try:
            request.body.open().read(5)
        except Exception as error:
            raise ConnectionError("protocol error") from error
        raise AssertionError("the body should have failed")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(
    "error", [SourceChangedError("f", "it grew"), ValueError("from a listener")]
)
def test_error_of_the_source_is_not_a_transport_error(error, at_once):
    request = HttpRequest("PUT", "https://r.example/x", body=FailingSource(error, at_once=at_once))
    with pytest.raises(type(error)) as caught:
        Guarded(Swallowing()).send(request)
    assert caught.value is error


def test_source_without_errors_is_passed_on_unchanged():
    seen = []

    class Transport:
        def send(self, request):
            stream = request.body.open()
            seen.append((request.body.size, stream.read()))
            stream.close()
            return HttpResponse(201, body=io.BytesIO())

    Guarded(Transport()).send(HttpRequest("PUT", "https://r.example/x", body=BytesSource(b"abc")))
    assert seen == [(3, b"abc")]


# --- The answer's body --------------------------------------------------------------------


def read_all(response, size):
    parts = []
    while part := response.body.read(size):
        parts.append(part)
        if size < 0:
            break
    return b"".join(parts)


@pytest.mark.parametrize("size", [-1, 1, 4, 100])
def test_a_body_that_ends_too_early_is_an_error(size):
    response = Guarded(Answering(io.BytesIO(b"abcd"), headers={"Content-Length": "5"})).send(
        REQUEST
    )
    with pytest.raises(TransportError, match="4 of 5 bytes") as caught:
        read_all(response, size)
    assert caught.value.retryable


@pytest.mark.parametrize("size", [-1, 1, 4, 100])
@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (200, {"Content-Length": "4"}),
        (200, {}),
        (200, {"Content-Length": "nonsense"}),
        (200, {"Content-Length": "9", "Content-Encoding": "gzip"}),
        (200, {"Content-Length": "9", "Transfer-Encoding": "chunked"}),
        (304, {"Content-Length": "9"}),
    ],
)
def test_a_whole_body_is_read(size, status, headers):
    response = Guarded(Answering(io.BytesIO(b"abcd"), status, headers)).send(REQUEST)
    assert read_all(response, size) == b"abcd"


def test_head_response_with_a_length_and_no_body_is_accepted():
    head = HttpRequest("HEAD", "https://r.example/x")
    response = Guarded(Answering(io.BytesIO(), headers={"Content-Length": "5"})).send(head)
    assert response.body.read() == b""
    assert response.body.read(5) == b""


# --- Cancellation -------------------------------------------------------------------------


class Cut:
    """A transport whose connection breaks because the token is cancelled."""

    def __init__(self, token, error):
        self._token, self._error = token, error

    def send(self, request):
        self._token.cancel()
        raise self._error


@pytest.mark.parametrize("body", [None, BytesSource(b"x")])
@pytest.mark.parametrize("error", [OSError("cut"), TransportError("GET", "https://r.example", "x")])
def test_error_after_a_cancellation_is_a_cancelled_error(body, error):
    token = CancelToken()
    request = HttpRequest("PUT", REQUEST.url, body=body)
    with token.scope(), pytest.raises(CancelledError) as caught:
        Guarded(Cut(token, error)).send(request)
    assert caught.value.operation == "PUT https://r.example/v2/"
    assert (caught.value.__cause__, caught.value.__suppress_context__) == (None, True)


@pytest.mark.parametrize("length", [{}, {"Content-Length": "10"}])
@pytest.mark.parametrize("size", [-1, 10])
def test_response_truncated_by_a_cancellation_is_a_cancelled_error(length, size):
    token = CancelToken()

    class Ending(io.BytesIO):
        def read(self, size=-1):
            token.cancel()
            return super().read(size)

    with token.scope():
        response = Guarded(Answering(Ending(), headers=length)).send(REQUEST)
        with pytest.raises(CancelledError):
            response.body.read(size)


def test_request_body_is_not_read_after_a_cancellation():
    token, pieces = CancelToken(), []

    class Reading:
        def send(self, request):
            stream = request.body.open()
            pieces.append(stream.read(1))
            token.cancel()
            pieces.append(stream.read(1))

    with token.scope(), pytest.raises(CancelledError):
        Guarded(Reading()).send(HttpRequest("PUT", REQUEST.url, body=BytesSource(b"xy")))
    assert pieces == [b"x"]


def test_interrupt_cancels_the_current_token():
    token = CancelToken()
    with token.scope(), pytest.raises(KeyboardInterrupt):
        Guarded(Raising(KeyboardInterrupt())).send(REQUEST)
    assert token.cancelled
