from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

import oras.main
from oras.main.login import DockerClient
from oras_core.errors import CredentialError
from support.credential_helpers import make_helper

AUTH = base64.b64encode(b"user:pass:word").decode()


def login(path, registry="h.io"):
    return DockerClient().login("user", "pass:word", registry, path and str(path))


def test_login_writes_the_file_and_keeps_it_private(tmp_path):
    path = tmp_path / "folder" / "config.json"
    assert login(path) == {"Status": "Login Succeeded"}
    assert json.loads(path.read_text()) == {"auths": {"h.io": {"auth": AUTH}}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "before", [{}, {"auths": {"other.io": {"auth": "eDp5"}}}, {"psFormat": "x"}]
)
def test_login_keeps_the_rest_of_the_file(tmp_path, before):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(before))
    login(path, "localhost:5000")
    expected = {**before, "auths": {**before.get("auths", {}), "localhost:5000": {"auth": AUTH}}}
    assert json.loads(path.read_text()) == expected


def test_login_accepts_docker_s_default_file_and_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    monkeypatch.delenv("ORAS_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    login(None)
    assert (tmp_path / "docker" / "config.json").exists()
    monkeypatch.chdir(tmp_path)
    login("relative.json")
    assert (tmp_path / "relative.json").exists()


def test_invalid_configuration_file_is_not_changed(tmp_path):
    path = tmp_path / "config.json"
    path.write_text("pass:word, but no JSON")
    with pytest.raises(CredentialError) as caught:
        login(path)
    assert "pass:word" not in str(caught.value)
    assert path.read_text() == "pass:word, but no JSON"


def test_login_module_is_an_attribute_of_its_package():
    assert oras.main.login.DockerClient is DockerClient
    with pytest.raises(AttributeError):
        oras.main.logout  # noqa: B018


def test_login_stores_into_the_configured_credential_helper(tmp_path, monkeypatch):
    helper = make_helper(tmp_path, "fake")
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "config.json"
    path.write_text('{"credHelpers": {"h.io": "fake"}}')
    login(path)
    assert "auths" not in json.loads(path.read_text())
    assert "pass:word" not in path.read_text()
    assert "pass:word" in Path(f"{helper}.json").read_text()
