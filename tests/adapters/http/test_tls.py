"""TLS settings: what is trusted, and what is said where that cannot be."""

from __future__ import annotations

import gc
import logging
import socket
import ssl
import sys
from types import ModuleType

import pytest

from oras_adapters import RegistryServer
from oras_adapters.http.tls import ssl_context, wrap_connected
from oras_adapters.registry_server.certificates import issue_certificate
from oras_core.errors import InvalidConfigurationError
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates
from support.tcp_proxy import reset


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_servers_are_verified_by_default(caplog):
    context = ssl_context()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert not caplog.records


def test_bundle_replaces_the_system_authorities(certificates):
    context = ssl_context(ca_bundle=str(certificates.ca_file))
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_folder_of_pem_files_is_trusted(certificates, tmp_path):
    tmp_path.joinpath("company.pem").write_bytes(certificates.ca_file.read_bytes())
    tmp_path.joinpath("README").write_text("The authorities of the company.")
    context = ssl_context(ca_bundle=str(tmp_path))
    assert len(context.get_ca_certs()) == 1
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_folder_of_hashed_names_is_read_by_openssl(certificates, tmp_path):
    tmp_path.joinpath("5ed36f99.0").write_bytes(certificates.ca_file.read_bytes())
    ssl_context(ca_bundle=str(tmp_path))


def test_folder_without_certificates_is_refused(tmp_path):
    tmp_path.joinpath("README").write_text("Nothing yet.")
    with pytest.raises(InvalidConfigurationError, match="no file in it"):
        ssl_context(ca_bundle=str(tmp_path))


def test_disabled_verification_logs_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        context = ssl_context(verify=False)
    assert context.verify_mode is ssl.CERT_NONE
    assert not context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert "not verified" in caplog.text


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_invalid_bundle_is_named(tmp_path, content):
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidConfigurationError) as caught:
        ssl_context(ca_bundle=str(path))
    assert caught.value.value == str(path)


def test_client_certificate_is_loaded(certificates):
    ssl_context(
        client_certificate=str(certificates.client_certificate),
        client_key=str(certificates.client_key),
    )


def test_certificate_and_key_can_share_a_file(certificates, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(
        certificates.client_certificate.read_bytes() + certificates.client_key.read_bytes()
    )
    ssl_context(client_certificate=str(both))


def test_certificate_without_its_key_is_refused(certificates):
    with pytest.raises(InvalidConfigurationError, match="key"):
        ssl_context(client_certificate=str(certificates.client_certificate))


def test_key_of_another_certificate_is_refused(certificates):
    with pytest.raises(InvalidConfigurationError):
        ssl_context(
            client_certificate=str(certificates.client_certificate),
            client_key=str(certificates.server_key),
        )


def test_key_without_a_certificate_is_refused(certificates):
    with pytest.raises(InvalidConfigurationError, match="certificate"):
        ssl_context(client_key=str(certificates.client_key))


def test_missing_certificate_is_named(tmp_path):
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        ssl_context(client_certificate=str(tmp_path / "missing.pem"))


def test_encrypted_key_is_refused_without_a_prompt(certificates, tmp_path):
    from cryptography.hazmat.primitives import serialization as s

    key = s.load_pem_private_key(certificates.client_key.read_bytes(), None)
    encrypted = tmp_path / "encrypted.key"
    encrypted.write_bytes(
        key.private_bytes(
            s.Encoding.PEM, s.PrivateFormat.PKCS8, s.BestAvailableEncryption(b"passphrase")
        )
    )
    with pytest.raises(InvalidConfigurationError, match="unencrypted"):
        ssl_context(
            client_certificate=str(certificates.client_certificate), client_key=str(encrypted)
        )


def test_truststore_is_used_if_installed(monkeypatch):
    class SystemContext(ssl.SSLContext):
        """Stands for truststore's class."""

    module = ModuleType("truststore")
    module.SSLContext = SystemContext
    module.__spec__ = ssl.__spec__
    monkeypatch.setitem(sys.modules, "truststore", module)
    assert isinstance(ssl_context(), SystemContext)


# --- Connections that the peer has reset --------------------------------------------------


@pytest.mark.parametrize("side", ["client", "server"])
def test_reset_connection_is_closed_when_it_cannot_be_wrapped(side):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        if side == "server":
            ours, theirs = theirs, ours
        with ours:
            reset(theirs)
            context = ssl.SSLContext(
                ssl.PROTOCOL_TLS_SERVER if side == "server" else ssl.PROTOCOL_TLS_CLIENT
            )
            context.check_hostname = False
            with pytest.raises(ConnectionResetError):
                wrap_connected(context, ours, server_side=side == "server")
            assert ours.fileno() == -1


def test_embedded_registry_closes_a_connection_that_is_reset_before_the_handshake(tmp_path):
    server = RegistryServer(EmbeddedRegistry(), tls=issue_certificate(tmp_path / "ca.pem"))
    host, port = server.address.split(":")
    reset(socket.create_connection((host, int(port))))
    with server:  # it accepts connections from here on
        context = ssl_context(ca_bundle=str(tmp_path / "ca.pem"))
        with socket.create_connection((host, int(port))) as plain:
            context.wrap_socket(plain, server_hostname="localhost").close()
    gc.collect()  # a socket that was left open is an error here
