"""TLS settings belong to a host: no other host gets the certificate or skips verification."""

from __future__ import annotations

import ssl
from contextlib import ExitStack

import pytest

from oras_adapters.factory import compose
from oras_adapters.settings.settings import HostSettings, NetworkSettings, Settings, TlsSettings
from oras_core.errors import TlsError
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


def noting(certificates, seen):
    """Return a script and TLS settings for a server that notes who shows a certificate."""
    context = certificates.server_context()
    context.load_verify_locations(certificates.ca_file)
    context.verify_mode = ssl.CERT_OPTIONAL

    def script(connection):
        while connection.read_request() is not None:
            seen.append(bool(connection._socket.getpeercert()))
            connection.answer(b"hello")

    return {"tls": context}, script


def fetch(composition, host, url):
    with composition.transport(host).send(HttpRequest("GET", url)) as response:
        return response.body.read()


def own(certificates, **more):
    return TlsSettings(ca_bundle=str(certificates.ca_file), **more)


def test_client_certificate_is_sent_to_its_own_host_only(opened, certificates):
    seen = {"registry": [], "storage": []}
    servers = {}
    for name, notes in seen.items():
        options, script = noting(certificates, notes)
        servers[name] = opened(ScriptedServer(script, **options))
    registry = f"localhost:{servers['registry'].port}"
    mutual = own(
        certificates,
        client_certificate=str(certificates.client_certificate),
        client_key=str(certificates.client_key),
    )
    settings = Settings(tls=own(certificates), hosts={registry: HostSettings(tls=mutual)})
    composition = opened(compose(settings))
    # Redirects and token requests go through the transport of the registry.
    for name in ("registry", "storage"):
        url = f"https://localhost:{servers[name].port}/"
        assert fetch(composition, registry, url) == b"hello"
    assert seen == {"registry": [True], "storage": [False]}


def test_verification_is_off_for_its_own_host_only(opened, certificates):
    servers = [
        opened(ScriptedServer(noting(certificates, [])[1], tls=certificates.server_context()))
        for _ in range(2)
    ]
    one, other = (f"localhost:{server.port}" for server in servers)
    careless = HostSettings(tls=TlsSettings(verify=False))
    settings = Settings(network=NetworkSettings(attempts=1), hosts={one: careless})
    composition = opened(compose(settings))
    assert fetch(composition, one, f"https://{one}/") == b"hello"
    with pytest.raises(TlsError):
        fetch(composition, one, f"https://{other}/")
