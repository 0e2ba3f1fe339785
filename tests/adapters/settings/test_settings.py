"""Settings: which source wins, and what is said of wrong ones."""

from __future__ import annotations

import os

import pytest

from oras_adapters.http import proxies
from oras_adapters.settings import environment
from oras_adapters.settings.settings import (
    HostSettings,
    Settings,
    TlsSettings,
    load_settings,
)
from oras_core.errors import InvalidConfigurationError


@pytest.fixture
def load(tmp_path):
    def load(text: str = "", **environment: str) -> Settings:
        file = tmp_path / "config.toml"
        file.write_text(text)
        return load_settings({"ORAS_CONFIG": str(file), **environment})

    return load


def test_defaults_without_any_configuration():
    folders = ("/etc/containers/certs.d", "/etc/docker/certs.d")
    assert load_settings({}) == Settings(tls=TlsSettings(certificate_directories=folders))


def test_podman_s_file_paths(monkeypatch):
    def places(**environment):
        own = load_settings(environment).credentials
        return own.auth_file, own.auth_file_fallbacks

    monkeypatch.setattr(environment.sys, "platform", "linux")
    usual = ("/h/.config/containers/auth.json",)
    assert places(HOME="/h", XDG_RUNTIME_DIR="/run/user/7") == (
        "/run/user/7/containers/auth.json",
        usual,
    )
    assert places(HOME="/h") == (f"/run/containers/{os.getuid()}/auth.json", usual)
    assert places(HOME="/h", XDG_CONFIG_HOME="/c", XDG_RUNTIME_DIR="/r") == (
        "/r/containers/auth.json",
        ("/c/containers/auth.json",),
    )
    # A file that the user names is the only one.
    assert places(HOME="/h", REGISTRY_AUTH_FILE="/mine.json") == ("/mine.json", ())
    assert places() == ("", ())
    monkeypatch.setattr(environment.sys, "platform", "darwin")
    assert places(HOME="/h") == (*usual, usual)


def test_certificate_folder_paths(load):
    folders = load("", HOME="/h").tls.certificate_directories
    assert folders == (
        "/h/.config/containers/certs.d",
        "/etc/containers/certs.d",
        "/h/.config/docker/certs.d",
        "/etc/docker/certs.d",
    )
    chosen = load('[tls]\ncertificate_directories = ["/own"]', HOME="/h").tls
    assert chosen.certificate_directories == ("/own",)


