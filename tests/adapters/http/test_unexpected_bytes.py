"""Servers that send what was not asked for: no response reaches another request."""

from __future__ import annotations

import time
from contextlib import ExitStack
from threading import Event

import pytest

from oras_adapters.http import kept_connections
from oras_adapters.http.heads import parse_by_library, parser
from oras_adapters.http.kept_connections import open_link
from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.errors import TransportError
from oras_core.ports.http import HttpRequest
from support.certificates import write_certificates
from support.scripted_server import ScriptedServer

PROMPT = 3.0
"""Seconds in which an answer is noticed on a busy machine; the timeout is far longer."""


@pytest.fixture
def serve():
    with ExitStack() as stack:
        yield lambda *scripts, **more: stack.enter_context(ScriptedServer(*scripts, **more))


@pytest.fixture(params=[parse_by_library, parser()], ids=["by library", "fastest"])
def transport(serve, request):
    timeouts = Timeouts(connect=10.0, read=30.0)
    with Urllib3Transport(timeouts=timeouts, parse=request.param) as transport:
        yield transport


def fetched(transport, url, method="GET"):
    with transport.send(HttpRequest(method, url)) as response:
        return response.status, response.body.read()


def numbered(before=b"", after=b"", status=b"200 OK", fields=b""):
    """Answer each request with its own path, and with more before or after."""

    def script(connection):
        while (request := connection.read_request()) is not None:
            path = request.line.split()[1].encode()
            body = b"" if request.line.startswith("HEAD") else path
            head = b"HTTP/1.1 %b\r\n%bContent-Length: %d\r\n\r\n" % (status, fields, len(path))
            connection.send(before + head + body + after)

    return script


@pytest.mark.parametrize("status", [b"100 Continue", b"102 Processing", b"103 Hints", b"199 X"])
@pytest.mark.parametrize("times", [1, 3])
def test_informational_responses_are_skipped(serve, transport, status, times):
    early = b"HTTP/1.1 %b\r\nLink: </style.css>\r\n\r\n" % status
    server = serve(numbered(before=early * times))
    for number in range(3):
        assert fetched(transport, f"{server.url}/{number}") == (200, b"/%d" % number)
    assert server.connections == 1


def test_protocol_switch_is_an_error(serve, transport):
    server = serve(numbered(before=b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"))
    with pytest.raises(TransportError, match="another protocol"):
        fetched(transport, server.url)


SECOND = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond"


@pytest.mark.parametrize("more", [b"x", b"\r\n", b"HTTP/1.1 ", SECOND, SECOND * 3])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_bytes_after_a_response_end_the_connection(
    serve, tmp_path, transport, more, method, secure
):
    options = {}
    if secure:
        certificates = write_certificates(tmp_path)
        options = {"tls": certificates.server_context()}
        transport._tls = lambda _: ssl_context(ca_bundle=str(certificates.ca_file))
    server = serve(numbered(after=more), **options)
    for number in range(3):
        body = b"" if method == "HEAD" else b"/%d" % number
        assert fetched(transport, f"{server.url}/{number}", method) == (200, body)
    assert server.connections == 3


def test_head_response_with_a_body_ends_the_connection(serve, transport):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(b"a body that HEAD must not have")

    server = serve(script)
    for _ in range(3):
        assert fetched(transport, server.url, "HEAD") == (200, b"")
    assert server.connections == 3


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_body_of_a_bodyless_status_ends_the_connection(serve, transport, status):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(b"a body", status)

    server = serve(script)
    for _ in range(2):
        assert fetched(transport, server.url) == (int(status[:3]), b"")
    assert server.connections == 2


def test_response_before_the_request_is_refused(serve, transport, monkeypatch):
    sent = Event()

    def script(connection):
        connection.answer(b"early")
        sent.set()
        connection.wait()

    def open_after_it_was_sent(*arguments):
        link = open_link(*arguments)
        assert sent.wait(PROMPT)
        return link

    monkeypatch.setattr(kept_connections, "open_link", open_after_it_was_sent)
    server = serve(script)
    with pytest.raises(TransportError, match="before the request"):
        fetched(transport, server.url)


def test_response_on_an_idle_connection_is_dropped(serve, transport):
    def script(connection):
        connection.read_request()
        answered.append(connection)
        connection.answer(b"first")
        connection.wait()

    answered = []
    server = serve(script, numbered())
    assert fetched(transport, server.url) == (200, b"first")
    answered[0].send(SECOND)
    assert fetched(transport, f"{server.url}/next") == (200, b"/next")


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_transfer_encoding_with_content_length_ends_the_connection(serve, transport, fields):
    def script(connection):
        while connection.read_request() is not None:
            connection.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n5\r\nhello\r\n0\r\n\r\n")

    server = serve(script)
    for _ in range(2):
        with transport.send(HttpRequest("GET", server.url)) as response:
            assert "content-length" not in response.headers
            assert response.body.read() == b"hello"
    assert server.connections == 2


@pytest.mark.parametrize("coding", [b"gzip", b"gzip, chunked", b"chunked, chunked", b"identity"])
def test_unknown_transfer_coding_is_an_error(serve, transport, coding):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: %b\r\n\r\n5\r\nhello\r\n0\r\n\r\n" % coding
    server = serve(lambda connection: (connection.read_request(), connection.send(head)))
    with pytest.raises(TransportError, match="transfer coding"):
        fetched(transport, server.url)


def test_failed_body_keeps_failing(serve, transport):
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"
    server = serve(lambda connection: (connection.read_request(), connection.send(head)))
    with transport.send(HttpRequest("GET", server.url)) as response:
        assert response.body.read(3) == b"hel"
        for _ in range(3):
            with pytest.raises(TransportError):
                response.body.read(10)


# --- Early answers ------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["", "HTTP/1.1 100 Continue\r\n\r\n" * 2])
@pytest.mark.parametrize("split", [False, True])
def test_early_response_stops_the_upload_at_once(serve, transport, before, split):
    def script(connection):
        connection.read_head()
        answer = before.encode() + b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig"
        if split:
            for at in range(0, len(answer), 7):
                connection.send(answer[at : at + 7])
                connection.wait(0.005)
        else:
            connection.send(answer)
        connection.wait()  # and reads nothing of the body

    server = serve(script, buffer=1 << 16)
    start = time.monotonic()
    request = HttpRequest("PUT", server.url, body=BytesSource(bytes(50_000_000)))
    with transport.send(request) as response:
        assert (response.status, response.body.read()) == (413, b"big")
    assert time.monotonic() - start < PROMPT


# --- Draining -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head", [b"Content-Length: 1000\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"]
)
def test_total_drain_time_is_bounded(serve, transport, head):
    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 500 X\r\n" + head)
        while not connection.wait(0.05):
            connection.send(b"x")  # always something, never enough

    server = serve(script)
    response = transport.send(HttpRequest("GET", server.url))
    start = time.monotonic()
    response.close()
    assert time.monotonic() - start < PROMPT


# --- What is shown ------------------------------------------------------------------------


def test_reason_phrase_is_escaped_for_terminals(serve, transport):
    server = serve(numbered(status=b"404 \x1b]0;title\x07\x1b[2J gone"))
    with transport.send(HttpRequest("GET", server.url)) as response:
        assert response.reason.isprintable()
        assert response.reason.endswith("gone")
