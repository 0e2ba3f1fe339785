"""Find out whether a server on the loopback interface speaks TLS."""

from __future__ import annotations

import socket
import ssl
from contextlib import suppress
from typing import Final
from urllib.parse import urlsplit

__all__ = ["speaks_tls"]

TIMEOUT: Final = 1.0
"""Seconds to wait for an answer: a server on this machine answers within milliseconds, but a
plain server may wait for the end of a line."""

_RECORDS: Final = (b"\x15", b"\x16")
"""The first byte of a TLS alert and of a TLS handshake (RFC 8446, section 5.1)."""


def speaks_tls(host: str, timeout: float = TIMEOUT) -> bool | None:
    """Return whether the server at `HOST:PORT` answers a TLS handshake; None if unreachable.

    The handshake is not completed, and nothing else is sent.
    """
    address = urlsplit(f"//{host}")
    name = address.hostname or ""
    try:
        connection = socket.create_connection((name, address.port or 443), timeout)
    except OSError:
        return None
    with connection:
        try:
            connection.sendall(_client_hello(name))
            return connection.recv(1) in _RECORDS
        except OSError:
            return False


def _client_hello(name: str) -> bytes:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with suppress(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()
