"""The urllib3 transport over TLS and through proxies."""

from __future__ import annotations

import base64
import gc
import socket
import ssl
from contextlib import ExitStack
from queue import Queue

import pytest
import trustme

from oras_adapters.http.dialing import Dialer
from oras_adapters.http.proxies import ProxySettings
from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Timeouts, Urllib3Transport
from oras_core.content.sources import BytesSource
from oras_core.errors import TlsError, TransportError, TransportTimeoutError
from oras_core.ports.http import HttpRequest
from support.certificates import write_certificates
from support.scripted_server import ScriptedServer
from support.tcp_proxy import reset

SECRET = "pr0xy-secret"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def opened():
    """`opened(thing)` enters a context until the test ends; the last one is left first."""
    with ExitStack() as stack:
        yield stack.enter_context


def answering(body=b"hello"):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(body)

    return script


def trusting(certificates, **options):
    return lambda _: ssl_context(ca_bundle=str(certificates.ca_file), **options)


def fetch(transport, url):
    with transport.send(HttpRequest("GET", url)) as response:
        return response.status, response.body.read()


# --- TLS ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
def test_trusted_server_is_accepted(opened, certificates, name):
    server = opened(ScriptedServer(answering(), tls=certificates.server_context()))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    for _ in range(3):
        assert fetch(transport, f"https://{name}:{server.port}/") == (200, b"hello")
    assert server.connections == 1


def test_bodies_are_complete_over_tls(opened, certificates):
    content = bytes(range(256)) * 20_000

    def script(connection):
        connection.answer(connection.read_request().body)

    server = opened(ScriptedServer(script, tls=certificates.server_context()))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    with transport.send(HttpRequest("PUT", server.url, body=BytesSource(content))) as response:
        assert response.body.read() == content


def test_untrusted_server_is_refused(opened, certificates):
    server = opened(ScriptedServer(answering(), tls=certificates.server_context()))
    transport = opened(Urllib3Transport())
    with pytest.raises(TlsError) as caught:
        transport.send(HttpRequest("GET", f"{server.url}/?signature={SECRET}"))
    assert not caught.value.retryable
    assert "certificate is not trusted" in caught.value.reason
    assert SECRET not in str(caught.value)


def test_certificate_for_another_name_is_refused(opened, tmp_path):
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("registry.test").configure_cert(context)
    server = opened(ScriptedServer(answering(), tls=context))
    tls = lambda _: ssl_context(ca_bundle=str(tmp_path / "ca.pem"))  # noqa: E731
    transport = opened(Urllib3Transport(tls=tls))
    with pytest.raises(TlsError) as caught:
        transport.send(HttpRequest("GET", f"https://localhost:{server.port}/"))
    assert "localhost" in caught.value.reason


def test_certificate_for_another_name_is_refused_by_every_context_that_verifies(opened, tmp_path):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("registry.test").configure_cert(context)
    server = opened(ScriptedServer(answering(), tls=context))
    lenient = ssl.create_default_context(cadata=authority.cert_pem.bytes().decode())
    lenient.check_hostname = False
    transport = opened(Urllib3Transport(tls=lambda _: lenient))
    with pytest.raises(TlsError, match="localhost"):
        transport.send(HttpRequest("GET", f"https://localhost:{server.port}/"))


class RecordingContext(ssl.SSLContext):
    """Stands for a context that checks certificates itself, as truststore's does."""

    sessions: list

    def wrap_socket(self, sock, **options):
        self.sessions.append(options.get("session"))
        return super().wrap_socket(sock, **options)


@pytest.mark.parametrize("proxied", [False, True], ids=["direct", "tunnelled"])
def test_context_of_another_library_checks_each_connection(opened, certificates, proxied):
    def script(connection):
        connection.read_request()
        connection.answer(b"hello", "200 OK", "Connection: close")

    server = opened(ScriptedServer(script, tls=certificates.server_context()))
    context = RecordingContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sessions = []
    context.load_verify_locations(certificates.ca_file)
    proxy = opened(ScriptedServer(tunnelling(server.address, Queue())))
    proxies = _OneProxy(f"http://{proxy.address}") if proxied else None
    transport = opened(Urllib3Transport(tls=lambda _: context, proxies=proxies))
    for _ in range(2):
        assert fetch(transport, f"https://localhost:{server.port}/") == (200, b"hello")
    assert context.sessions == [None, None]


def test_http_1_is_negotiated(opened, certificates):
    context = certificates.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    chosen = Queue()

    def script(connection):
        chosen.put(connection._socket.selected_alpn_protocol())
        answering()(connection)

    server = opened(ScriptedServer(script, tls=context))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    assert fetch(transport, server.url) == (200, b"hello")
    assert chosen.get(timeout=10) == "http/1.1"


