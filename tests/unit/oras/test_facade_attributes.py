"""Subclasses that set the attributes themselves, and attributes assigned at any time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

import oras.auth
import oras.provider
from oras._client import attributes
from oras._client.connections import Connections
from oras.decorator import ensure_container
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry

USERS = {"alice": "open sesame"}


class Bare(oras.provider.Registry):
    """Never calls `super().__init__`, as some clients do."""

    def __init__(self):
        pass


class SetsAll(oras.provider.Registry):
    def __init__(self, hostname, *, insecure=False):
        self.hostname = hostname
        self.headers = {}
        self.session = requests.Session()
        self.prefix = "http" if insecure else "https"
        self._tls_verify = False
        self.token = None
        self.auth = oras.auth.get_auth_backend("basic", self.session)

    @ensure_container
    def name(self, container):
        return container.uri


@pytest.fixture
def registry():
    return EmbeddedRegistry(users=USERS)


@pytest.fixture
def address(registry, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "artifact.txt").write_text("hello\n")
    with RegistryServer(registry) as server:
        yield server.address


def push(client, address):
    return client.push(f"{address}/a/b:v1", files=["artifact.txt"], quiet=True).status_code


def test_subclass_works_without_calling_the_constructor(address):
    client = Bare()
    assert (client.hostname, client.headers, client.tls_verify) == (None, {}, True)
    assert client.session is client.session
    client.auth.set_basic_auth("alice", "open sesame")
    assert push(client, address) == 201
    assert client.get_tags(f"{address}/a/b") == ["v1"]
    assert client.prefix == "http"


@pytest.mark.parametrize("insecure", [True, False])
def test_subclass_can_set_all_attributes(address, insecure):
    client = SetsAll(address, insecure=insecure)
    client.auth.set_basic_auth("alice", "open sesame")
    assert client.name("a/b:v1") == f"{address}/a/b:v1"
    assert push(client, address) == 201
    assert len(client.pull("a/b:v1", outdir="out")) == 1


def test_clients_share_no_mutable_attributes():
    one, other = Bare(), Bare()
    one.headers["X-Team"] = "one"
    assert other.headers == {}
    assert one.auth is not other.auth
    assert one.connections is not other.connections


def test_private_tls_verify_attribute_can_be_assigned():
    client = oras.provider.Registry()
    client._tls_verify = "/ca.pem"
    assert client.tls_verify == client._tls_verify == "/ca.pem"


def test_prefix_can_be_assigned(address):
    client = oras.provider.Registry(hostname="registry.invalid")
    assert client.prefix == "https"
    client.prefix = "http"
    assert client.prefix == "http"
    client.auth.set_basic_auth("alice", "open sesame")
    client.hostname = address
    assert push(client, address) == 201


def test_headers_can_be_assigned(address, registry):
    client = oras.provider.Registry(hostname=address)
    client.auth.set_basic_auth("alice", "open sesame")
    push(client, address)
    client.headers = {"X-Team": "second"}
    client.get_tags("a/b")
    assert registry.requests[-1].headers["x-team"] == "second"


def test_credential_is_sent_to_the_hostname_assigned_last(address):
    client = oras.provider.Registry(hostname="registry.invalid")
    client.hostname = address
    client.auth.set_basic_auth("alice", "open sesame")
    assert push(client, address) == 201


def test_auth_backend_can_be_assigned(address):
    client = oras.provider.Registry()
    with pytest.raises(ValueError, match="Unauthorized"):
        push(client, address)
    client.auth = oras.auth.get_auth_backend("basic")
    client.auth.set_basic_auth("alice", "open sesame")
    assert push(client, address) == 201


def test_subclass_can_set_its_own_session(address):
    class Keeps(oras.provider.Registry):
        _session = None

        @property
        def session(self):
            if self._session is None:
                self._session = requests.Session()
            return self._session

        @session.setter
        def session(self, session):
            self._session = session

    client = Keeps(hostname=address)
    client.auth.set_basic_auth("alice", "open sesame")
    assert push(client, address) == 201


def test_threads_share_the_connections_of_a_client(monkeypatch):
    client = Bare()
    made = []

    def make(owner):
        """Let another thread use the client while the first thread makes the connections."""
        connections = Connections(owner)
        made.append(connections)
        if len(made) == 1:
            others.append(threads.submit(lambda: client.connections).result(10))
        return connections

    others = []
    monkeypatch.setattr(attributes, "Connections", make)
    with ThreadPoolExecutor(1) as threads:
        assert [client.connections] == others
