"""Ways to a server, made by urllib3: names, TLS, and proxies of both kinds."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import urllib3
from attrs import field, frozen
from urllib3.connection import HTTPConnection, HTTPSConnection, ProxyConfig
from urllib3.util import parse_url

from oras_core.errors import redact_url

__all__ = ["ProxyFailure", "Route"]

_DEFAULT_PORTS = {"http": 80, "https": 443}


class ProxyFailure(Exception):  # noqa: N818 - it wraps the error, and is none of its own
    """The way to the proxy, or through it, is barred; `reason` says by what."""

    def __init__(self, reason: Exception) -> None:
        """Keep the error."""
        super().__init__()
        self.reason = reason


@frozen
class Route:
    """The way to one server.

    Attributes:
        scheme: `http` or `https`.
        host: a name or an IP address, without brackets.
        port: the port.
        proxy: the address of a proxy, maybe with `USER:PASSWORD@`; None for a direct way.
    """

    scheme: str
    host: str
    port: int
    proxy: str | None = field(default=None, repr=lambda url: redact_url(url or ""))

    @classmethod
    def to(cls, parts: SplitResult, proxy: str | None) -> Route:
        """Return the way to the server of an address.

        Raises:
            ValueError: if it is no address of HTTP.
        """
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError("neither http nor https")
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        return cls(parts.scheme, parts.hostname, port, proxy)

    @property
    def needs_tls(self) -> bool:
        """Whether TLS is spoken, to the server or to the proxy."""
        return "https" in (self.scheme, urlsplit(self.proxy or "").scheme)

    @property
    def is_forwarded(self) -> bool:
        """Whether requests go to a proxy that sends them on, with the whole address."""
        return self.proxy is not None and self.scheme == "http"

    @property
    def proxy_fields(self) -> dict[str, str]:
        """What proves to the proxy who we are, as header fields."""
        login = unquote(urlsplit(self.proxy or "").netloc.rpartition("@")[0])
        if not login:
            return {}
        made = urllib3.make_headers(proxy_basic_auth=login)
        return {"Proxy-Authorization": made["proxy-authorization"]}

    def dial(self, tls: Callable[[], ssl.SSLContext], timeout: float) -> Any:  # noqa: ANN401 - a socket, or TLS within TLS
        """Connect, and return the socket.

        Args:
            tls: gives the TLS settings.
            timeout: seconds for each step.

        Raises:
            ProxyFailure: if it fails at the proxy.
            urllib3.exceptions.HTTPError: if it fails otherwise.
            OSError: likewise; `ssl.SSLError` is one.
        """
        # Reading the authorities takes tens of milliseconds: plain HTTP does without.
        context = tls() if self.needs_tls else None
        if self.proxy is None:
            connection = _connection(self.scheme, self.host, self.port, timeout, context)
        else:
            connection = self._by_proxy(self.proxy, timeout, context)
        try:
            connection.connect()
        except Exception as error:
            barred = self.proxy is not None and not connection.has_connected_to_proxy
            connection.close()
            if barred:
                raise ProxyFailure(error) from error
            raise
        return connection.sock

    def _by_proxy(
        self, proxy: str, timeout: float, context: ssl.SSLContext | None
    ) -> HTTPConnection:
        url = parse_url(proxy)._replace(auth=None)
        scheme = url.scheme or "http"
        options = {
            "proxy": url,
            "proxy_config": ProxyConfig(
                ssl_context=context,
                use_forwarding_for_https=False,
                assert_hostname=None,
                assert_fingerprint=None,
            ),
        }
        spoken = "https" if self.scheme == "https" else scheme
        port = url.port or _DEFAULT_PORTS[scheme]
        connection = _connection(spoken, url.host or "", port, timeout, context, **options)
        if not self.is_forwarded:
            connection.set_tunnel(self.host, self.port, self.proxy_fields, scheme)
        return connection


def _connection(
    scheme: str,
    host: str,
    port: int,
    timeout: float,
    context: ssl.SSLContext | None,
    **options: Any,  # noqa: ANN401 - as urllib3 has them
) -> HTTPConnection:
    if scheme == "https":
        return HTTPSConnection(host, port, timeout=timeout, ssl_context=context, **options)
    return HTTPConnection(host, port, timeout=timeout, **options)
