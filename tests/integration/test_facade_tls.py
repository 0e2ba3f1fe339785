"""TLS by the facade: one client's `tls_verify`, the settings' hosts, and `certs.d`."""

from __future__ import annotations

import logging
import shutil

import pytest

from oras.client import OrasClient
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import TlsError
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(certificates):
    server = RegistryServer(EmbeddedRegistry(), host="localhost", tls=certificates.server_context())
    with server:
        yield server.address


@pytest.fixture
def settings(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))

    def write(text):
        folder = tmp_path / "oras"
        folder.mkdir()
        (folder / "config.toml").write_text(text)

    return write


def push(client, address, tmp_path):
    (tmp_path / "file.txt").write_text("content")
    response = client.push(
        f"{address}/a:v1",
        files=[str(tmp_path / "file.txt")],
        disable_path_validation=True,
        quiet=True,
    )
    return response.status_code


def test_tls_verify_false_applies_to_one_client_and_warns(secure, settings, tmp_path, caplog):
    settings(f'[network]\nattempts = 1\n[hosts."{secure}"]\nplain_http = false\n')
    careless, careful = OrasClient(tls_verify=False), OrasClient()
    with caplog.at_level(logging.WARNING):
        assert push(careless, secure, tmp_path) == 201
    assert "not verified" in caplog.text
    with pytest.raises(TlsError):
        push(careful, secure, tmp_path)
    assert push(careless, secure, tmp_path) == 201


def test_tls_verify_overrides_the_settings_of_a_host(secure, settings, tmp_path, certificates):
    settings(f'[network]\nattempts = 1\n[hosts."{secure}"]\ntls.verify = true\n')
    assert push(OrasClient(tls_verify=False), secure, tmp_path) == 201
    assert push(OrasClient(tls_verify=str(certificates.ca_file)), secure, tmp_path) == 201


def test_settings_of_a_host_apply_to_the_client(secure, settings, tmp_path, certificates):
    settings(f'[hosts."{secure}"]\nplain_http = false\ntls.ca_bundle = "{certificates.ca_file}"\n')
    assert push(OrasClient(), secure, tmp_path) == 201


def test_plain_http_setting_applies_to_its_host_only(settings, tmp_path):
    with RegistryServer(EmbeddedRegistry()) as server:
        settings(f'[hosts."{server.address}"]\nplain_http = true\n')
        assert push(OrasClient(tls_verify=False), server.address, tmp_path) == 201


def test_certificates_in_certs_d_are_used(secure, monkeypatch, tmp_path, certificates):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    place = tmp_path / "containers" / "certs.d" / secure
    place.mkdir(parents=True)
    shutil.copy(certificates.ca_file, place / "ca.crt")
    assert push(OrasClient(), secure, tmp_path) == 201
