"""The urllib3 transport against servers that stall, break off, hang up and lie."""

from __future__ import annotations

import logging
import pickle
import socket
import time
import traceback
from contextlib import ExitStack
from queue import Queue
from threading import Event

import pytest

from oras_adapters.http.urllib3_transport import DRAINED, Timeouts, Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.errors import (
    FileAccessError,
    SizeMismatchError,
    TransportError,
    TransportTimeoutError,
)
from oras_core.ports.http import HttpRequest
from oras_core.registry.transports.guard import Guarded
from support.scripted_server import ScriptedServer

QUICK = Timeouts(connect=2.0, read=0.15)
SECRET = "s3cret"
PATIENT = Timeouts(connect=5.0, read=5.0)


@pytest.fixture
def serve():
    """`serve(script, …)` runs a server until after the transports are closed."""
    with ExitStack() as stack:
        yield lambda *scripts: stack.enter_context(ScriptedServer(*scripts))


@pytest.fixture
def transport(serve):
    with Urllib3Transport(timeouts=PATIENT) as transport:
        yield transport


@pytest.fixture
def hasty(serve):
    with Urllib3Transport(timeouts=QUICK) as transport:
        yield transport


def get(url, **headers):
    return HttpRequest("GET", url, headers)


def fetched(transport, url):
    with transport.send(get(url)) as response:
        return response.body.read()


def drain(body, size):
    while body.read(size):
        continue


class Body:
    """A request's body that says one size and has another, or fails."""

    def __init__(self, size, *pieces):
        self.size = size
        self._pieces = list(pieces)
        self.closed = False

    def open(self):
        return self

    def read(self, size=-1):
        piece = self._pieces.pop(0) if self._pieces else b""
        if isinstance(piece, Exception):
            raise piece
        return piece

    def close(self):
        self.closed = True


# --- What is sent -------------------------------------------------------------------------


@pytest.fixture
def exchange(serve, transport):
    """`exchange(method, path, headers, body)` returns the request as it arrived."""

    def exchanged(method, path, headers=(), body=None):
        seen = []
        server = serve(lambda c: (seen.append(c.read_request()), c.answer()))
        transport.send(HttpRequest(method, server.url + path, headers, body)).close()
        return seen[0]

    return exchanged


def test_known_length_is_sent_as_content_length(exchange):
    seen = exchange("PUT", "/x?a=1", body=BytesSource(b"hello"))
    assert seen.line == "PUT /x?a=1 HTTP/1.1"
    assert seen.headers["content-length"] == "5"
    assert "transfer-encoding" not in seen.headers
    assert seen.body == b"hello"


def test_unknown_length_is_sent_with_chunked_encoding(exchange):
    seen = exchange("PATCH", "/x", body=Body(None, b"hel", b"lo"))
    assert seen.headers["transfer-encoding"] == "chunked"
    assert "content-length" not in seen.headers
    assert seen.body == b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_missing_body_of_a_write_has_content_length_zero(exchange, method):
    assert exchange(method, "/x").headers["content-length"] == "0"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_missing_body_of_a_read_has_no_content_length(exchange, method):
    assert "content-length" not in exchange(method, "/x").headers


def test_framing_headers_of_the_caller_are_replaced(exchange):
    headers = {"Content-Length": "99", "Host": "elsewhere", "Transfer-Encoding": "chunked"}
    seen = exchange("PUT", "/x", headers, BytesSource(b"five!"))
    assert seen.headers["content-length"] == "5"
    assert seen.headers["host"].startswith("127.0.0.1:")
    assert "transfer-encoding" not in seen.headers


def test_no_content_encoding_is_requested(exchange):
    assert exchange("GET", "/x").headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("pieces", [(b"four",), (b"five!", b"six")])
def test_body_with_a_wrong_size_is_not_sent_whole(serve, transport, pieces):
    body = Body(5, *pieces)
    arrived = []

    def script(connection):
        connection.read_head()
        arrived.append(connection._file.read(5))

    server = serve(script)
    with pytest.raises(SizeMismatchError) as caught:
        transport.send(HttpRequest("PUT", server.url, body=body))
    assert caught.value.expected == 5
    assert body.closed


