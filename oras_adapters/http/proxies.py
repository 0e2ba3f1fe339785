"""The choice of a proxy for an address."""

from __future__ import annotations

import importlib.util
import ipaddress
from typing import Final
from urllib.parse import SplitResult, quote, urlsplit

from attrs import field, frozen

from oras_adapters.http.routes import DEFAULT_PORTS, SOCKS_SCHEMES
from oras_core.errors import InvalidConfigurationError, redact_url
from oras_core.model.hosts import reach_of

__all__ = ["ProxySettings"]

_FORMS: Final = "a proxy is http://HOST:PORT, https://HOST:PORT or socks5h://HOST:PORT"


def _well_formed(address: str) -> str:
    """Complete `HOST:PORT` to the address of an HTTP proxy, and escape the user information.

    A password may hold `/`, `?` and `#`, which would end the host in a URL.
    """
    scheme, separator, rest = address.strip().rpartition("://")
    if not rest:
        return ""
    login, at, host = rest.rpartition("@")
    login = quote(login, safe="%:!$&'()*+,;=")
    return f"{scheme.lower() if separator else 'http'}://{login}{at}{host}"


@frozen
class ProxySettings:
    """Proxies, in the form of the variables `http_proxy`, `https_proxy` and `no_proxy`.

    Attributes:
        http: the proxy for `http` addresses; empty for none. May hold `USER:PASSWORD@`.
        https: the proxy for `https` addresses, which are tunnelled.
        no_proxy: hosts to reach without a proxy, separated by commas: `HOST`, which includes
            its subdomains, `.DOMAIN`, an IP address, a network such as `10.0.0.0/8`, each
            with an optional `:PORT`; `*` for all. Loopback addresses never use a proxy.
    """

    http: str = field(default="", converter=_well_formed, repr=redact_url)
    https: str = field(default="", converter=_well_formed, repr=redact_url)
    no_proxy: str = ""

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for `url`; None for a direct connection.

        Raises:
            InvalidConfigurationError: if the proxy for `url` cannot be used.
        """
        try:
            parts = urlsplit(url)
            proxy = {"http": self.http, "https": self.https}.get(parts.scheme)
            direct = not proxy or self._is_direct(parts)
        except ValueError:  # malformed: the transport reports it
            return None
        if direct or not proxy:
            return None
        reason = _objection(proxy)
        if reason:
            scheme = parts.scheme
            # Only here: an unusable proxy does not concern hosts that are reached without it.
            variables = f"{scheme}_proxy, {scheme.upper()}_PROXY, all_proxy, ALL_PROXY"
            raise InvalidConfigurationError(
                f"{scheme}_proxy",
                f"{reason}; {redact_url(proxy)} is the value of one of the variables {variables}, "
                f"or of `proxy.{scheme}` in the settings",
            )
        return proxy

    def _is_direct(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        if reach_of(host) == "loopback":
            return True
        address = _address(host)
        rules = self.no_proxy.replace(",", " ").lower().split()
        return any(_matches(rule, host, address, port) for rule in rules)


def _objection(proxy: str) -> str:
    """Return why a proxy cannot be used; empty if it can."""
    try:
        parts = urlsplit(proxy)
        usable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
        parts = SplitResult("", "", "", "", "")
    if not usable or parts.scheme not in {*DEFAULT_PORTS, *SOCKS_SCHEMES}:
        return _FORMS
    if parts.scheme in SOCKS_SCHEMES and importlib.util.find_spec("socks") is None:
        return "a SOCKS proxy needs the extra `socks`: pip install 'oras-sdk[socks]'"
    return ""


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _address(host: str) -> _Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _matches(rule: str, host: str, address: _Address | None, port: int) -> bool:
    if rule == "*":
        return True
    rule, rule_port = _split_port(rule)
    if rule_port is not None and rule_port != port:
        return False
    if address is not None:
        try:
            return address in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    domain = rule.removeprefix("*").removeprefix(".").rstrip(".")
    return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _split_port(rule: str) -> tuple[str, int | None]:
    """Split `HOST:PORT`; an IPv6 address with a port needs brackets."""
    if rule.startswith("["):
        inner, _, port = rule[1:].partition("]")
        port = port.removeprefix(":")
    elif rule.count(":") == 1:
        inner, _, port = rule.partition(":")
    else:
        return rule, None
    return inner, int(port) if port.isascii() and port.isdigit() else None
