"""The contract of the HTTP port: over a socket, and over the origin without one."""

from __future__ import annotations

import pytest

from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.testing.contracts.http import ContractOrigin, HttpTransportContract


@pytest.fixture
def origin():
    return ContractOrigin()


class TestUrllib3Transport(HttpTransportContract):
    @pytest.fixture
    def base_url(self, origin):
        with RegistryServer(origin) as server:
            yield server.url

    @pytest.fixture
    def transport(self):
        with Urllib3Transport() as transport:
            yield transport


class TestOriginWithoutSocket(HttpTransportContract):
    """The contract's own server is a transport too: what it demands can be kept."""

    @pytest.fixture
    def base_url(self):
        return "http://origin.test"

    @pytest.fixture
    def transport(self, origin):
        return origin