def test_settings_are_read_from_the_default_files(tmp_path):
    folder = tmp_path / ".config" / "oras"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[transfer]\nconcurrency = 3\n")
    settings = load_settings({"HOME": str(tmp_path)})
    assert settings.transfer.concurrency == 3
    assert settings.credentials.docker_config == str(tmp_path / ".docker" / "config.json")
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "oras").mkdir(parents=True)
    (elsewhere / "oras" / "config.toml").write_text("[transfer]\nconcurrency = 4\n")
    found = load_settings({"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(elsewhere)})
    assert found.transfer.concurrency == 4


def test_every_section_can_be_set(load):
    found = load(
        """
        [credentials]
        stores = ["keyring", "docker"]
        docker_config = "/etc/docker.json"
        [network]
        connect_timeout = 3
        read_timeout = 4.5
        attempts = 2
        [tls]
        verify = false
        [proxy]
        https = "http://proxy.example:3128"
        [transfer]
        concurrency = 2
        range_connections = 3
        [hosts."registry.example:5000"]
        plain_http = true
        chunk_size = 1048576
        range_connections = 1
        tls.ca_bundle = "/etc/ca.pem"
        """
    )
    assert found.credentials.stores == ("keyring", "docker")
    assert found.network.connect_timeout == 3.0
    assert found.network.read_timeout == 4.5
    assert found.host("registry.example:5000") == HostSettings(
        plain_http=True,
        tls=TlsSettings(ca_bundle="/etc/ca.pem"),
        chunk_size=1048576,
        range_connections=1,
    )
    assert found.transfer.range_connections == 3
    assert found.host("other.example") == HostSettings()


def test_oras_variables_override_the_file_and_the_file_overrides_shared_variables(load):
    text = '[credentials]\nstores = ["docker"]\n[tls]\nca_bundle = "/file.pem"\n'
    settings = load(text, ORAS_CREDENTIAL_STORES=" keyring, docker ", SSL_CERT_FILE="/shared.pem")
    assert settings.credentials.stores == ("keyring", "docker")
    assert settings.tls.ca_bundle == "/file.pem"
    assert load("", SSL_CERT_FILE="/shared.pem").tls.ca_bundle == "/shared.pem"
    assert load("", REQUESTS_CA_BUNDLE="/requests.pem").tls.ca_bundle == "/requests.pem"


def test_shared_variables_are_read(load):
    settings = load(
        "",
        DOCKER_CONFIG="/docker",
        REGISTRY_AUTH_FILE="/podman.json",
        http_proxy="http://one:1",
        HTTPS_PROXY="http://two:2",
        NO_PROXY="a,b",
    )
    assert settings.credentials.docker_config == "/docker/config.json"
    assert settings.credentials.auth_file == "/podman.json"
    assert (settings.proxy.http, settings.proxy.https) == ("http://one:1", "http://two:2")
    assert settings.proxy.no_proxy == "a,b"


def test_upper_case_http_proxy_is_ignored_in_a_cgi_program(load):
    assert load("", HTTP_PROXY="http://evil:1", REQUEST_METHOD="GET").proxy.http == ""


@pytest.mark.parametrize(
    ("variables", "http", "https"),
    [
        ({"ALL_PROXY": "http://all:1"}, "http://all:1", "http://all:1"),
        (
            {"all_proxy": "http://low:1", "ALL_PROXY": "http://all:1"},
            "http://low:1",
            "http://low:1",
        ),
        (
            {"https_proxy": "http://own:1", "all_proxy": "http://all:1"},
            "http://all:1",
            "http://own:1",
        ),
        (
            {"HTTPS_PROXY": "http://own:1", "all_proxy": "http://all:1"},
            "http://all:1",
            "http://own:1",
        ),
        (
            {"http_proxy": "http://own:1", "ALL_PROXY": "http://all:1"},
            "http://own:1",
            "http://all:1",
        ),
        ({"http_proxy": "", "ALL_PROXY": "http://all:1"}, "http://all:1", "http://all:1"),
        ({"all_proxy": "", "ALL_PROXY": "http://all:1"}, "http://all:1", "http://all:1"),
        (
            {"HTTP_PROXY": "http://evil:1", "ALL_PROXY": "http://all:1", "REQUEST_METHOD": "GET"},
            "http://all:1",
            "http://all:1",
        ),
    ],
)
def test_proxy_for_all_schemes_follows_that_of_the_scheme(load, variables, http, https):
    proxy = load("", **variables).proxy
    assert (proxy.http, proxy.https) == (http, https)


def test_no_proxy_applies_to_the_proxy_for_all_schemes(load):
    proxy = load("", ALL_PROXY="http://all:1", NO_PROXY="near.test").proxy
    chosen = proxies.ProxySettings(http=proxy.http, https=proxy.https, no_proxy=proxy.no_proxy)
    assert chosen.proxy_for("https://a.near.test/") is None
    assert chosen.proxy_for("https://far.test/") == "http://all:1"


def test_proxy_of_the_file_overrides_the_proxy_for_all_schemes(load):
    proxy = load('[proxy]\nhttps = "http://file:1"\n', all_proxy="http://all:1").proxy
    assert (proxy.http, proxy.https) == ("http://all:1", "http://file:1")


def test_repr_hides_the_credential_of_the_environment(load):
    settings = load("", ORAS_USER="alice", ORAS_PASS="open sesame", ORAS_TOKEN="bearer")
    assert settings.environment.password == "open sesame"
    assert "sesame" not in repr(settings)
    assert "bearer" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[credential]\nx = 1", "unknown credential, known are credentials"),
        ('[tls]\nverify = "yes"', r"expected bool, found 'yes' @ settings\.tls\.verify"),
        ("[tls]\nverfy = true", "unknown verfy, known are verify"),
        ("[hosts.x]\nplain = 1", r"known are plain_http.*@ settings\.hosts\['x'\]"),
        ("[network]\nattempts = 1.5", "expected int"),
        ("tls = 1", "section"),
        ("environment = 1", "secrets"),
        ("[credentials]\nstores = 'docker'", "list of strings"),
        ("x =", "not TOML"),
    ],
)
def test_invalid_setting_is_named_with_its_location(load, text, complaint):
    with pytest.raises(InvalidConfigurationError, match=complaint):
        load(text, SSL_CERT_FILE="/ca.pem")


def test_given_settings_file_must_exist():
    with pytest.raises(InvalidConfigurationError, match=r"no file '/nowhere\.toml'"):
        load_settings({"ORAS_CONFIG": "/nowhere.toml"})


@pytest.fixture
def refused(monkeypatch, tmp_path):
    """Make the home folder unreadable."""

    def refuse(path, *_):
        raise PermissionError(13, "Permission denied", str(path))

    for method in ("is_file", "open", "stat"):
        monkeypatch.setattr(environment.Path, method, refuse)
    return {"HOME": str(tmp_path)}


def test_unreadable_home_folder_gives_the_defaults_with_a_warning(refused, caplog):
    assert load_settings(refused).network == Settings().network
    assert "Permission denied" in caplog.text


def test_unreadable_given_file_is_an_error(refused):
    with pytest.raises(InvalidConfigurationError, match="Permission denied"):
        load_settings({**refused, "ORAS_CONFIG": "/x/config.toml"})


def test_settings_work_without_the_pwd_module(monkeypatch):
    monkeypatch.delattr(environment.os, "getuid")
    own = load_settings({"USERPROFILE": "/h"}).credentials
    assert (own.docker_config, own.auth_file) == ("/h/.docker/config.json", "")


@pytest.mark.parametrize("spelling", ["r.example", "R.Example", "r.example.", "r.example:443"])
def test_settings_apply_to_every_spelling_of_a_host(spelling):
    own = HostSettings(plain_http=False)
    for written in ("r.example", "R.EXAMPLE.", "r.example:443"):
        assert Settings(hosts={written: own}).host(spelling) is own
