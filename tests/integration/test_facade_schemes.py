"""Which scheme a client uses: by name, by choice, by settings, or by trying on this machine."""

from __future__ import annotations

import pytest
import requests

import oras.client
from oras.container import Container
from oras_adapters.http.tls_probe import speaks_tls
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import TlsError, TransportError
from oras_core.ports.credentials import Credential
from oras_core.testing import EmbeddedRegistry
from support.certificates import write_certificates

USERS = {"alice": "open sesame"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def secure(certificates):
    registry = EmbeddedRegistry(users=USERS)
    with RegistryServer(registry, host="localhost", tls=certificates.server_context()) as server:
        yield server.address


@pytest.fixture
def plain():
    with RegistryServer(EmbeddedRegistry(users=USERS), host="localhost") as server:
        yield server.address


@pytest.fixture(autouse=True)
def one_attempt(tmp_path, monkeypatch):
    """Let a failure be final, so that no test waits for retries."""
    (tmp_path / "oras").mkdir()
    (tmp_path / "oras" / "config.toml").write_text("[network]\nattempts = 1\n")
    (tmp_path / "artifact.txt").write_text("hello\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def work(client, address):
    """Push, list and pull, with a credential."""
    client.auth.set_basic_auth("alice", "open sesame")
    assert client.push(f"{address}/a/b:v1", files=["artifact.txt"], quiet=True).status_code == 201
    assert client.get_tags(f"{address}/a/b") == ["v1"]
    assert len(client.pull(f"{address}/a/b:v1", outdir="out")) == 1


# --- The probe ----------------------------------------------------------------------------


def test_probe_distinguishes_tls_from_plain_http(secure, plain):
    assert speaks_tls(secure) is True
    assert speaks_tls(plain) is False


def test_probe_of_a_closed_port_has_no_result(plain, unused_port):
    assert speaks_tls(f"localhost:{unused_port}") is None


@pytest.fixture
def unused_port():
    with RegistryServer(EmbeddedRegistry(), host="localhost") as server:
        return server.address.rpartition(":")[2]


# --- On the loopback interface ------------------------------------------------------------


def test_plain_http_is_the_default(plain):
    client = oras.client.OrasClient(hostname=plain)
    assert client.prefix == "http"
    work(client, plain)
    assert client.prefix == "http"


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_ca_bundle_in_the_environment_selects_tls(secure, certificates, monkeypatch, variable):
    monkeypatch.setenv(variable, str(certificates.ca_file))
    client = oras.client.OrasClient(hostname=secure)
    assert client.prefix == "https"
    work(client, secure)


def test_insecure_false_selects_tls(secure):
    client = oras.client.OrasClient(hostname=secure, insecure=False)
    with pytest.raises(TlsError):  # the authority is not trusted, and plain HTTP is no way out
        client.get_tags(f"{secure}/a/b")
    assert client.prefix == "https"


@pytest.mark.parametrize("session", [None, requests.Session])
def test_plain_http_registry_is_probed_once(plain, certificates, monkeypatch, session):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    probes = count_probes(monkeypatch)
    client = oras.client.OrasClient(hostname=plain, insecure=False)
    if session:
        client.session = session()
    assert client.prefix == "http"  # probed, although `insecure=False` expects TLS
    assert probes == [plain]
    work(client, plain)
    assert client.prefix == "http"
    assert probes == [plain]


def test_tls_registry_is_probed_once(secure, certificates, tmp_path, monkeypatch):
    (tmp_path / "oras" / "config.toml").write_text(
        f"[network]\nattempts = 1\n[hosts.'{secure}']\ntls.ca_bundle = '{certificates.ca_file}'\n"
    )
    probes = count_probes(monkeypatch)
    client = oras.client.OrasClient(hostname=secure)
    assert client.prefix == "http"
    work(client, secure)
    assert client.prefix == "https"
    assert probes == [secure]


def count_probes(monkeypatch):
    probes = []

    def probe(host):
        probes.append(host)
        return speaks_tls(host)

    monkeypatch.setattr("oras_adapters.http.tls_probe.speaks_tls", probe)
    return probes


def test_insecure_stays_plain_http(secure):
    client = oras.client.OrasClient(hostname=secure, insecure=True)
    with pytest.raises((TransportError, ValueError)):
        client.get_tags(f"{secure}/a/b")
    assert client.prefix == "http"


def test_do_request_with_a_url_finds_the_scheme(plain):
    client = oras.client.OrasClient(insecure=False)
    client.auth.set_basic_auth("alice", "open sesame")
    assert client.do_request(f"https://{plain}/v2/").status_code == 200


def test_unreachable_registry_keeps_its_scheme(unused_port):
    client = oras.client.OrasClient(insecure=False)
    with pytest.raises(TransportError):
        client.get_tags(f"localhost:{unused_port}/a/b")
    assert client.prefix == "https"


def test_other_hosts_are_not_probed(monkeypatch):
    probes = count_probes(monkeypatch)
    client = oras.client.OrasClient(hostname="registry.invalid:5000")
    with pytest.raises(TransportError):
        client.get_tags("registry.invalid:5000/a/b")
    assert (client.prefix, probes) == ("https", [])


# --- In the name --------------------------------------------------------------------------


def test_scheme_in_the_name_is_used(plain, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    client = oras.client.OrasClient()
    work(client, f"http://{plain}")
    assert client.prefix == "http"
    assert client.get_tags(Container(f"http://{plain}/a/b")) == ["v1"]


def test_scheme_applies_to_its_registry_only(plain, secure, certificates, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.ca_file))
    client = oras.client.OrasClient()
    client.auth.set_basic_auth("alice", "open sesame")
    client.auth.keep(secure, Credential("alice", "open sesame"))
    client.push(f"http://{plain}/a/b:v1", files=["artifact.txt"], quiet=True)
    client.push(f"https://{secure}/a/b:v1", files=["artifact.txt"], quiet=True)
    assert client.get_tags(f"{secure}/a/b") == client.get_tags(f"{plain}/a/b") == ["v1"]


def test_https_in_the_name_never_falls_back_to_plain_http(plain):
    client = oras.client.OrasClient()
    with pytest.raises(TlsError):
        client.get_tags(f"https://{plain}/a/b")


def test_insecure_does_not_weaken_https_in_the_name(plain):
    client = oras.client.OrasClient(insecure=True)
    with pytest.raises(TlsError):
        client.get_tags(f"https://{plain}/a/b")
