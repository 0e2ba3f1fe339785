"""Connections that are cut while they wait for what never comes, at each stage of their life."""

from __future__ import annotations

import gc
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest

from oras_adapters.http.links import Lifeline
from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource
from oras_core.errors import CancelledError, TransportError
from oras_core.ports.http import HttpRequest
from oras_core.registry.transports.guard import Guarded
from support.certificates import write_certificates
from support.scripted_server import ScriptedServer

LONG = 30.0
PROMPT = 2.0
"""Seconds within which what is cancelled has ended, on a busy machine."""


@pytest.fixture
def serve():
    with ExitStack() as stack:
        yield lambda *scripts, **options: stack.enter_context(ScriptedServer(*scripts, **options))


@pytest.fixture
def transport(serve):
    with Urllib3Transport() as transport:
        yield Guarded(transport)


@contextmanager
def cancelled_after(reached, delay=0.05):
    """Cancel what the block does a while after `reached` was set, and see it end in time."""
    token, moment = CancelToken(), []

    def cancel():
        reached.wait(LONG)
        time.sleep(delay)  # so that it waits by now; if it does not, it has to end all the same
        moment.append(time.monotonic())
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        with token.scope(), pytest.raises(CancelledError) as caught:
            yield caught
        assert time.monotonic() - moment[0] < PROMPT
    finally:
        reached.set()
        thread.join()


def get(url):
    return HttpRequest("GET", url)


def test_wait_for_a_silent_server_is_cancelled(serve, transport):
    reached = threading.Event()

    def script(connection):
        connection.read_request()
        reached.set()
        connection.wait()

    url = serve(script).url
    with cancelled_after(reached) as caught:
        transport.send(get(f"{url}/v2/?signature=s3cret"))
    assert str(caught.value) == f"cannot GET {url}/v2/: it was cancelled"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n",
    ],
    ids=["kept", "closed", "old", "chunked"],
)
@pytest.mark.parametrize("reads", [3, 5, -1])
def test_read_of_a_stalled_body_is_cancelled(serve, transport, head, reads):
    reached = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send(head + b"begin")
        reached.set()
        connection.wait()

    with cancelled_after(reached), transport.send(get(serve(script).url)) as response:
        while response.body.read(reads):
            continue