@pytest.mark.parametrize(
    "error",
    [
        FileAccessError("read", "a.txt", "I/O error"),
        TransportTimeoutError("GET", "http://other/", "too late"),
        KeyError("odd"),
        OSError(5, "Input/output error"),
        ConnectionResetError("of another connection"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_of_the_body_is_raised_unchanged(serve, transport, error):
    server = serve(lambda connection: connection.read_request())
    with pytest.raises(type(error)) as caught:
        Guarded(transport).send(HttpRequest("PUT", server.url, body=Body(9, b"abc", error)))
    assert caught.value is error


def test_invalid_header_field_is_refused_and_not_shown(serve, transport):
    server = serve(lambda connection: None)
    request = get(server.url, Authorization=f"Bearer {SECRET}\r\nX: y")
    with pytest.raises(TransportError) as caught:
        transport.send(request)
    assert not caught.value.retryable
    assert SECRET not in "".join(traceback.format_exception(caught.value))


# --- What comes back ----------------------------------------------------------------------


def test_repeated_header_fields_are_joined(serve, transport):
    fields = ("WWW-Authenticate: Basic", "WWW-Authenticate: Bearer realm=x")
    server = serve(lambda c: (c.read_request(), c.answer(b"", "401 No", *fields)))
    with transport.send(get(server.url)) as response:
        assert response.headers["www-authenticate"] == "Basic, Bearer realm=x"
        assert response.reason == "No"
        assert response.url == server.url


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
    ],
)
@pytest.mark.parametrize("size", [3, 1000, -1])
def test_truncated_body_is_an_error(serve, transport, sent, size):
    server = serve(lambda c: (c.read_request(), c.send(sent)))
    with transport.send(get(server.url)) as response, pytest.raises(TransportError) as caught:
        drain(response.body, size)
    assert caught.value.retryable
    assert not isinstance(caught.value, TransportTimeoutError)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc",
    ],
)
def test_invalid_response_is_an_error(serve, transport, sent):
    server = serve(lambda c: (c.read_request(), c.send(sent)))
    with pytest.raises(TransportError) as caught:
        transport.send(get(server.url))
    assert caught.value.retryable


def test_reset_before_the_response_is_an_error(serve, transport):
    server = serve(lambda c: (c.read_request(), c.reset()))
    with pytest.raises(TransportError) as caught:
        transport.send(get(server.url))
    assert caught.value.retryable


def test_reset_within_the_body_is_an_error(serve, transport):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    server = serve(lambda c: (c.read_request(), c.send(head), c.reset()))
    with pytest.raises(TransportError) as caught, transport.send(get(server.url)) as response:
        response.body.read()
    assert caught.value.retryable


def test_endless_header_fields_are_an_error(serve, transport):
    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.send(b"X: " + b"x" * 60_000 + b"\r\n")

    server = serve(script)
    with pytest.raises(TransportError):
        transport.send(get(server.url))


def test_endless_informational_responses_are_an_error(serve, transport):
    def script(connection):
        connection.read_request()
        while True:
            connection.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)

    server = serve(script)
    with pytest.raises(TransportError) as caught:
        transport.send(get(server.url))
    assert "informational" in caught.value.reason


# --- Time ---------------------------------------------------------------------------------


def test_missing_response_is_a_timeout(serve, hasty):
    server = serve(lambda c: (c.read_request(), c.wait()))
    with pytest.raises(TransportTimeoutError) as caught:
        hasty.send(get(server.url))
    assert caught.value.retryable


def test_stalled_body_is_a_timeout(serve, hasty):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    server = serve(lambda c: (c.read_request(), c.send(head), c.wait()))
    with hasty.send(get(server.url)) as response, pytest.raises(TransportTimeoutError):
        response.body.read()


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "],
    ids=["body", "header"],
)
def test_trickling_body_is_a_timeout(serve, hasty, head):
    def script(connection):
        connection.read_request()
        connection.send(head)
        while not connection.wait(0.02):
            connection.send(b"x")

    server = serve(script)
    with pytest.raises(TransportTimeoutError) as caught:
        fetched(hasty, server.url)
    assert "bytes came within" in caught.value.reason


def test_slow_reader_is_not_a_timeout(serve, hasty):
    released = []

    def script(connection):
        connection.read_request()
        connection.answer(b"x" * 2000)

    server = serve(script)
    with hasty.send(get(server.url)) as response:
        while piece := response.body.read(100):
            released.append(piece)
            if len(released) == 5:
                server._ended.wait(2 * QUICK.read)  # longer than the server may take
    assert b"".join(released) == b"x" * 2000


