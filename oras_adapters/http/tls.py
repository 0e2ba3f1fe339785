"""TLS settings for connections to registries."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import logging
import os
import re
import socket
import ssl
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from oras_adapters.http.receiver import PLAIN, SocketErrors
from oras_core.errors import InvalidConfigurationError

__all__ = ["TLS", "for_http", "resume", "ssl_context", "wrap_connected", "wrap_tls"]

_LOG = logging.getLogger(__name__)

TLS: Final = SocketErrors(
    blocked=(*PLAIN.blocked, ssl.SSLWantReadError, ssl.SSLWantWriteError),
    unread=(ssl.SSLWantReadError,),
    hung_up=(*PLAIN.hung_up, ssl.SSLEOFError, ssl.SSLZeroReturnError),
)
"""The errors of TLS sockets."""


def ssl_context(
    *,
    verify: bool = True,
    ca_bundle: str | None = None,
    extra_authorities: Iterable[str] = (),
    client_certificate: str | None = None,
    client_key: str | None = None,
) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later.

    Args:
        verify: whether to check the server's certificate. Without the check, everybody on
            the network path can read and change everything, passwords included; a warning
            is logged.
        ca_bundle: a PEM file, or a folder of PEM files, with the only authorities to trust.
            By default those of the operating system are trusted with the extra
            `truststore`, else those that OpenSSL finds.
        extra_authorities: PEM files with further authorities to trust.
        client_certificate: a PEM file with the client's certificate and its chain.
        client_key: a PEM file with its key; by default the key is in the same file.

    Raises:
        InvalidConfigurationError: if a file cannot be read or does not hold what is expected.
    """
    context = _trusting_context(ca_bundle)
    for path in extra_authorities:
        _trust(context, path)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        _LOG.warning(
            "TLS certificates are not verified: others on the network can read and change all"
        )
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if client_certificate is not None:
        _load_certificate(context, client_certificate, client_key)
    elif client_key is not None:
        raise InvalidConfigurationError(
            client_key, "a client key needs a client certificate beside it"
        )
    return context


def for_http(context: ssl.SSLContext | None) -> ssl.SSLContext:
    """Prepare a context for HTTP/1.1; without one, return a context that trusts the system."""
    if context is None:
        context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    if context.verify_mode != ssl.CERT_NONE:
        context.check_hostname = True  # else each certificate would do for each server
    return context


def wrap_connected(
    context: ssl.SSLContext,
    connection: socket.socket,
    **options: Any,  # noqa: ANN401 - those of `wrap_socket`
) -> ssl.SSLSocket:
    """Wrap a connected socket in TLS; an error closes `connection`.

    `SSLContext.wrap_socket` leaves a socket open whose peer has reset the connection before.

    Raises:
        ConnectionResetError: if the peer has reset the connection.
        OSError: as `SSLContext.wrap_socket`.
    """
    try:
        connection.getpeername()
    except OSError as error:
        connection.close()
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
    return context.wrap_socket(connection, **options)


def resume(
    context: ssl.SSLContext,
    connection: socket.socket,
    server_hostname: str,
    session: ssl.SSLSession | None,
) -> ssl.SSLSocket:
    """Wrap a connected socket in TLS, and resume a session where that is safe.

    A context of another library may check the certificates of the peer itself. A resumed session
    does not repeat this check.

    Raises: as `wrap_connected`.
    """
    if session is None or type(context) is not ssl.SSLContext:
        return wrap_connected(context, connection, server_hostname=server_hostname)
    return wrap_connected(context, connection, server_hostname=server_hostname, session=session)


def wrap_tls(context: ssl.SSLContext, connection: ssl.SSLSocket, server_hostname: str) -> Any:  # noqa: ANN401 - an untyped socket
    """Return a socket of TLS within the TLS of `connection`, which `ssl` cannot make.

    Raises:
        OSError: as `SSLContext.wrap_socket`.
    """
    from urllib3.util.ssltransport import SSLTransport  # noqa: PLC0415 - proxies with TLS need it

    return SSLTransport(connection, context, server_hostname)


def _trusting_context(ca_bundle: str | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return _system_context()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _trust(context, ca_bundle)
    return context


def _trust(context: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            _trust_folder(context, path)
        else:
            context.load_verify_locations(cafile=path)
    except OSError as error:  # `ssl.SSLError` is one
        raise InvalidConfigurationError(path, _reason(error, "certificates")) from error


def _trust_folder(context: ssl.SSLContext, folder: str) -> None:
    """Trust the authorities in a folder: files by OpenSSL's hashes, or any PEM files.

    Raises:
        InvalidConfigurationError: if there are neither.
        OSError: if a file cannot be read.
    """
    names = sorted(os.listdir(folder))
    hashed = any(_hash_name().fullmatch(name) for name in names)
    if hashed:  # OpenSSL reads such files when it needs them, but no others
        context.load_verify_locations(capath=folder)
    plain = [name for name in names if not _hash_name().fullmatch(name)]
    loaded = [name for name in plain if _holds_authorities(context, os.path.join(folder, name))]
    if not hashed and not loaded:
        raise InvalidConfigurationError(folder, "no file in it holds certificates in PEM form")


@cache
def _hash_name() -> re.Pattern[str]:
    return re.compile(r"[0-9a-f]{8}\.[0-9]+")


def _holds_authorities(context: ssl.SSLContext, path: str) -> bool:
    if not os.path.isfile(path):
        return False
    try:
        context.load_verify_locations(cafile=path)
    except ssl.SSLError:  # a file of another kind
        return False
    return True


def _system_context() -> ssl.SSLContext:
    if importlib.util.find_spec("truststore") is None:
        return ssl.create_default_context()
    # Imported by name: the type checker need not find an extra.
    truststore = importlib.import_module("truststore")
    context: ssl.SSLContext = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _load_certificate(context: ssl.SSLContext, certificate: str, key: str | None) -> None:
    try:
        # An empty passphrase: OpenSSL would ask for one on the terminal.
        context.load_cert_chain(certificate, key, password="")
    except OSError as error:
        what = "a certificate and its unencrypted key"
        raise InvalidConfigurationError(certificate, _reason(error, what)) from error


def _reason(error: OSError, what: str) -> str:
    if isinstance(error, ssl.SSLError):
        return f"it does not hold {what} in PEM form"
    return f"it cannot be read: {error.strerror}"
