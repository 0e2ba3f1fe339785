"""Errors of TLS as the port's errors."""

from __future__ import annotations

import ssl

import pytest

from oras_adapters.http.transport_errors import translated
from oras_core.errors import TlsError
from oras_core.ports import HttpRequest

REQUEST = HttpRequest("PUT", "https://registry.example/v2/a")


def tls_error(kind, reason):
    error = kind(5, f"[SSL: {reason}] {reason.lower()}")
    error.reason = reason
    return error


@pytest.mark.parametrize("kind", [ssl.SSLEOFError, ssl.SSLError])
@pytest.mark.parametrize("begun", [False, True])
def test_connection_closed_without_an_alert_of_tls_may_be_tried_again(kind, begun):
    """Over OpenSSL 3.6, Python raises the base class after a write that failed."""
    error = translated(tls_error(kind, "UNEXPECTED_EOF_WHILE_READING"), REQUEST, begun=begun)
    assert error.retryable
    assert not isinstance(error, TlsError)


def test_other_errors_of_tls_stop_the_operation():
    error = translated(tls_error(ssl.SSLError, "TLSV1_ALERT_UNKNOWN_CA"), REQUEST, begun=False)
    assert isinstance(error, TlsError)
    assert not error.retryable