def test_server_that_reads_nothing_is_a_timeout(serve, hasty):
    big = BytesSource(b"x" * 50_000_000)
    server = serve(lambda c: c.wait())
    with pytest.raises(TransportTimeoutError):
        hasty.send(HttpRequest("PUT", server.url, body=big))


def test_slow_upload_is_not_a_timeout(serve):
    # The connect timeout is no limit for sending, whatever urllib3 makes of it.
    content = b"x" * 8_000_000

    def script(connection):
        head = connection.read_head()
        left = int(head.headers["content-length"])
        while left:
            left -= len(connection._file.read1(min(left, 400_000)))
            connection.wait(0.005)
        connection.answer(b"", "201 Created")

    timeouts = Timeouts(connect=0.05, read=5.0)
    server = serve(script)
    request = HttpRequest("PUT", server.url, body=BytesSource(content))
    with Urllib3Transport(timeouts=timeouts) as transport, transport.send(request) as response:
        assert response.status == 201


def test_unfinished_connect_is_a_timeout():
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # fill the queue of those that wait to be accepted
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        transport = stack.enter_context(Urllib3Transport(timeouts=Timeouts(connect=0.1, read=0.1)))
        with pytest.raises(TransportTimeoutError) as caught:
            transport.send(get(f"http://127.0.0.1:{listener.getsockname()[1]}/"))
    assert "no connection" in caught.value.reason


# --- Early answers ------------------------------------------------------------------------


@pytest.mark.parametrize("hang_up", ["close", "reset"])
def test_response_before_the_end_of_the_upload_is_read(serve, transport, hang_up):
    def script(connection):
        connection.read_head()
        connection.answer(b"too large", "413 Content Too Large", "Connection: close")
        if hang_up == "close":
            connection.close()  # with unread bytes: the system resets the connection

    server = serve(script)
    body = BytesSource(b"x" * 30_000_000)
    with transport.send(HttpRequest("PUT", server.url, body=body)) as response:
        assert (response.status, response.body.read()) == (413, b"too large")


def test_early_response_stops_an_unread_upload_and_ends_the_connection(serve, transport):
    def script(connection):
        connection.read_head()
        connection.answer(b"denied", "403 Forbidden")
        connection.wait()

    server = serve(script, repeatedly(b"next"))
    big = BytesSource(b"x" * 50_000_000)
    with transport.send(HttpRequest("PUT", server.url, body=big)) as response:
        assert (response.status, response.body.read()) == (403, b"denied")
    # The first connection still waits for the rest of the body.
    assert fetched(transport, server.url) == b"next"


def test_early_response_stops_an_upload_that_is_still_read(serve, transport):
    answered = Event()

    def script(connection):
        connection.read_head()
        connection.answer(b"", "413 Content Too Large")
        answered.set()
        connection.hang_up_is_seen()

    class Waiting(Body):
        def read(self, size=-1):
            assert answered.wait(5)
            return super().read(size)

    body = Waiting(3000, b"x" * 1000, b"x" * 1000, b"x" * 1000)
    with transport.send(HttpRequest("PUT", serve(script).url, body=body)) as response:
        assert response.status == 413
    assert (len(body._pieces), body.closed) == (2, True)


@pytest.mark.parametrize("fault", ["hangs up", "answers"])
def test_request_body_is_closed_after_a_partial_upload(serve, transport, fault):
    held = []

    def script(connection):
        connection.read_head()
        if fault == "answers":
            connection.answer(b"", "413 Content Too Large", "Connection: close")
        connection.close()

    class Endless(Body):
        def read(self, size=-1):
            return b"x" * size

    body = Endless(1 << 40)
    try:
        transport.send(HttpRequest("PUT", serve(script).url, body=body)).close()
    except TransportError as error:
        held.append(error)  # and with it every frame that it came through
    assert body.closed
    assert held or fault == "answers"


def test_informational_response_does_not_stop_an_upload(serve, transport):
    def script(connection):
        head = connection.read_head()
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        received = connection._file.read(int(head.headers["content-length"]))
        connection.answer(str(len(received)).encode())

    big = BytesSource(b"x" * 9_000_000)
    with transport.send(HttpRequest("PUT", serve(script).url, body=big)) as response:
        assert response.body.read() == b"9000000"


# --- Connections --------------------------------------------------------------------------


def repeatedly(body):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(body)

    return script


def test_connection_is_reused_after_a_read_body(serve, transport):
    server = serve(repeatedly(b"12345"))
    for _ in range(5):
        assert fetched(transport, server.url) == b"12345"
    assert server.connections == 1