def test_plain_http_server_error_says_so(opened, certificates):
    def script(connection):
        connection._file.read(5)
        connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = opened(ScriptedServer(script))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    with pytest.raises(TlsError) as caught:
        transport.send(HttpRequest("GET", f"https://{server.address}/"))
    assert "plain HTTP" in caught.value.reason


def test_old_tls_version_is_refused(opened, certificates):
    context = certificates.server_context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = opened(ScriptedServer(answering(), tls=context))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    with pytest.raises(TlsError) as caught:
        transport.send(HttpRequest("GET", server.url))
    assert not caught.value.retryable


def test_disabled_verification_accepts_any_server_without_a_warning_per_request(
    opened, certificates
):
    server = opened(ScriptedServer(answering(), tls=certificates.server_context()))
    transport = opened(Urllib3Transport(tls=lambda _: ssl_context(verify=False)))
    assert fetch(transport, server.url) == (200, b"hello")  # a warning is an error in the tests


def test_client_certificate_is_sent(opened, certificates):
    server = opened(ScriptedServer(answering(), tls=demanding(certificates)))
    tls = trusting(
        certificates,
        client_certificate=str(certificates.client_certificate),
        client_key=str(certificates.client_key),
    )
    assert fetch(opened(Urllib3Transport(tls=tls)), server.url) == (200, b"hello")


def test_missing_client_certificate_is_an_error(opened, certificates):
    server = opened(ScriptedServer(answering(), tls=demanding(certificates)))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    with pytest.raises(TransportError) as caught:
        fetch(transport, server.url)
    assert not isinstance(caught.value, TransportTimeoutError)


def demanding(certificates):
    context = certificates.server_context()
    context.load_verify_locations(certificates.ca_file)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_stalled_handshake_is_a_timeout(opened, certificates):
    server = opened(ScriptedServer(lambda connection: connection.wait()))
    timeouts = Timeouts(connect=0.1, read=5.0)
    transport = opened(Urllib3Transport(tls=trusting(certificates), timeouts=timeouts))
    with pytest.raises(TransportTimeoutError):
        transport.send(HttpRequest("GET", f"https://{server.address}/"))


def test_interrupted_handshake_is_retryable(opened, certificates):
    server = opened(ScriptedServer(lambda connection: connection._file.read(5)))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    with pytest.raises(TransportError) as caught:
        transport.send(HttpRequest("GET", f"https://{server.address}/"))
    assert caught.value.retryable


def test_early_response_is_read_over_tls(opened, certificates):
    def script(connection):
        connection.read_head()
        connection.answer(b"", "401 Unauthorized")
        connection.wait()

    server = opened(ScriptedServer(script, tls=certificates.server_context()))
    transport = opened(Urllib3Transport(tls=trusting(certificates)))
    body = BytesSource(b"x" * 30_000_000)
    with transport.send(HttpRequest("PUT", server.url, body=body)) as response:
        assert response.status == 401


def test_tls_settings_are_made_only_for_https(opened):
    def never(_):
        raise AssertionError("made for a plain address")

    server = opened(ScriptedServer(answering()))
    assert fetch(opened(Urllib3Transport(tls=never)), server.url) == (200, b"hello")


# --- Proxies ------------------------------------------------------------------------------


def login(user_and_password):
    return "Basic " + base64.b64encode(user_and_password.encode()).decode()


def test_plain_http_goes_through_the_proxy(opened):
    seen = Queue()

    def script(connection):
        seen.put(connection.read_request())
        connection.answer(b"by proxy")

    proxy = opened(ScriptedServer(script))
    settings = ProxySettings(http=f"http://user:{SECRET}%40@{proxy.address}")
    transport = opened(Urllib3Transport(proxies=settings))
    assert fetch(transport, "http://registry.test:5000/v2/?a=1") == (200, b"by proxy")
    request = seen.get(timeout=5)
    assert request.line == "GET http://registry.test:5000/v2/?a=1 HTTP/1.1"
    assert request.headers["host"] == "registry.test:5000"
    assert request.headers["proxy-authorization"] == login(f"user:{SECRET}@")


def test_hosts_in_no_proxy_are_reached_directly(opened):
    server = opened(ScriptedServer(answering(b"directly")))
    settings = ProxySettings(http="http://127.0.0.1:1")
    assert fetch(opened(Urllib3Transport(proxies=settings)), server.url) == (200, b"directly")


def tunnelling(address, seen):
    def script(connection):
        seen.put(connection.read_head())
        connection.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
        connection.relay_to(address)

    return script


