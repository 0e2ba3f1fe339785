"""A session of the user's own shows its secrets to the registry alone."""

from __future__ import annotations

import base64
import json

import pytest
import requests

import oras.client
from oras.auth import get_auth_backend
from support.hostile_registry import Answer, HostileRegistry, Login, Rule, Shelf
from support.threat_cases import Artifact, Layer

CONTENT = b"the content of a layer\n"
SHOWN = {
    "auth": "secret-of-auth",
    "headers": "secret-of-headers",
    "cookies": "secret-of-cookies",
    "params": "secret-of-params",
    "netrc": "secret-of-netrc",
}


@pytest.fixture
def session(tmp_path, monkeypatch):
    """Return a session that adds a secret in every way that requests knows."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"default login alice password {SHOWN['netrc']}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with requests.Session() as session:
        session.headers.update({"X-Key": SHOWN["headers"], "User-Agent": "own/1.0"})
        session.cookies.set("sid", SHOWN["cookies"])
        session.params = {"key": SHOWN["params"]}
        yield session


def _basic(password):
    return base64.b64encode(f"alice:{password}".encode()).decode()


def shown(server):
    """Return which secrets a server was shown."""
    seen = " ".join(f"{one.line} {json.dumps(dict(one.headers))}" for one in server.received)
    forms = {name: (text, _basic(text)) for name, text in SHOWN.items()}
    return {name for name, alike in forms.items() if any(form in seen for form in alike)}


@pytest.fixture
def store():
    """Return a server that is not the registry."""
    with HostileRegistry(Rule("/b", (Answer(body=CONTENT.decode()),))) as server:
        yield server


def registry(store, **options):
    shelf = Shelf()
    Artifact([Layer("a.txt", CONTENT)]).put_on(shelf)
    moved = Answer("307 Moved", {"Location": f"http://{store.address}/b"})
    return HostileRegistry(Rule("/blobs/sha256:", (moved,)), shelf=shelf, **options)


@pytest.mark.parametrize("authenticates", [True, False])
def test_session_sends_its_secrets_to_the_registry_only(tmp_path, session, store, authenticates):
    if authenticates:
        session.auth = ("alice", SHOWN["auth"])
    with registry(store) as server:
        client = oras.client.OrasClient(insecure=True)
        client.session = session
        (path,) = client.pull(f"{server.address}/app:v1", outdir=str(tmp_path / "out"))
        client.session.close()
        everything = set(SHOWN) - {"netrc" if authenticates else "auth"}
        assert (shown(server), shown(store)) == (everything, set())
        assert store.received
    assert (tmp_path / "out" / "a.txt").read_bytes() == CONTENT
    assert path.endswith("a.txt")


def test_session_sends_no_secrets_to_another_token_server(session, store, tmp_path):
    del session.params["key"]
    issued = Rule("/token", (Answer(body='{"token": "T"}'),))
    with HostileRegistry(issued) as tokens:
        login = Login("bearer", realm=f"http://{tokens.address}/token", password="x")
        with registry(store, login=login) as server:
            client = oras.client.OrasClient(insecure=True)
            client.session = session
            with pytest.raises(ValueError, match="Unauthorized"):
                client.pull(f"{server.address}/app:v1", outdir=str(tmp_path / "out"))
            session.close()
            assert tokens.received
            assert shown(tokens) == set()


def test_backend_sends_no_session_secrets_to_another_token_server(session):
    issued = Rule("/token", (Answer(body='{"token": "T"}'),))
    with HostileRegistry(issued) as tokens:
        backend = get_auth_backend(session=session, insecure=True, hostname="localhost:1")
        backend.load_configs("localhost:1/app")
        challenge = f'Bearer realm="http://{tokens.address}/token",service="s"'
        response = requests.Response()
        response.headers["WWW-Authenticate"] = challenge
        fields, done = backend.authenticate_request(response, {})
        session.close()
        assert (fields, done) == ({"Authorization": "Bearer T"}, True)
        assert tokens.received
        assert shown(tokens) == set()
