from __future__ import annotations

import pytest

import oras.client
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry


@pytest.fixture
def registry():
    return EmbeddedRegistry(users={"alice": "open sesame"})


@pytest.fixture
def server(registry):
    with RegistryServer(registry) as server:
        yield server


@pytest.fixture
def client(server):
    client = oras.client.OrasClient(hostname=server.address)
    client.auth.set_basic_auth("alice", "open sesame")
    return client


def test_it_sends_as_the_client_does(client, server):
    response = client.session.get(f"{server.url}/v2/")
    assert response.status_code == 200
    assert client.session.request("get", f"{server.url}/v2/", timeout=3).ok
    assert client.session.head(f"{server.url}/v2/a/b/manifests/v1").status_code == 404


def test_every_method_of_http(client, server, registry):
    for method in ("get", "head", "post", "put", "patch", "delete"):
        getattr(client.session, method)(f"{server.url}/v2/a/b/blobs/uploads/")
        assert registry.requests[-1].method == method.upper()


def test_its_headers_are_the_clients(client, server, registry):
    client.session.headers.update({"X-Team": "dinosaurs"})
    client.get_container("a/b")
    client.session.get(f"{server.url}/v2/")
    assert registry.requests[-1].headers["x-team"] == "dinosaurs"
    assert client.headers == {"X-Team": "dinosaurs"}


def test_whom_to_trust_is_the_clients(client):
    client.session.verify = "/ca.pem"
    assert client.tls_verify == client.session.verify == "/ca.pem"


def test_json_is_sent_as_json(client, server, registry):
    client.session.post(f"{server.url}/v2/a/b/blobs/uploads/", json={"a": 1})
    assert registry.requests[-1].headers["Content-Type"] == "application/json"


def test_it_can_be_closed_and_used_again(client, server):
    client.session.get(f"{server.url}/v2/")
    client.session.close()
    assert client.session.get(f"{server.url}/v2/").ok


def test_setting_it_back_ends_a_session_of_ones_own(client, server):
    own, default = object(), client.session
    client.session = own
    assert client.session is own
    client.session = default
    assert client.session.get(f"{server.url}/v2/").ok
