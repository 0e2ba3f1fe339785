"""The way to a server: directly or by a proxy."""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

from oras_core.errors import redact_url

__all__ = ["DEFAULT_PORTS", "SOCKS_SCHEMES", "ProxyLogin", "Route"]

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

SOCKS_SCHEMES: Final = {
    "socks": ("SOCKS4", False),  # as for curl; GNOME sets it in `all_proxy`
    "socks4": ("SOCKS4", False),
    "socks4a": ("SOCKS4", True),
    "socks5": ("SOCKS5", False),
    "socks5h": ("SOCKS5", True),
}
"""The protocol of each scheme of a SOCKS proxy, and whether the proxy resolves host names."""


class Route(NamedTuple):
    """The way to a server.

    Attributes:
        scheme: `http` or `https`.
        host: the name or address, without brackets.
        port: the port.
        proxy: the address of the proxy on the way; None for a direct connection.
    """

    scheme: str
    host: str
    port: int
    proxy: str | None = None

    def __repr__(self) -> str:
        """Return the parts, without the login of a proxy."""
        shown = self.proxy and redact_url(self.proxy)
        return f"Route({self.scheme!r}, {self.host!r}, {self.port}, proxy={shown!r})"

    @classmethod
    def to(cls, url: SplitResult, proxy: str | None = None) -> Route:
        """Return the way to the server of a URL."""
        # RFC 6874: the zone of an address is escaped in a URL.
        host = (url.hostname or "").replace("%25", "%")
        return cls(url.scheme, host, url.port or DEFAULT_PORTS[url.scheme], proxy)

    @property
    def target(self) -> str:
        """`HOST:PORT`, as a proxy expects it for a tunnel."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """`HOST` or `HOST:PORT`, as in a reference: the port is left out if it is usual."""
        return self.target.removesuffix(f":{DEFAULT_PORTS[self.scheme]}")

    @property
    def host_field(self) -> str:
        """The value of the `Host` field."""
        return self._replace(host=self.server_name).authority

    @property
    def server_name(self) -> str:
        """The host without the zone of an address and the root's dot, as in a certificate."""
        return self.host.partition("%")[0].rstrip(".")

    @property
    def is_forwarded(self) -> bool:
        """Whether a proxy gets the requests themselves, not a tunnel."""
        return bool(self.proxy) and self.scheme == "http" and not self.socks

    @property
    def socks(self) -> bool:
        """Whether the proxy is a SOCKS proxy."""
        return (self.proxy or "").startswith("socks")


class ProxyLogin:
    """The credentials in a proxy's address."""

    def __init__(self, proxy: str) -> None:
        """Take the user information out of `proxy`."""
        parts = urlsplit(proxy)
        login, _, host = parts.netloc.rpartition("@")
        user, _, password = login.partition(":")
        self.address: str = parts._replace(netloc=host).geturl()
        self.user: str = unquote(user)
        self.password: str = unquote(password)

    @property
    def fields(self) -> dict[str, str]:
        """The header fields for requests to the proxy."""
        if not self.user and not self.password:
            return {}
        import base64  # noqa: PLC0415 - few proxies need a login

        token = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Proxy-Authorization": f"Basic {token}"}
