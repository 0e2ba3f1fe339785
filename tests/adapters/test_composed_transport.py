"""The transport that the settings make: TLS by host, configuration errors, timeouts."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

import oras.client
from oras_adapters.factory import compose
from oras_adapters.settings.settings import (
    HostSettings,
    ProxySettings,
    Settings,
    TlsSettings,
    load_settings,
)
from oras_core.errors import InvalidConfigurationError, TransportTimeoutError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest
from support.certificates import write_certificates
from support.scripted_server import ScriptedServer


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def opened():
    with ExitStack() as stack:
        yield stack.enter_context


def answering(connection):
    while connection.read_request() is not None:
        connection.answer(b"hello")


def fetch(composition, host, url):
    with composition.transport(host).send(HttpRequest("GET", url)) as response:
        return response.body.read()


# --- TLS belongs to a host ----------------------------------------------------------------


def own(certificates, **more):
    return TlsSettings(ca_bundle=str(certificates.ca_file), **more)


@pytest.mark.parametrize("name", ["LOCALHOST:{}", "localhost.:{}", "LocalHost.:{}"])
def test_settings_of_a_host_apply_in_any_spelling(opened, certificates, name):
    server = opened(ScriptedServer(answering, tls=certificates.server_context()))
    named = name.format(server.port)
    hosts = {named: HostSettings(plain_http=False, tls=own(certificates))}
    composition = opened(compose(Settings(hosts=hosts)))
    for spelling in (named, f"localhost:{server.port}"):
        assert not composition.plain_http(spelling)
        assert fetch(composition, spelling, f"https://localhost:{server.port}/") == b"hello"


@pytest.mark.parametrize(
    ("spelling", "authority"),
    [
        ("docker.io", "registry-1.docker.io"),
        ("index.docker.io", "registry-1.docker.io"),
        ("ghcr.io:443", "ghcr.io"),
        ("GHCR.io.", "ghcr.io:443"),
    ],
)
def test_names_of_one_registry_share_their_settings(spelling, authority):
    chosen = HostSettings(chunk_size=5)
    assert Settings(hosts={spelling: chosen}).host(authority) == chosen


def test_tls_sessions_are_resumed(opened, certificates):
    context = certificates.server_context()
    reused = []

    def script(connection):
        connection.read_request()
        reused.append(connection._socket.session_reused)
        connection.answer(b"hello", "200 OK", "Connection: close")

    server = opened(ScriptedServer(script, tls=context))
    composition = opened(compose(Settings(tls=own(certificates))))
    for _ in range(3):
        host = f"localhost:{server.port}"
        assert fetch(composition, host, f"https://{host}/") == b"hello"
    assert reused == [False, True, True]


# --- Configuration errors -----------------------------------------------------------------


@pytest.mark.parametrize(
    "tls",
    [
        TlsSettings(ca_bundle="missing.pem"),
        TlsSettings(extra_authorities=("missing.pem",)),
        TlsSettings(client_certificate="missing.pem"),
        TlsSettings(client_key="missing.pem"),
    ],
    ids=["bundle", "authority", "certificate", "key"],
)
def test_missing_file_is_named(opened, tls):
    composition = opened(compose(Settings(tls=tls)))
    with pytest.raises(InvalidConfigurationError, match=r"missing\.pem"):
        composition.repository("registry.test/demo").resolve("v1")


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_missing_bundle_of_a_variable_is_named(monkeypatch, tmp_path, variable):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path / "missing.pem"))
    client = oras.client.OrasClient()
    with pytest.raises(InvalidConfigurationError) as caught:
        client.get_tags("registry.test/demo")
    assert "missing.pem" in str(caught.value)


def test_missing_bundle_of_an_argument_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    client = oras.client.OrasClient(tls_verify=str(tmp_path / "missing.pem"))
    with pytest.raises(InvalidConfigurationError) as caught:
        client.get_tags("registry.test/demo")
    assert "missing.pem" in str(caught.value)


def test_invalid_proxy_is_named_when_used(opened):
    def script(connection):
        while connection.read_request() is not None:
            connection.answer(b"hello")

    server = opened(ScriptedServer(script))
    proxy = ProxySettings(http="ftp://proxy.test", https="ftp://proxy.test")
    composition = opened(compose(Settings(proxy=proxy)))
    assert fetch(composition, server.address, server.url) == b"hello"
    with pytest.raises(InvalidConfigurationError, match="HTTPS_PROXY"):
        composition.repository("registry.test/demo").resolve("v1")


def test_proxy_for_all_schemes_gets_the_requests(opened):
    asked = []

    def script(connection):
        while (request := connection.read_request()) is not None:
            asked.append(request.line)
            connection.answer(b"hello")

    proxy = opened(ScriptedServer(script))
    composition = opened(compose(load_settings({"all_proxy": proxy.url})))
    assert fetch(composition, "far.test", "http://far.test/v2/") == b"hello"
    assert asked == ["GET http://far.test/v2/ HTTP/1.1"]


# --- Timeouts -----------------------------------------------------------------------------

QUICK = 0.4
SEVERAL = 12 * QUICK + 3.0
"""Far less than the default of a minute; with pauses, and room for a busy machine."""


def silent(connection):
    connection.wait()  # whatever arrives: a request, or the question whether it speaks TLS


def test_silent_registry_is_an_error_within_a_few_timeouts(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    server = opened(ScriptedServer(silent))
    start = time.monotonic()
    client = oras.client.OrasClient(timeout=QUICK)
    with pytest.raises(TransportTimeoutError):
        client.get_manifest(f"{server.address}/demo:v1")
    assert time.monotonic() - start < SEVERAL
    composition = opened(compose(Settings(), timeout=(5.0, QUICK)))
    with pytest.raises(TransportTimeoutError):
        composition.repository(f"{server.address}/demo").resolve("v1")
    assert time.monotonic() - start < 2 * SEVERAL


def test_stalled_blob_is_an_error_within_a_few_timeouts(opened):
    content = bytes(1000)

    def stalling(connection):
        connection.read_request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + content[:500])
        connection.wait()

    server = opened(ScriptedServer(stalling))
    composition = opened(compose(Settings(), timeout=QUICK))
    repository = composition.repository(f"{server.address}/demo")
    descriptor = Descriptor("application/octet-stream", Digest.of(content), len(content))
    start = time.monotonic()
    stream = repository.fetch(descriptor)
    with pytest.raises(TransportTimeoutError):
        stream.read()
    stream.close()
    assert time.monotonic() - start < SEVERAL
