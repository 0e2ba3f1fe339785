"""Hosts with several addresses, of which some are dead."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from oras_adapters.http.dialing import Dialer, _alternating
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_core.cancellation import CancelToken
from oras_core.errors import TransportError, TransportTimeoutError
from oras_core.ports.http import HttpRequest
from support.scripted_server import ScriptedServer

PROMPT = 3.0
"""Seconds in which an answer is noticed on a busy machine; the timeout is far longer."""

LONG = 30.0


@pytest.fixture
def stack():
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def dead(stack):
    """Return the address of a listener whose queue is full: it answers no connection attempt."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(4):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(listener.getsockname())
    return listener.getsockname()


@pytest.fixture
def refusing():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()


@pytest.fixture
def live(stack):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(b"hello")

    server = stack.enter_context(ScriptedServer(script))
    return "127.0.0.1", server.port


@pytest.fixture
def resolves(monkeypatch):
    """`resolves(address, …)` makes every name have these addresses."""

    def resolve(*addresses):
        asked = []

        def getaddrinfo(host, port, *_):
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return resolve


def connect(dialer, timeout=LONG):
    return dialer.connect(("registry.example", 443), timeout, (), CancelToken())


def test_unresponsive_address_takes_a_fraction_of_the_timeout(dead, live, resolves):
    resolves(dead, dead, live)
    start = time.monotonic()
    with connect(Dialer()) as sock:
        assert sock.getpeername() == live
    assert time.monotonic() - start < PROMPT


def test_last_working_address_is_tried_first(dead, live, resolves):
    resolves(dead, live)
    dialer = Dialer()
    connect(dialer).close()
    start = time.monotonic()
    for _ in range(20):
        with connect(dialer) as sock:
            assert sock.getpeername() == live
    assert time.monotonic() - start < PROMPT  # 20 delays would take five seconds


def test_address_that_stops_working_is_no_longer_tried_first(dead, live, refusing, resolves):
    resolves(dead, live)
    dialer = Dialer()
    connect(dialer).close()
    resolves(refusing, live)
    with connect(dialer) as sock:
        assert sock.getpeername() == live


def test_refused_connection_moves_to_the_next_address_at_once(refusing, live, resolves):
    resolves(*[refusing] * 20, live)
    start = time.monotonic()
    connect(Dialer()).close()
    assert time.monotonic() - start < PROMPT


def test_error_if_all_addresses_refuse(refusing, resolves):
    resolves(refusing, refusing)
    with pytest.raises(ConnectionRefusedError):
        connect(Dialer())


def test_timeout_if_no_address_responds(dead, resolves):
    resolves(dead, dead)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        connect(Dialer(), timeout=0.4)
    assert time.monotonic() - start < PROMPT


def test_name_without_addresses_is_an_error(resolves):
    resolves()
    with pytest.raises(OSError, match="no address"):
        connect(Dialer())


def test_address_families_alternate():
    six, four = (socket.AF_INET6, "a"), (socket.AF_INET, "b")
    assert list(_alternating([six, six, six, four, four])) == [six, four, six, four, six]
    assert list(_alternating([four, six])) == [four, six]
    assert list(_alternating([])) == []


def test_name_resolution_is_bounded_by_the_connect_timeout(monkeypatch):
    released = threading.Event()

    def getaddrinfo(*_):
        released.wait(LONG)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    timeouts = Timeouts(connect=0.2, read=LONG)
    start = time.monotonic()
    with (
        Urllib3Transport(timeouts=timeouts) as transport,
        pytest.raises(TransportTimeoutError, match="not resolved"),
    ):
        transport.send(HttpRequest("GET", "http://registry.example/"))
    assert time.monotonic() - start < PROMPT
    released.set()


def test_transport_uses_the_responsive_address(dead, live, resolves):
    asked = resolves(dead, live)
    with Urllib3Transport() as transport:
        for _ in range(3):
            with transport.send(HttpRequest("GET", "http://registry.example/")) as response:
                assert response.body.read() == b"hello"
    assert asked == ["registry.example"]


def test_host_name_with_a_long_label_is_an_error():
    url = f"http://{'a' * 64}.example/"
    with Urllib3Transport() as transport, pytest.raises(TransportError) as caught:
        transport.send(HttpRequest("GET", url))
    assert not caught.value.retryable
