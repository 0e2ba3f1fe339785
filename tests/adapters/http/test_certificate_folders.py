"""`certs.d`: the files of a registry, and its TLS settings."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
from contextlib import ExitStack

import pytest

from oras_adapters.factory import compose
from oras_adapters.http import tls as tls_module
from oras_adapters.http.certificate_folders import HostCertificates, find_certificates
from oras_adapters.http.tls import ssl_context
from oras_adapters.registry_server import RegistryServer
from oras_adapters.settings.settings import HostSettings, NetworkSettings, Settings, TlsSettings
from oras_core.errors import InvalidConfigurationError, TlsError, TransportError
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates

HOST = "localhost:5000"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def folder(tmp_path):
    """`folder(files, host)` fills a folder of `certs.d`; returns `certs.d`."""

    def fill(*names, host=HOST, directory="certs.d"):
        place = tmp_path / directory / host
        place.mkdir(parents=True)
        for name in names:
            (place / name).write_text("")
        return str(tmp_path / directory)

    return fill


# --- Looking ------------------------------------------------------------------------------


def test_authorities_and_a_pair_are_found_by_their_suffixes(folder):
    directory = folder("b.crt", "a.crt", "own.cert", "own.key", "README", "old.pem")
    place = f"{directory}/{HOST}"
    assert find_certificates([directory], HOST) == HostCertificates(
        (f"{place}/a.crt", f"{place}/b.crt"), f"{place}/own.cert", f"{place}/own.key"
    )


def test_first_of_several_pairs_is_used(folder):
    directory = folder("2.cert", "2.key", "1.cert", "1.key")
    found = find_certificates([directory], HOST)
    assert found.client_certificate.endswith("/1.cert")
    assert found.client_key.endswith("/1.key")


def test_first_folder_with_the_registry_is_used(folder):
    first = folder("first.crt", directory="first", host="other.example")
    second = folder("second.crt", directory="second")
    third = folder("third.crt", directory="third")
    found = find_certificates(["/nowhere", first, second, third], HOST)
    assert [os.path.basename(path) for path in found.authorities] == ["second.crt"]


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:5001", "other:5000", "", ".", "..", "a/b"]
)
def test_other_registries_have_no_certificates(folder, host):
    directory = folder("ca.crt")
    assert find_certificates([directory], host) == HostCertificates()


@pytest.mark.parametrize(("name", "missing"), [("own.cert", "own.key"), ("own.key", "own.cert")])
def test_incomplete_pair_error_names_the_missing_file(folder, name, missing):
    with pytest.raises(
        InvalidConfigurationError, match=rf"{missing} is missing beside it"
    ) as caught:
        find_certificates([folder(name)], HOST)
    assert caught.value.value.endswith(name)


def test_unreadable_folder_is_ignored(folder, monkeypatch, caplog):
    directory = folder("ca.crt")

    def refuse(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.iterdir", refuse)
    with caplog.at_level(logging.DEBUG):
        assert find_certificates([directory], HOST) == HostCertificates()
    assert f"{directory}: Permission denied" in caplog.text


def test_file_in_place_of_a_folder_is_ignored(tmp_path):
    (tmp_path / HOST).write_text("")
    assert find_certificates([str(tmp_path)], HOST) == HostCertificates()


# --- Speaking -----------------------------------------------------------------------------


@pytest.fixture
def server(certificates):
    """`server(demands_client=…)` runs a registry with TLS; gives its address."""
    with ExitStack() as stack:

        def start(*, demands_client=False):
            context = certificates.server_context(demands_client=demands_client)
            running = RegistryServer(EmbeddedRegistry(), host="localhost", tls=context)
            return stack.enter_context(running).address

        yield start


@pytest.fixture
def installed(tmp_path, certificates):
    """`installed(address)` puts certificates where docker and podman look."""

    def install(address, *, pair=False):
        place = tmp_path / "certs.d" / address
        place.mkdir(parents=True)
        shutil.copy(certificates.ca_file, place / "ca.crt")
        if pair:
            shutil.copy(certificates.client_certificate, place / "client.cert")
            shutil.copy(certificates.client_key, place / "client.key")
        return TlsSettings(certificate_directories=(str(tmp_path / "certs.d"),))

    return install


ONCE = NetworkSettings(attempts=1)


def ping(address, tls, **options):
    with compose(Settings(tls=tls, network=ONCE, **options)) as composition:
        composition.registry(address).ping()


def test_private_authority_is_trusted_for_its_registry_only(server, installed):
    trusted, other = server(), server()
    tls = installed(trusted)
    ping(trusted, tls)
    https = {other: HostSettings(plain_http=False)}
    with pytest.raises(TlsError, match="certificate is not trusted"):
        ping(other, tls, hosts=https)


def test_client_certificate_is_sent(server, installed):
    address = server(demands_client=True)
    ping(address, installed(address, pair=True))


def test_server_ends_the_connection_without_a_client_certificate(server, installed):
    address = server(demands_client=True)
    with pytest.raises(TransportError):
        ping(address, installed(address))


def test_settings_of_the_registry_override_the_folder(server, installed, certificates):
    address = server()
    tls = installed(address)
    own = TlsSettings(ca_bundle=str(certificates.ca_file))
    ping(address, TlsSettings(), hosts={address: HostSettings(plain_http=False, tls=own)})
    nobody = {address: HostSettings(plain_http=False, tls=TlsSettings())}
    with pytest.raises(TlsError):
        ping(address, tls, hosts=nobody)


def test_certificates_for_a_loopback_registry_select_tls(installed):
    tls = installed("localhost:5000")
    composition = compose(Settings(tls=tls))
    assert not composition.plain_http("localhost:5000")
    assert composition.plain_http("localhost:5001")
    chosen = Settings(tls=tls, hosts={"localhost:5000": HostSettings(plain_http=True)})
    assert compose(chosen).plain_http("localhost:5000")


# --- Authorities besides the usual ones ---------------------------------------------------


@pytest.fixture(params=["openssl", "truststore"])
def trust(request, monkeypatch):
    """The two ways to the system's authorities; the extra is installed for tests."""
    if request.param == "openssl":
        monkeypatch.setattr(tls_module.importlib.util, "find_spec", lambda _: None)
    return request.param


