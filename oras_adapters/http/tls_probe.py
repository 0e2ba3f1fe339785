"""Find out whether a server on the loopback interface speaks TLS."""

from __future__ import annotations

import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

__all__ = ["speaks_tls"]

TIMEOUT: Final = 5.0
"""Seconds to wait for the handshake: a server on this machine answers within milliseconds."""

_NOT_TLS: Final = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
}


def speaks_tls(host: str, timeout: float = TIMEOUT) -> bool | None:
    """Return whether the server at `HOST:PORT` answers a TLS handshake; None if unreachable.

    No certificate is verified, and nothing is sent but the handshake.
    """
    address = urlsplit(f"//{host}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    name = address.hostname or ""
    try:
        connection = socket.create_connection((name, address.port or 443), timeout)
    except OSError:
        return None
    with connection:
        try:
            with context.wrap_socket(connection, server_hostname=name):
                return True
        except ssl.SSLEOFError:
            return False
        except ssl.SSLError as error:
            # An alert is TLS, too: the server may demand a client certificate.
            return error.reason not in _NOT_TLS
        except OSError:
            return False
