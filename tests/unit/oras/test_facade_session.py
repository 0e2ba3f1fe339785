from __future__ import annotations

import sys

import pytest
import requests

import oras.client
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import UnsupportedError
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


# --- What only a session of requests has --------------------------------------------------


def test_an_adapter_can_be_mounted_and_is_used(client, server):
    class Counting(requests.adapters.HTTPAdapter):
        sent = 0

        def send(self, *args, **kwargs):
            type(self).sent += 1
            return super().send(*args, **kwargs)

    session = client.session
    session.mount("http://", Counting())
    assert isinstance(client.session, requests.Session)
    assert client.get_container("a/b")
    client.do_request(f"{server.url}/v2/")
    assert Counting.sent > 0
    assert session.get(f"{server.url}/v2/").ok


@pytest.mark.parametrize(
    ("name", "value"),
    [("proxies", {"http": "http://127.0.0.1:1"}), ("cert", "/c.pem"), ("trust_env", False)],
)
def test_an_attribute_of_requests_reaches_a_session_of_requests(client, name, value):
    setattr(client.session, name, value)
    assert getattr(client.session, name) == value
    assert isinstance(client.session, requests.Session)


def test_proxies_can_be_updated(client):
    client.session.proxies.update({"http": "http://127.0.0.1:1"})
    assert client.session.proxies == {"http": "http://127.0.0.1:1"}


def test_cookies_are_refused_as_ever(client, server):
    client.session.cookies  # noqa: B018 - the first use makes a session of requests
    policy = client.session.cookies.get_policy()
    assert policy.is_not_allowed("localhost")


def test_the_headers_of_the_client_are_kept(client, server, registry):
    client.headers["X-Team"] = "dinosaurs"
    client.session.trust_env = False
    client.do_request(f"{server.url}/v2/")
    assert registry.requests[-1].headers["x-team"] == "dinosaurs"


def test_without_requests_the_error_says_what_to_assign(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(UnsupportedError, match=r"assign a requests\.Session"):
        client.session.mount("http://", object())


def test_auth_is_the_credential_of_the_client(server):
    client = oras.client.OrasClient(hostname=server.address)
    assert client.session.auth is None
    client.session.auth = ("alice", "open sesame")
    assert client.session.auth == ("alice", "open sesame")
    assert client.do_request(f"{server.url}/v2/").ok


def test_it_is_a_context_manager(client, server):
    with client.session as session:
        assert session.get(f"{server.url}/v2/").ok


def test_an_unknown_attribute_is_an_attribute_error(client):
    with pytest.raises(AttributeError, match="nothing"):
        client.session.nothing  # noqa: B018
