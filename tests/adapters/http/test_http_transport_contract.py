"""The contract of the HTTP port: over a socket, and over the origin without one."""

from __future__ import annotations

import pytest

from oras_adapters.http.heads import parse_by_library, parser
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.testing.contracts.http import ContractOrigin, HttpTransportContract

PARSERS = {"by library": parse_by_library, "fastest": parser()}


@pytest.fixture
def origin():
    return ContractOrigin()


class TestUrllib3Transport(HttpTransportContract):
    @pytest.fixture
    def base_url(self, origin):
        with RegistryServer(origin) as server:
            yield server.url

    @pytest.fixture(params=PARSERS, ids=str)
    def transport(self, request):
        with Urllib3Transport(parse=PARSERS[request.param]) as transport:
            yield transport


class TestOriginWithoutSocket(HttpTransportContract):
    """The contract's own server is a transport too: what it demands can be kept."""

    @pytest.fixture
    def base_url(self):
        return "http://origin.test"

    @pytest.fixture
    def transport(self, origin):
        return origin
