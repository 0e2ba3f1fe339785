"""Faults behind a socket: a client of any kind sees the connection break."""

from __future__ import annotations

import http.client
import logging

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_core.content.sources import BytesSource
from oras_core.model.digest import Digest
from oras_core.ports.http import HttpRequest
from oras_core.testing import EmbeddedRegistry, faults

BLOB = bytes(range(256)) * 8
DIGEST = Digest.of(BLOB)
PLACE = f"/v2/team/it/blobs/{DIGEST}"


@pytest.fixture
def registry():
    embedded = EmbeddedRegistry()
    upload = f"http://registry.test/v2/team/it/blobs/uploads/?digest={DIGEST}"
    embedded.send(HttpRequest("POST", upload, {}, BytesSource(BLOB))).close()
    return embedded


def get(server, read):
    connection = http.client.HTTPConnection(server.address, timeout=30)
    try:
        connection.request("GET", PLACE)
        return read(connection.getresponse())
    finally:
        connection.close()


@pytest.mark.parametrize("fault", [faults.ResetResponses, faults.StalledResponses])
@pytest.mark.parametrize("after", [0, 100])
def test_connection_ends_at_the_given_byte(registry, fault, after, caplog):
    with (
        RegistryServer(fault(registry, after=after, times=1)) as server,
        caplog.at_level(logging.WARNING),
    ):
        with pytest.raises(http.client.IncompleteRead) as broken:
            get(server, lambda response: response.read())
        assert broken.value.partial == BLOB[:after]
        assert get(server, lambda response: response.read()) == BLOB
    assert caplog.records == []


def test_connection_ends_before_the_header(registry):
    with RegistryServer(faults.ResetResponses(registry, times=1)) as server:
        with pytest.raises(http.client.RemoteDisconnected):
            get(server, lambda response: response.status)
        assert get(server, lambda response: response.status) == 200


def test_blob_is_redirected_to_the_other_name_of_the_server(registry):
    with RegistryServer(faults.RedirectedBlobs(registry, host="localhost")) as server:
        location = get(server, lambda response: response.headers["Location"])
        port = server.address.rpartition(":")[2]
        assert location.startswith(f"http://localhost:{port}{PLACE}?token=")