def test_extra_authorities_are_trusted_in_addition(trust, server, certificates):
    context = ssl_context(extra_authorities=[str(certificates.ca_file)])
    assert type(context).__module__.startswith("truststore" if trust == "truststore" else "ssl")
    address = server()
    tls = TlsSettings(extra_authorities=(str(certificates.ca_file),))
    https = {address: HostSettings(plain_http=False)}
    ping(address, tls, hosts=https)
    with pytest.raises(TlsError, match="certificate is not trusted"):
        ping(address, TlsSettings(), hosts=https)


def test_extra_authorities_are_added_to_a_bundle(certificates, tmp_path):
    another = tmp_path / "another"
    another.mkdir()
    bundle = write_certificates(another).ca_file
    context = ssl_context(ca_bundle=str(bundle), extra_authorities=[str(certificates.ca_file)])
    assert len(context.get_ca_certs()) == 2


def test_default_authorities_are_kept(monkeypatch, certificates):
    # Truststore asks the operating system when a server shows its certificate; OpenSSL knows now.
    monkeypatch.setattr(tls_module.importlib.util, "find_spec", lambda _: None)
    usual = len(ssl_context().get_ca_certs())
    more = len(ssl_context(extra_authorities=[str(certificates.ca_file)]).get_ca_certs())
    assert more == usual + 1


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_invalid_extra_authority_is_named(tmp_path, content):
    path = tmp_path / "ca.crt"
    if content:
        path.write_text(content)
    with pytest.raises(InvalidConfigurationError) as caught:
        ssl_context(extra_authorities=[str(path)])
    assert caught.value.value == str(path)


# --- Checking nothing ---------------------------------------------------------------------


def test_disabled_verification_warns_and_does_not_affect_other_clients(server, caplog):
    address = server()
    https = {address: HostSettings(plain_http=False)}
    with (
        compose(Settings(tls=TlsSettings(verify=False), network=ONCE, hosts=https)) as careless,
        compose(Settings(network=ONCE, hosts=https)) as careful,
    ):
        with caplog.at_level(logging.WARNING):
            careless.registry(address).ping()
        assert "not verified" in caplog.text
        with pytest.raises(TlsError):
            careful.registry(address).ping()
        careless.registry(address).ping()
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
