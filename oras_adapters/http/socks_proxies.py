"""SOCKS proxies, by PySocks (extra `socks`)."""

from __future__ import annotations

import importlib
import socket
from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlsplit

from oras_adapters.http.dialing import ConnectTimeoutError, in_background
from oras_adapters.http.routes import SOCKS_SCHEMES, ProxyLogin
from oras_core.cancellation import CancelToken

__all__ = ["connect_by_socks"]

USUAL_PORT: Final = 1080


def connect_by_socks(
    proxy: str,
    address: tuple[str, int],
    timeout: float,
    options: Iterable[tuple[int, int, int | bytes]],
    token: CancelToken,
) -> socket.socket:
    """Return a socket that is connected to `address` through a SOCKS proxy.

    Raises:
        ImportError: if the extra `socks` is not installed.
        ConnectTimeoutError: if there is no connection within `timeout` seconds.
        OSError: if the proxy fails, or `token` is cancelled.
    """
    # Imported by name: the type checker need not find an extra.
    socks = importlib.import_module("socks")
    parts, login = urlsplit(proxy), ProxyLogin(proxy)
    protocol, remote_names = SOCKS_SCHEMES[parts.scheme]

    def connect() -> Any:  # noqa: ANN401 - PySocks is untyped
        try:
            return socks.create_connection(
                address,
                timeout,
                proxy_type=getattr(socks, protocol),
                proxy_addr=parts.hostname,
                proxy_port=parts.port or USUAL_PORT,
                proxy_rdns=remote_names,
                proxy_username=login.user or None,
                proxy_password=login.password or None,
                socket_options=tuple(options),
            )
        except socks.ProxyError as error:
            cause = error.socket_err
            if isinstance(cause, TimeoutError):
                raise ConnectTimeoutError("the SOCKS proxy did not answer in time") from None
            raise OSError(str(cause or error.msg)) from None

    connected: socket.socket = in_background(
        connect, "the SOCKS proxy did not answer in time", timeout, token
    )
    connected.settimeout(timeout)
    return connected
