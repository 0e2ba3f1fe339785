"""TLS settings for a registry on the loopback interface."""

from __future__ import annotations

import os
import ssl

from oras_core.errors import InvalidConfigurationError

__all__ = ["certificate_from", "issue_certificate"]


def issue_certificate(ca_file: str | os.PathLike[str]) -> ssl.SSLContext:
    """Issue a certificate for the names of the loopback interface.

    Args:
        ca_file: gets the certificate of the authority, in PEM, which clients must trust.

    Raises:
        InvalidConfigurationError: if trustme is not installed.
        OSError: if the file cannot be written.
    """
    try:
        import trustme  # noqa: PLC0415 - of the extra `testing`
    except ImportError as error:
        raise InvalidConfigurationError(
            "the certificate of the TLS registry",
            "trustme is not installed; run: pip install 'oras-sdk[testing]'",
        ) from error
    authority = trustme.CA()
    authority.cert_pem.write_to_path(os.fspath(ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
    return context


def certificate_from(file: str | os.PathLike[str]) -> ssl.SSLContext:
    """Use the certificate and the private key in a PEM file.

    Raises:
        InvalidConfigurationError: if the file cannot be read, or lacks one of them.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(file)
    except OSError as error:  # ssl.SSLError is one
        raise InvalidConfigurationError(
            os.fspath(file), f"no certificate with its private key can be read: {error}"
        ) from error
    return context
