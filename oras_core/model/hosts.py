"""Hosts: the names of Docker Hub, and what an address literal can reach.

Names are not resolved. A registry on the internet must not redirect the client into the client's
own network (R18), and a registry on this machine is usually reached over plain HTTP.
"""

from __future__ import annotations

import ipaddress
import re
from functools import cache
from typing import Final, Literal
from urllib.parse import urlsplit

__all__ = [
    "DOCKER_HUB",
    "DOCKER_HUB_API",
    "DOCKER_HUB_INDEX",
    "DOCKER_HUB_NAMES",
    "Reach",
    "canonical_registry",
    "is_loopback",
    "loopback_names",
    "may_lead_to",
    "reach_of",
]

DOCKER_HUB: Final = "docker.io"
DOCKER_HUB_API: Final = "registry-1.docker.io"
DOCKER_HUB_INDEX: Final = "index.docker.io"
DOCKER_HUB_NAMES: Final = (DOCKER_HUB, DOCKER_HUB_INDEX, DOCKER_HUB_API)
"""All names of Docker Hub, the one in references first (R11)."""

Reach = Literal["public", "private", "loopback", "link-local"]

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@cache
def _number() -> re.Pattern[str]:
    return re.compile(r"(?:0[xX][0-9A-Fa-f]{0,16}|[0-9]{1,20})\Z")


def _part(text: str) -> int | None:
    if not _number().match(text):
        return None
    try:
        if text[:2].lower() == "0x":
            return int(text[2:] or "0", 16)
        return int(text, 8 if text.startswith("0") and len(text) > 1 else 10)
    except ValueError:
        return None


def _legacy_ipv4(host: str) -> ipaddress.IPv4Address | None:
    # Resolvers still accept the forms of inet_aton(3): `127.1`, `0x7f000001`, `0177.0.0.1`.
    parts = [_part(text) for text in host.split(".")]
    numbers = [number for number in parts if number is not None]
    if len(numbers) != len(parts) or len(numbers) > 4:
        return None
    *leading, last = numbers
    if any(number > 255 for number in leading) or last >= 256 ** (4 - len(leading)):
        return None
    value = last
    for place, number in enumerate(leading):
        value |= number << (8 * (3 - place))
    return ipaddress.IPv4Address(value)


def _embedded_ipv4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    # ::ffff:a.b.c.d, 6to4, NAT64 and IPv4-compatible addresses lead to an IPv4 host.
    embedded = address.ipv4_mapped or address.sixtofour
    if embedded is not None:
        return embedded
    high, low = int(address) >> 32, int(address) & 0xFFFFFFFF
    if high == 0x0064FF9B << 64 or (high == 0 and low > 0xFFFF):
        return ipaddress.IPv4Address(low)
    return None


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return _legacy_ipv4(host)
    if isinstance(address, ipaddress.IPv6Address):
        return _embedded_ipv4(address) or address
    return address


def reach_of(host: str) -> Reach:
    """Return the reach of `host`, a name or an address literal in any spelling.

    Names are `public`; `localhost` and its subdomains are `loopback`.
    """
    name = host.rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    address = _address(name)
    if address is None:
        return "public"
    if address.is_link_local:
        return "link-local"
    if address.is_loopback or address.is_unspecified:
        return "loopback"  # connecting to 0.0.0.0 or :: reaches this machine
    if address.is_global and not (address.is_multicast or address.is_reserved):
        return "public"
    return "private"


def may_lead_to(registry: Reach, target: Reach) -> bool:
    """Tell whether a registry of one reach may redirect to a host of another reach (R18).

    A loopback registry may redirect to a private network. Only a link-local registry may
    redirect to link-local addresses: clouds serve credentials there.
    """
    if target == "public":
        return True
    if target == "private":
        return registry != "public"
    return registry == target


def is_loopback(registry: str) -> bool:
    """Tell whether `HOST` or `HOST:PORT` is this machine."""
    try:
        host = urlsplit(f"//{registry}").hostname or ""
    except ValueError:
        return False
    return reach_of(host) == "loopback"


def loopback_names(registry: str) -> tuple[str, ...]:
    """Return `registry` and its twin: `localhost` and `127.0.0.1` have the same credentials."""
    host, colon, port = registry.partition(":")
    twin = {"localhost": "127.0.0.1", "127.0.0.1": "localhost"}.get(host)
    return (registry,) if twin is None else (registry, f"{twin}{colon}{port}")


def canonical_registry(registry: str) -> str:
    """Return one spelling of `HOST` or `HOST:PORT` for settings that belong to a registry.

    Case, the root's dot and the usual port make no difference; Docker Hub is `docker.io`.
    """
    name = registry.lower()
    host, colon, port = name.rpartition(":")
    if not colon or not port.isdigit():  # no port; perhaps an IPv6 address
        host, colon, port = name, "", ""
    host = host.rstrip(".")
    if host in DOCKER_HUB_NAMES:
        host = DOCKER_HUB
    return host if not colon or port == "443" else f"{host}:{port}"
