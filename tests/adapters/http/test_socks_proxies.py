"""SOCKS proxies, against a small one."""

from __future__ import annotations

import socket
import struct
from contextlib import ExitStack

import pytest

from oras_adapters.http.proxies import ProxySettings
from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_core.errors import TransportError, TransportTimeoutError
from oras_core.ports.http import HttpRequest
from support.certificates import write_certificates
from support.modules import require_module
from support.scripted_server import ScriptedServer


@pytest.fixture(autouse=True)
def _socks():
    require_module("socks")


@pytest.fixture
def opened():
    with ExitStack() as stack:
        yield stack.enter_context


def socks5(target, asked, *, login=None):
    """Return a script that speaks SOCKS 5 (RFC 1928, RFC 1929) and always leads to `target`."""

    def script(connection):
        _, count = connection.read(2)
        methods = connection.read(count)
        if login is None:
            connection.send(b"\x05\x00")
        else:
            assert 2 in methods
            connection.send(b"\x05\x02")
            _, size = connection.read(2)
            user = connection.read(size)
            password = connection.read(connection.read(1)[0])
            if (user, password) != login:
                connection.send(b"\x01\x01")
                return
            connection.send(b"\x01\x00")
        _, _, _, kind = connection.read(4)
        host = connection.read(connection.read(1)[0]) if kind == 3 else connection.read(4)
        (port,) = struct.unpack("!H", connection.read(2))
        asked.append((host, port))
        connection.send(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        connection.relay_to(target)

    return script


def answering(connection):
    while connection.read_request() is not None:
        connection.answer(b"hello")


def fetch(transport, url):
    with transport.send(HttpRequest("GET", url)) as response:
        return response.body.read()


class OneProxy:
    def __init__(self, address):
        self.address = address

    def proxy_for(self, url):
        return self.address


@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_socks5h_proxy_resolves_names(opened, tmp_path, secure):
    certificates = write_certificates(tmp_path)
    tls = certificates.server_context() if secure else None
    server = opened(ScriptedServer(answering, tls=tls))
    asked = []
    proxy = opened(ScriptedServer(socks5(server.address, asked, login=(b"me", b"a/b"))))
    url = f"socks5h://me:a%2Fb@{proxy.address}"
    transport = opened(
        Urllib3Transport(
            proxies=OneProxy(url), tls=lambda _: ssl_context(ca_bundle=str(certificates.ca_file))
        )
    )
    for _ in range(2):
        assert fetch(transport, f"http{'s' * secure}://localhost:7/v2/") == b"hello"
    assert asked == [(b"localhost", 7)]


def test_socks5_names_are_resolved_locally(opened, monkeypatch):
    server = opened(ScriptedServer(answering))
    asked = []
    proxy = opened(ScriptedServer(socks5(server.address, asked)))
    transport = opened(Urllib3Transport(proxies=OneProxy(f"socks5://{proxy.address}")))
    assert fetch(transport, "http://127.0.0.1:7/v2/") == b"hello"
    assert asked == [(socket.inet_aton("127.0.0.1"), 7)]


def test_unreachable_proxy_is_an_error_that_names_the_proxy(opened):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    settings = ProxySettings(http=f"socks5h://me:s3cret@127.0.0.1:{port}")
    transport = opened(Urllib3Transport(proxies=settings))
    with pytest.raises(TransportError, match="proxy") as caught:
        fetch(transport, "http://registry.test/")
    assert caught.value.retryable
    assert "s3cret" not in str(caught.value)


def test_unresponsive_proxy_is_a_timeout(opened):
    proxy = opened(ScriptedServer(lambda connection: connection.wait()))
    settings = ProxySettings(http=f"socks5h://{proxy.address}")
    timeouts = Timeouts(connect=0.2, read=30.0)
    transport = opened(Urllib3Transport(proxies=settings, timeouts=timeouts))
    with pytest.raises(TransportTimeoutError, match="proxy"):
        fetch(transport, "http://registry.test/")


def test_wrong_proxy_credential_is_an_error(opened):
    proxy = opened(ScriptedServer(socks5("127.0.0.1:1", [], login=(b"me", b"right"))))
    settings = ProxySettings(http=f"socks5h://me:wrong@{proxy.address}")
    transport = opened(Urllib3Transport(proxies=settings))
    with pytest.raises(TransportError, match="proxy") as caught:
        fetch(transport, "http://registry.test/")
    assert "wrong" not in str(caught.value)


def test_loopback_addresses_need_no_proxy(opened):
    server = opened(ScriptedServer(answering))
    settings = ProxySettings(http="socks5h://127.0.0.1:1")
    assert fetch(opened(Urllib3Transport(proxies=settings)), server.url) == b"hello"
