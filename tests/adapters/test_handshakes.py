"""A copy over HTTPS makes a handshake for each connection, and none for each request."""

from __future__ import annotations

import pytest

from oras_adapters import (
    Client,
    HostSettings,
    RegistryServer,
    Settings,
    TlsSettings,
    TransferSettings,
)
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates

FILES = 12
CONNECTIONS = 4


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_handshakes_are_as_few_as_connections(certificates, tmp_path):
    context = certificates.server_context()
    handshakes = []
    context.sni_callback = lambda connection, name, own: handshakes.append(name)
    files = [tmp_path / f"{number}.bin" for number in range(FILES)]
    for number, file in enumerate(files):
        file.write_bytes(bytes([number]) * 1000)
    with RegistryServer(EmbeddedRegistry(), host="localhost", tls=context) as server:
        host = f"localhost:{server.address.rpartition(':')[2]}"
        place = f"{host}/team/files:v1"
        settings = Settings(
            tls=TlsSettings(ca_bundle=str(certificates.ca_file)),
            transfer=TransferSettings(concurrency=CONNECTIONS),
            hosts={host: HostSettings(plain_http=False)},
        )
        with Client(settings) as client:
            client.push(place, files)
            pushed = len(handshakes)
            client.pull(place, tmp_path / "out")
    assert pushed <= CONNECTIONS
    assert len(handshakes) == pushed, "the pull reuses the connections of the push"
    assert len(list((tmp_path / "out").iterdir())) == FILES
