"""The choice of a proxy for an address."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

from attrs import field, frozen

from oras_core.errors import InvalidConfigurationError, redact_url
from oras_core.model.hosts import reach_of

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["ProxySettings"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def _with_scheme(address: str) -> str:
    """Complete `HOST:PORT` to the address of an HTTP proxy, as other programs do."""
    address = address.strip()
    return address if not address or "://" in address else f"http://{address}"


def _check(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if not value:
        return
    try:
        parts = urlsplit(value)
        usable = parts.scheme in DEFAULT_PORTS and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise InvalidConfigurationError(
            redact_url(value), "a proxy is http://HOST:PORT or https://HOST:PORT"
        )


@frozen
class ProxySettings:
    """Proxies, in the form of the variables `http_proxy`, `https_proxy` and `no_proxy`.

    Attributes:
        http: the proxy for `http` addresses; empty for none. May hold `USER:PASSWORD@`.
        https: the proxy for `https` addresses, which are tunnelled.
        no_proxy: hosts to reach without a proxy, separated by commas: `HOST`, which includes
            its subdomains, `.DOMAIN`, an IP address, a network such as `10.0.0.0/8`, each
            with an optional `:PORT`; `*` for all. Loopback addresses never use a proxy.

    Raises:
        InvalidConfigurationError: if a proxy is not an `http` or `https` address.
    """

    http: str = field(validator=_check, default="", converter=_with_scheme, repr=redact_url)
    https: str = field(validator=_check, default="", converter=_with_scheme, repr=redact_url)
    no_proxy: str = ""

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for `url`; None for a direct connection."""
        try:
            parts = urlsplit(url)
            proxy = {"http": self.http, "https": self.https}.get(parts.scheme)
            direct = not proxy or self._is_direct(parts)
        except ValueError:  # malformed: the transport reports it
            return None
        return None if direct else proxy

    def _is_direct(self, parts: SplitResult) -> bool:
        host = (parts.hostname or "").rstrip(".").lower()
        port = parts.port or DEFAULT_PORTS[parts.scheme]
        if reach_of(host) == "loopback":
            return True
        address = _address(host)
        rules = self.no_proxy.replace(",", " ").lower().split()
        return any(_matches(rule, host, address, port) for rule in rules)


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
