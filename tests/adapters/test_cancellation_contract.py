"""The contract of cancellation: over plain sockets, and over TLS."""

from __future__ import annotations

import pytest

from oras_adapters.http.tls import ssl_context
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.testing.contracts.cancellation import CancellationContract, SilentOrigin
from support.certificates import write_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def origin():
    origin = SilentOrigin()
    yield origin
    origin.released.set()


class TestUrllib3Transport(CancellationContract):
    @pytest.fixture
    def base_url(self, origin):
        with RegistryServer(origin) as server:
            yield server.url
            origin.released.set()

    @pytest.fixture
    def transport(self):
        with Urllib3Transport() as transport:
            yield transport


class TestUrllib3TransportOverTls(CancellationContract):
    @pytest.fixture
    def base_url(self, origin, certificates):
        with RegistryServer(origin, host="localhost", tls=certificates.server_context()) as server:
            yield server.url
            origin.released.set()

    @pytest.fixture
    def transport(self, certificates):
        def tls(_):
            return ssl_context(ca_bundle=str(certificates.ca_file))

        with Urllib3Transport(tls=tls) as transport:
            yield transport