def test_read_of_an_endless_header_is_cancelled(serve, transport):
    reached = threading.Event()

    def script(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Le")
        reached.set()
        connection.wait()

    with cancelled_after(reached):
        transport.send(get(serve(script).url))


def test_write_to_a_server_that_does_not_read_is_cancelled(serve, transport):
    reached = threading.Event()

    def script(connection):
        connection.read_head()
        reached.set()
        connection.wait()

    url = serve(script, buffer=1 << 16).url
    with cancelled_after(reached):
        transport.send(HttpRequest("PUT", url, body=BytesSource(bytes(50_000_000))))


def test_stalled_tls_handshake_is_cancelled(serve, tmp_path):
    reached = threading.Event()

    def script(connection):
        reached.set()
        connection.wait()

    url = serve(script).url.replace("http:", "https:")
    authority = str(write_certificates(tmp_path).ca_file)
    transport = Urllib3Transport(tls=lambda _: ssl_context(ca_bundle=authority))
    with transport, cancelled_after(reached):
        Guarded(transport).send(get(url))


def test_connect_to_an_unresponsive_address_is_cancelled(transport):
    # A full queue: the system lets further ones wait, as a firewall that drops packets does.
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        reached = threading.Event()
        reached.set()
        with cancelled_after(reached, delay=0.2):
            transport.send(get(f"http://127.0.0.1:{address[1]}/"))


def test_name_resolution_is_cancelled(transport, monkeypatch):
    reached, released = threading.Event(), threading.Event()

    def getaddrinfo(*_):
        reached.set()
        released.wait(LONG)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with cancelled_after(reached):
        transport.send(get("http://registry.example/"))
    released.set()


def answering(connection):
    connection.read_request()
    connection.answer(b"x")


def test_ip_address_is_connected_without_a_resolver_thread(serve, transport, monkeypatch):
    """No thread is needed for what the resolver does not wait for."""
    server = serve(answering)
    monkeypatch.setattr("oras_adapters.http.dialing.threading", None)
    with transport.send(get(server.url)) as response:
        assert response.body.read() == b"x"


def test_upload_that_waits_for_its_source_is_cancelled(serve, transport):
    """The source waits in a connection of its own, which the same token cuts."""
    reached = threading.Event()

    def silent(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nbegin")
        reached.set()
        connection.wait()

    def reader(connection):
        connection.read_request()

    origin = serve(silent).url

    class Source:
        size = 1_000_000

        def open(self):
            return transport.send(get(origin)).body

    with cancelled_after(reached):
        transport.send(HttpRequest("PUT", serve(reader).url, body=Source()))


def test_cancelled_token_prevents_the_request(serve, transport):
    server = serve(answering)
    token = CancelToken()
    token.cancel()
    with token.scope(), pytest.raises(CancelledError):
        transport.send(get(server.url))
    assert server.connections == 0


def test_response_is_not_read_after_a_cancellation(serve, transport):
    def script(connection):
        connection.read_request()
        connection.answer(bytes(100_000))

    token = CancelToken()
    with token.scope(), transport.send(get(serve(script).url)) as response:
        assert response.body.read(10) == bytes(10)
        token.cancel()
        with pytest.raises(CancelledError):
            response.body.read(10)


def test_cancellation_of_a_finished_request_does_not_close_its_reused_connection(serve, transport):
    def script(connection):
        while connection.read_request():
            connection.answer(b"x")

    server = serve(script)
    tokens = [CancelToken() for _ in range(3)]
    for token in tokens:
        with token.scope(), transport.send(get(server.url)) as response:
            assert response.body.read() == b"x"
        assert token._callbacks == {}
    for token in tokens:
        token.cancel()
    with transport.send(get(server.url)) as response:
        assert response.body.read() == b"x"
    assert server.connections == 1


def test_transport_error_without_cancellation_is_unchanged(serve, transport):
    with CancelToken().scope(), pytest.raises(TransportError):
        transport.send(get(serve(lambda connection: connection.close()).url))


def _read_and_cancelled(transport, url):
    token = CancelToken()
    with token.scope(), transport.send(get(url)) as response:
        response.body.read(3)
        token.cancel()
        response.body.read()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="the system does not list them")
def test_no_file_descriptor_is_leaked(serve, tmp_path):
    def kept(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nbegin")
        connection.wait(0.01)

    def closed(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall")

    def refusing(connection):
        connection.close()

    urls = [serve(kept).url, serve(closed).url, serve(refusing).url.replace("http:", "https:")]
    authority = str(write_certificates(tmp_path).ca_file)
    before = _sockets()
    with Urllib3Transport(tls=lambda _: ssl_context(ca_bundle=authority)) as transport:
        for url in urls * 3:
            with pytest.raises((TransportError, CancelledError)):
                _read_and_cancelled(Guarded(transport), url)
    end = time.monotonic() + LONG
    while not _sockets() <= before:  # the servers' own end a little later
        assert time.monotonic() < end
        time.sleep(0.01)


def _sockets():
    """Return which sockets this process has open: as a set, for the servers' come and go."""
    gc.collect()
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            found.add(os.readlink(f"/proc/self/fd/{name}"))
    return {link for link in found if link.startswith("socket:")}


def test_lifeline_shuts_the_connection_down_from_another_thread():
    one, other = socket.socketpair()
    lifeline, token = Lifeline(one), CancelToken()
    lifeline.tie(token)
    other.settimeout(0.01)
    with pytest.raises(TimeoutError):
        other.recv(1)  # it is open still
    token.cancel()
    other.settimeout(LONG)
    assert other.recv(1) == b""
    lifeline.close()
    one.close()
    other.close()
