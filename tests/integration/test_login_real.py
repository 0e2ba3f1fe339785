"""Logging in and out, and layouts on disk, with real registries and another client."""

from __future__ import annotations

import base64
import json
import logging

import pytest

import oras.auth
from oras.client import OrasClient
from oras_core.errors import AuthenticationError

WRITER = ("writer", "writer-secret")
SECRETS = ("writer-secret",)


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A home without credentials, and a working directory with one file."""
    for name in ("ORAS_USER", "ORAS_PASS", "ORAS_REGISTRY", "ORAS_CONFIG", "REGISTRY_AUTH_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "artifact.txt").write_text("content\n")
    monkeypatch.chdir(work)
    return tmp_path


@pytest.fixture(params=["htpasswd_registry", "token_registry"])
def registry(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def config(home):
    return home / "docker" / "config.json"


def push(client, target):
    return client.push(target, files=["artifact.txt"], quiet=True)


def test_refused_login_is_not_stored(registry, config, repository_name):
    client = OrasClient(hostname=registry.address)
    with pytest.raises(AuthenticationError) as caught:
        client.login("writer", "wrong")
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, oras.auth.AuthenticationException)
    assert "wrong" not in str(caught.value)
    assert not config.exists()
    with pytest.raises(ValueError, match="401"):
        push(client, f"{registry.address}/{repository_name}:v1")


@pytest.mark.parametrize("backend", ["token", "basic", "ecr"])
def test_login_is_used_by_this_client_and_later_ones(registry, config, repository_name, backend):
    target = f"{registry.address}/{repository_name}:v1"
    client = OrasClient(auth_backend=backend)
    assert client.login(*WRITER, hostname=registry.address) == {"Status": "Login Succeeded"}
    encoded = base64.b64encode(b"writer:writer-secret").decode()
    assert json.loads(config.read_text()) == {"auths": {registry.address: {"auth": encoded}}}
    assert push(client, target).status_code == 201
    later = OrasClient()
    assert later.get_tags(target) == ["v1"]


def test_login_is_used_after_an_earlier_refusal(registry, repository_name):
    target = f"{registry.address}/{repository_name}:v1"
    client = OrasClient()
    with pytest.raises(ValueError, match="401"):
        push(client, target)
    client.login(*WRITER, hostname=registry.address)
    assert push(client, target).status_code == 201


def test_logout_removes_every_credential(registry, config, repository_name, caplog):
    caplog.set_level(logging.INFO, "oras")
    target = f"{registry.address}/{repository_name}:v1"
    client = OrasClient(hostname=registry.address)
    client.login(*WRITER)
    push(client, target)
    # The other name of the same host.
    client.logout(registry.address.replace("127.0.0.1", "localhost"))
    assert "You have successfully logged out of localhost:" in caplog.text
    assert json.loads(config.read_text()) == {"auths": {}}
    with pytest.raises(ValueError, match="401"):
        client.get_tags(target)
    client.logout(registry.address)
    assert f"You are not logged in to {registry.address}" in caplog.text


def test_login_into_a_given_configuration_file(registry, config, home, repository_name):
    target = f"{registry.address}/{repository_name}:v1"
    own = home / "own.json"
    client = OrasClient()
    client.login(*WRITER, hostname=registry.address, config_path=own)
    assert registry.address in json.loads(own.read_text())["auths"]
    assert not config.exists()
    assert push(client, target).status_code == 201
    with pytest.raises(ValueError, match="401"):
        OrasClient().get_tags(target)
    later = OrasClient()
    assert later.pull(target, config_path=str(own))
    later.logout(registry.address)
    assert json.loads(own.read_text())["auths"] == {}


def test_login_without_a_registry_is_for_the_first_one_used(registry, config, repository_name):
    client = OrasClient()
    # As in the user guide.
    assert client.login(username="writer", password="writer-secret", insecure=True) == {
        "Status": "Login Succeeded"
    }
    assert not config.exists()
    assert push(client, f"{registry.address}/{repository_name}:v1").status_code == 201


def test_credential_is_not_sent_to_another_registry(
    htpasswd_registry, token_registry, repository_name
):
    client = OrasClient()
    client.login(*WRITER)
    push(client, f"{htpasswd_registry.address}/{repository_name}:v1")
    asked = len(token_registry.token_server.requests)
    with pytest.raises(ValueError, match=r"40[13]"):
        push(client, f"{token_registry.address}/{repository_name}:v1")
    asking = token_registry.token_server.requests[asked:]
    assert asking
    assert not any(request.authorization for request in asking)


def test_credential_from_the_environment_is_used(registry, monkeypatch, repository_name):
    monkeypatch.setenv("ORAS_USER", "writer")
    monkeypatch.setenv("ORAS_PASS", "writer-secret")
    client = OrasClient()
    assert (client.auth.username, client.auth.password) == WRITER
    assert push(client, f"{registry.address}/{repository_name}:v1").status_code == 201


def test_login_over_tls(tls_token_registry, repository_name):
    client = OrasClient(hostname=tls_token_registry.address, tls_verify=False)
    client.login(*WRITER, tls_verify=False)
    assert push(client, f"{tls_token_registry.address}/{repository_name}:v1").status_code == 201
    trusting = OrasClient()
    trusting.login(
        *WRITER,
        hostname=tls_token_registry.address,
        tls_verify=str(tls_token_registry.ca_file),
    )
