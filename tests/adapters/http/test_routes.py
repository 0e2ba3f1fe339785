"""Ways to servers: what a URL, a `Host` field, a certificate and a proxy call a server."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from oras_adapters.http.routes import Route

NAMES = {
    # URL: (host to connect to, authority, target of a tunnel, `Host` field, name in a certificate)
    "https://ghcr.io/v2/": ("ghcr.io", "ghcr.io", "ghcr.io:443", "ghcr.io", "ghcr.io"),
    "http://ghcr.io:443/": ("ghcr.io", "ghcr.io:443", "ghcr.io:443", "ghcr.io:443", "ghcr.io"),
    "https://GHCR.io.:8443": (
        "ghcr.io.",
        "ghcr.io.:8443",
        "ghcr.io.:8443",
        "ghcr.io:8443",
        "ghcr.io",
    ),
    "http://[::1]:80/": ("::1", "[::1]", "[::1]:80", "[::1]", "::1"),
    "https://[::80]": ("::80", "[::80]", "[::80]:443", "[::80]", "::80"),
    "http://[fe80::1%25eth0]:3128": (
        "fe80::1%eth0",
        "[fe80::1%eth0]:3128",
        "[fe80::1%eth0]:3128",
        "[fe80::1]:3128",
        "fe80::1",
    ),
}


@pytest.mark.parametrize("url", NAMES)
def test_names_of_a_server(url):
    route = Route.to(urlsplit(url))
    found = (route.host, route.authority, route.target, route.host_field, route.server_name)
    assert found == NAMES[url]