def test_connection_is_reused_after_head(serve, transport):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")

    server = serve(script)
    for _ in range(3):
        transport.send(HttpRequest("HEAD", server.url))
    assert server.connections == 1


def test_connection_is_reused_after_a_short_unread_body(serve, transport):
    server = serve(repeatedly(b"x" * 200))
    for _ in range(3):
        transport.send(get(server.url)).close()
    assert server.connections == 1


def test_connection_is_not_reused_after_a_long_unread_body(serve, transport):
    seen = Queue()

    def script(connection):
        connection.read_request()
        connection.answer(b"x" * (DRAINED + 1))
        seen.put(connection.hang_up_is_seen())

    server = serve(script)
    for _ in range(2):
        transport.send(get(server.url)).close()
    assert server.connections == 2
    assert [seen.get(timeout=5), seen.get(timeout=5)] == [True, True]


def test_close_of_the_transport_ends_idle_connections_at_once(serve, transport):
    seen = Queue()

    def script(connection):
        connection.read_request()
        connection.answer(b"kept")
        seen.put(connection.hang_up_is_seen())

    server = serve(script)
    assert fetched(transport, server.url) == b"kept"
    # As an exception's traceback may do, on its way to the garbage collector.
    pool = transport._pools.get().pool("http", server.address)
    transport.close()
    assert seen.get(timeout=20)
    assert pool is not None


def test_close_does_not_wait_for_a_stalled_body(serve, transport):
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    server = serve(
        lambda c: (c.read_request(), c.send(head), c.wait()),
        repeatedly(b"next"),
    )
    start = time.monotonic()
    transport.send(get(server.url)).close()
    assert time.monotonic() - start < PATIENT.read
    assert fetched(transport, server.url) == b"next"


def test_connection_closed_while_idle_is_not_reused(serve, transport):
    closed = Queue()

    def once(connection):
        connection.read_request()
        connection.answer(b"once")
        connection.close()
        closed.put(True)

    server = serve(once)
    for _ in range(3):
        assert fetched(transport, server.url) == b"once"
        assert closed.get(timeout=5)


def test_close_of_the_transport_closes_idle_connections(serve, transport):
    seen = Queue()

    def script(connection):
        connection.read_request()
        connection.answer(b"once")
        seen.put(connection.hang_up_is_seen())

    server = serve(script)
    fetched(transport, server.url)
    transport.close()
    transport.close()
    assert seen.get(timeout=5)


def test_connection_with_an_invalid_response_is_closed_at_once(serve, transport):
    seen = Queue()

    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 3, 4\r\n\r\nabc")
        seen.put(connection.hang_up_is_seen())

    with pytest.raises(TransportError) as caught:
        transport.send(get(serve(script).url))
    assert seen.get(timeout=5)
    del caught  # kept everything alive that the collector might have closed


# --- Errors and logs ----------------------------------------------------------------------


def test_unknown_host_is_not_retryable(transport):
    with pytest.raises(TransportError) as caught:
        transport.send(get("http://registry.invalid/v2/"))
    assert "resolved" in caught.value.reason


def test_refused_connection_is_retryable(transport):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(TransportError) as caught:
        transport.send(get(f"http://127.0.0.1:{port}/"))
    assert caught.value.retryable
    assert caught.value.reason == "Connection refused"


@pytest.mark.parametrize("url", ["ftp://host/x", "host/x", "http://[::1/x", "http:///x"])
def test_url_that_is_not_http_is_refused(transport, url):
    with pytest.raises(TransportError) as caught:
        transport.send(get(url))
    assert not caught.value.retryable


def test_query_is_not_shown_in_errors_and_logs(serve, transport, caplog):
    caplog.set_level(logging.DEBUG)

    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")

    server = serve(script)
    response = transport.send(get(f"{server.url}/x?signature={SECRET}"))
    with response, pytest.raises(TransportError) as read_error:
        response.body.read()
    with pytest.raises(TransportError) as send_error:
        transport.send(get(f"http://registry.invalid/x?signature={SECRET}"))
    for caught in (read_error, send_error):
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
        assert SECRET not in shown
        assert SECRET.encode() not in pickle.dumps(caught.value)
    assert SECRET not in caplog.text
    assert f"GET {server.url}/x: 200" in caplog.text


def test_other_users_of_urllib3_keep_their_log(transport, caplog):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").debug("of somebody else")
    assert "of somebody else" in caplog.text
