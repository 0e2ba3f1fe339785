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


def test_session_sends_like_the_client(client, server):
    response = client.session.get(f"{server.url}/v2/")
    assert response.status_code == 200
    assert client.session.request("get", f"{server.url}/v2/", timeout=3).ok
    assert client.session.head(f"{server.url}/v2/a/b/manifests/v1").status_code == 404


def test_session_has_every_http_method(client, server, registry):
    for method in ("get", "head", "post", "put", "patch", "delete"):
        getattr(client.session, method)(f"{server.url}/v2/a/b/blobs/uploads/")
        assert registry.requests[-1].method == method.upper()


def test_session_headers_are_the_client_s(client, server, registry):
    client.session.headers.update({"X-Team": "dinosaurs"})
    client.get_container("a/b")
    client.session.get(f"{server.url}/v2/")
    assert registry.requests[-1].headers["x-team"] == "dinosaurs"
    assert client.headers == {"X-Team": "dinosaurs"}


def test_session_verify_is_the_client_s(client):
    client.session.verify = "/ca.pem"
    assert client.tls_verify == client.session.verify == "/ca.pem"


def test_session_sends_json(client, server, registry):
    client.session.post(f"{server.url}/v2/a/b/blobs/uploads/", json={"a": 1})
    assert registry.requests[-1].headers["Content-Type"] == "application/json"


def test_session_can_be_used_after_close(client, server):
    client.session.get(f"{server.url}/v2/")
    client.session.close()
    assert client.session.get(f"{server.url}/v2/").ok


def test_assigned_session_can_be_reset_to_the_default(client, server):
    own, default = object(), client.session
    client.session = own
    assert client.session is own
    client.session = default
    assert client.session.get(f"{server.url}/v2/").ok


# --- What only a session of requests has --------------------------------------------------


def test_mounted_adapter_is_used(client, server):
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
def test_attribute_of_requests_is_taken_from_a_requests_session(client, name, value):
    setattr(client.session, name, value)
    assert getattr(client.session, name) == value
    assert isinstance(client.session, requests.Session)


def test_proxies_can_be_updated(client):
    client.session.proxies.update({"http": "http://127.0.0.1:1"})
    assert client.session.proxies == {"http": "http://127.0.0.1:1"}


def test_session_refuses_cookies(client, server):
    client.session.cookies  # noqa: B018 - the first use makes a session of requests
    policy = client.session.cookies.get_policy()
    assert policy.is_not_allowed("localhost")


def test_client_headers_are_kept(client, server, registry):
    client.headers["X-Team"] = "dinosaurs"
    client.session.trust_env = False
    client.do_request(f"{server.url}/v2/")
    assert registry.requests[-1].headers["x-team"] == "dinosaurs"


def test_missing_requests_error_says_what_to_assign(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", None)
    with pytest.raises(UnsupportedError, match=r"assign a requests\.Session"):
        client.session.mount("http://", object())


def test_session_auth_is_the_client_s_credential(server):
    client = oras.client.OrasClient(hostname=server.address)
    assert client.session.auth is None
    client.session.auth = ("alice", "open sesame")
    assert client.session.auth == ("alice", "open sesame")
    assert client.do_request(f"{server.url}/v2/").ok


def test_session_is_a_context_manager(client, server):
    with client.session as session:
        assert session.get(f"{server.url}/v2/").ok


def test_unknown_attribute_is_an_attribute_error(client):
    with pytest.raises(AttributeError, match="nothing"):
        client.session.nothing  # noqa: B018
