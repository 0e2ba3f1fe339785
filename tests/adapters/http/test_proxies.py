"""Which proxy leads to an address."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest

from oras_adapters.http.proxies import ProxySettings
from oras_core.errors import InvalidConfigurationError

HTTP = "http://proxy.test:3128"
HTTPS = "https://other.test"


def goes_directly(no_proxy, url):
    settings = ProxySettings(http=HTTP, https=HTTPS, no_proxy=no_proxy)
    chosen = settings.proxy_for(url)
    assert chosen in {None, HTTP, HTTPS}
    return chosen is None


def test_each_scheme_has_its_own_proxy():
    settings = ProxySettings(http=HTTP, https=HTTPS)
    assert settings.proxy_for("http://registry.test/v2/") == HTTP
    assert settings.proxy_for("https://registry.test:5000/v2/") == HTTPS
    assert ProxySettings(http=HTTP).proxy_for("https://registry.test/") is None
    assert ProxySettings().proxy_for("http://registry.test/") is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("*", "http://anything.test/"),
        ("registry.test", "http://registry.test/"),
        ("registry.test", "https://registry.test:5000/"),
        ("registry.test", "http://deep.below.registry.test/"),
        (".registry.test", "http://below.registry.test/"),
        (".registry.test", "http://registry.test/"),
        ("*.registry.test", "http://below.registry.test/"),
        ("REGISTRY.test", "http://registry.TEST/"),
        ("registry.test", "http://registry.test./"),
        ("registry.test.", "http://registry.test/"),
        ("a.test, registry.test ,b.test", "http://registry.test/"),
        ("a.test registry.test", "http://registry.test/"),
        ("registry.test:5000", "http://registry.test:5000/"),
        ("registry.test:80", "http://registry.test/"),
        ("registry.test:443", "https://registry.test/"),
        ("10.1.2.3", "http://10.1.2.3/"),
        ("10.1.2.3:80", "http://10.1.2.3/"),
        ("10.0.0.0/8", "http://10.1.2.3:5000/"),
        ("10.1.2.3/8", "http://10.9.9.9/"),
        ("2001:db8::1", "http://[2001:db8::1]/"),
        ("[2001:db8::1]:80", "http://[2001:db8::1]/"),
        ("2001:db8::/32", "https://[2001:db8:0:1::7]:5000/"),
    ],
)
def test_hosts_in_no_proxy_are_reached_directly(no_proxy, url):
    assert goes_directly(no_proxy, url)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", "http://registry.test/"),
        (",", "http://registry.test/"),
        (".", "http://registry.test/"),
        ("registry.test", "http://otherregistry.test/"),
        ("registry.test", "http://registry.test.evil/"),
        ("registry", "http://registry.test/"),
        ("registry.test:5000", "http://registry.test:5001/"),
        ("registry.test:5000", "http://registry.test/"),
        ("10.1.2.3", "http://10.1.2.30/"),
        ("10.0.0.0/8", "http://11.1.2.3/"),
        ("10.0.0.0/8", "http://10.registry.test/"),
        ("2001:db8::1", "http://[2001:db8::2]/"),
        ("[2001:db8::1]:81", "http://[2001:db8::1]/"),
        ("1.2.3", "http://9.1.2.3/"),
    ],
)
def test_other_hosts_are_reached_by_proxy(no_proxy, url):
    assert not goes_directly(no_proxy, url)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:5000/",
        "http://registry.localhost/",
        "http://127.0.0.1/",
        "https://127.9.9.9:5000/",
        "http://[::1]:5000/",
    ],
)
def test_loopback_is_always_reached_directly(url):
    assert goes_directly("", url)


@pytest.mark.parametrize("url", ["", "registry.test", "ftp://registry.test/", "http://[::1/"])
def test_url_that_is_not_http_has_no_proxy(url):
    assert ProxySettings(http=HTTP, https=HTTPS).proxy_for(url) is None


def test_proxy_without_a_scheme_is_an_http_proxy():
    assert ProxySettings(https=" proxy.test:3128 ").https == HTTP


@pytest.mark.parametrize(
    "address",
    ["ftp://proxy.test", "http://", "http://:3128", "http://proxy.test:99999", "http://[::1"],
)
def test_invalid_proxy_is_an_error_when_used(address):
    settings = ProxySettings(http=address, no_proxy="near.test")
    assert settings.proxy_for("http://localhost/") is None
    assert settings.proxy_for("http://near.test/") is None
    assert settings.proxy_for("https://far.test/") is None
    if not address.removeprefix("http://"):
        return  # as good as none
    with pytest.raises(InvalidConfigurationError, match="HTTP_PROXY, all_proxy, ALL_PROXY"):
        settings.proxy_for("http://far.test/")


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a", "socks5", "socks5h", "SOCKS5H"])
def test_socks_proxies_are_accepted(scheme, monkeypatch):
    settings = ProxySettings(https=f"{scheme}://proxy.test:1080")
    assert settings.proxy_for("https://far.test/") == f"{scheme.lower()}://proxy.test:1080"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InvalidConfigurationError, match=r"oras-sdk\[socks\].*HTTPS_PROXY"):
        settings.proxy_for("https://far.test/")
    assert settings.proxy_for("https://localhost/") is None


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "a@b", "a/b#c?d@e", "a%2Fb"])
def test_proxy_password_can_contain_any_character(password):
    settings = ProxySettings(http=f"http://user:{password}@proxy.test:3128")
    address = settings.proxy_for("http://far.test/")
    parts = urlsplit(address)
    assert (parts.hostname, parts.port) == ("proxy.test", 3128)
    assert unquote(parts.password) == unquote(password)
    assert "user" not in repr(settings)
    broken = ProxySettings(http=f"ftp://user:{password}@proxy.test:3128")
    with pytest.raises(InvalidConfigurationError) as caught:
        broken.proxy_for("http://far.test/")
    assert "user" not in str(caught.value)


def test_proxy_credential_is_not_shown():
    settings = ProxySettings(http="http://user:s3cret@proxy.test:3128")
    assert settings.proxy_for("http://a.test/") == "http://user:s3cret@proxy.test:3128"
    assert "s3cret" not in repr(settings)
