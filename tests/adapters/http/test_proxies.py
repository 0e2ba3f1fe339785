"""Which proxy leads to an address."""

from __future__ import annotations

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
def test_reached_directly(no_proxy, url):
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
def test_reached_by_proxy(no_proxy, url):
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
def test_this_machine_is_always_reached_directly(url):
    assert goes_directly("", url)


@pytest.mark.parametrize("url", ["", "registry.test", "ftp://registry.test/", "http://[::1/"])
def test_what_is_no_http_address_has_no_proxy(url):
    assert ProxySettings(http=HTTP, https=HTTPS).proxy_for(url) is None


def test_an_address_without_scheme_is_an_http_proxy():
    assert ProxySettings(https=" proxy.test:3128 ").https == HTTP


@pytest.mark.parametrize(
    "address",
    ["socks5://proxy.test", "http://", "http://:3128", "http://proxy.test:99999", "http://[::1"],
)
def test_what_is_no_proxy_is_refused(address):
    with pytest.raises(InvalidConfigurationError):
        ProxySettings(http=address)


def test_a_login_shows_nowhere():
    settings = ProxySettings(http="http://user:s3cret@proxy.test:3128")
    assert settings.proxy_for("http://a.test/") == "http://user:s3cret@proxy.test:3128"
    assert "s3cret" not in repr(settings)
    with pytest.raises(InvalidConfigurationError) as caught:
        ProxySettings(http="socks5://user:s3cret@proxy.test")
    assert "s3cret" not in str(caught.value)