@pytest.mark.parametrize("proxy_speaks_tls", [False, True], ids=["http", "https"])
def test_https_is_tunnelled_and_the_server_is_verified(
    opened, certificates, tmp_path, proxy_speaks_tls
):
    target = write_certificates(tmp_path)
    server = opened(ScriptedServer(answering(b"tunnelled"), tls=target.server_context()))
    seen = Queue()
    proxy_tls = target.server_context() if proxy_speaks_tls else None
    proxy = opened(ScriptedServer(tunnelling(server.address, seen), tls=proxy_tls))
    scheme = "https" if proxy_speaks_tls else "http"
    # The name means nothing to the proxy, which always leads to our server.
    settings = _OneProxy(f"{scheme}://user:{SECRET}@localhost:{proxy.port}")
    transport = opened(Urllib3Transport(tls=trusting(target), proxies=settings))
    assert fetch(transport, "https://localhost:7/v2/") == (200, b"tunnelled")
    head = seen.get(timeout=5)
    assert head.line.startswith("CONNECT localhost:7 HTTP/1.")
    assert head.headers["proxy-authorization"] == login(f"user:{SECRET}")
    untrusting = opened(Urllib3Transport(tls=trusting(certificates), proxies=settings))
    with pytest.raises(TlsError):
        fetch(untrusting, "https://localhost:7/v2/")


class _OneProxy:
    def __init__(self, address):
        self.address = address

    def proxy_for(self, url):
        return self.address


def test_proxy_authentication_failure_is_an_error(opened, certificates):
    def script(connection):
        connection.read_head()
        connection.answer(b"", "407 Proxy Authentication Required")

    proxy = opened(ScriptedServer(script))
    settings = ProxySettings(https=f"http://user:{SECRET}@{proxy.address}")
    transport = opened(Urllib3Transport(tls=trusting(certificates), proxies=settings))
    with pytest.raises(TransportError) as caught:
        transport.send(HttpRequest("GET", "https://registry.test/v2/"))
    assert "proxy" in caught.value.reason
    assert "407" in caught.value.reason
    assert not caught.value.retryable
    assert SECRET not in str(caught.value)


def test_unreachable_proxy_is_retryable(opened, certificates):
    settings = ProxySettings(http="http://127.0.0.1:1", https="http://127.0.0.1:1")
    transport = opened(Urllib3Transport(tls=trusting(certificates), proxies=settings))
    for url in ("http://registry.test/", "https://registry.test/"):
        with pytest.raises(TransportError) as caught:
            transport.send(HttpRequest("GET", url))
        assert caught.value.retryable
        assert "proxy" in caught.value.reason


# --- Plain HTTP to a server that expects TLS ----------------------------------------------


def test_plain_http_request_to_a_tls_server_hints_at_tls(opened, certificates):
    server = opened(ScriptedServer(answering(), tls=certificates.server_context()))
    transport = opened(Urllib3Transport())
    with pytest.raises(TransportError, match="If the registry uses TLS, set plain_http = false"):
        fetch(transport, f"http://127.0.0.1:{server.port}/v2/")


@pytest.mark.parametrize("hang_up", ["close", "reset"])
def test_closed_connection_hints_at_tls(opened, hang_up):
    server = opened(ScriptedServer(lambda connection: getattr(connection, hang_up)()))
    transport = opened(Urllib3Transport())
    with pytest.raises(TransportError, match="sent without TLS"):
        fetch(transport, server.url)


@pytest.mark.parametrize(
    "head", ["Content-Length: -1", "Transfer-Encoding: br", "A : b", "A: \0"], ids=repr
)
def test_a_malformed_response_does_not_hint_at_tls(opened, head):
    def script(connection):
        connection.read_request()
        connection.send(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode())
        connection.wait()

    server = opened(ScriptedServer(script))
    transport = opened(Urllib3Transport())
    with pytest.raises(TransportError) as caught:
        fetch(transport, server.url)
    assert "TLS" not in str(caught.value)


def test_refused_connection_does_not_hint_at_tls(opened):
    with ScriptedServer(answering()) as server:
        pass  # its port is free again
    transport = opened(Urllib3Transport())
    with pytest.raises(TransportError) as caught:
        fetch(transport, server.url)
    assert "TLS" not in caught.value.reason


# --- Connections that the server has reset ------------------------------------------------


class OtherContext(ssl.SSLContext):
    """A context of another library."""


@pytest.mark.parametrize("proxy", ["", "https://localhost:9"])
@pytest.mark.parametrize("kind", [ssl.SSLContext, OtherContext])
def test_connection_that_was_reset_before_the_handshake_is_closed(opened, monkeypatch, kind, proxy):
    listener = opened(socket.create_server(("127.0.0.1", 0)))

    def connect(*_):
        ours = socket.create_connection(listener.getsockname())
        reset(listener.accept()[0])
        return ours

    monkeypatch.setattr(Dialer, "connect", connect)
    transport = opened(
        Urllib3Transport(
            tls=lambda _: kind(ssl.PROTOCOL_TLS_CLIENT), proxies=ProxySettings(https=proxy)
        )
    )
    with pytest.raises(TransportError):
        fetch(transport, "https://localhost:9/v2/")
    gc.collect()  # a socket that was left open is an error here
