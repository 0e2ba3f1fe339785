"""Translates errors of sockets, TLS and HTTP to those of the HTTP port."""

from __future__ import annotations

import socket
import ssl
from typing import Final

from oras_adapters.http.dialing import ConnectTimeoutError
from oras_adapters.http.framing import BrokenFrameError
from oras_adapters.http.heads import MalformedHeadError, NoHttpError
from oras_adapters.http.links import ProxyStepError, TunnelRefusedError
from oras_adapters.http.receiver import HungUpError, SlowResponseError, WireError
from oras_core.errors import TlsError, TransportError, TransportTimeoutError
from oras_core.errors.redaction import redact_text
from oras_core.ports.http import HttpRequest

__all__ = ["FAILURES", "translated"]

FAILURES: Final = (
    BrokenFrameError,
    MalformedHeadError,
    OSError,
    ProxyStepError,
    TunnelRefusedError,
    ValueError,
    WireError,
)
"""Every error of a connection."""

_REFUSED_FOR_GOOD: Final = range(400, 500)


def translated(error: Exception, request: HttpRequest, *, begun: bool) -> TransportError:
    """Return the port's error for `error`; its cause is set.

    Args:
        error: the error.
        request: the request that failed.
        begun: whether the response had begun.
    """
    via = ""
    if isinstance(error, ProxyStepError):
        via = "the proxy: "
        error = error.__cause__ if isinstance(error.__cause__, Exception) else error
    result = _translation(error, request, via, begun=begun)
    # No cause whose text may repeat a secret: the standard library quotes header fields.
    secret = isinstance(error, ValueError) and not isinstance(error, OSError)
    result.__cause__ = None if secret else error
    return result


def _closed_without_notice(error: ssl.SSLError) -> bool:
    """Return whether the server closed the connection without the alert `close_notify` of TLS.

    Over OpenSSL 3.6, Python raises the base class, not `SSLEOFError`, if a write failed before.
    """
    return isinstance(error, ssl.SSLEOFError) or error.reason == "UNEXPECTED_EOF_WHILE_READING"


def _translation(
    error: Exception, request: HttpRequest, via: str, *, begun: bool
) -> TransportError:
    method, url = request.method, request.url
    if isinstance(error, TimeoutError):
        reason = _timeout_reason(error, begun=begun)
        return TransportTimeoutError(method, url, via + reason)
    if isinstance(error, ssl.SSLError) and not _closed_without_notice(error) and not begun:
        return TlsError(method, url, via + _tls_reason(error))
    if isinstance(error, socket.gaierror):
        unknown = error.errno == socket.EAI_NONAME
        reason = via + "the host name cannot be resolved"
        return TransportError(method, url, reason, retryable=not unknown)
    if isinstance(error, TunnelRefusedError):
        refused = error.status in _REFUSED_FOR_GOOD
        return TransportError(method, url, f"{via}{error}", retryable=not refused)
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        reason = "the address or a header field holds characters that are not allowed"
        return TransportError(method, url, reason, retryable=False)
    return TransportError(method, url, via + _words(error) + _hint(url, error, begun=begun))


def _hint(url: str, error: BaseException, *, begun: bool) -> str:
    """Return a hint for a server that did not answer a request without TLS by HTTP."""
    hung_up = isinstance(error, ConnectionError | HungUpError | NoHttpError)
    if begun or not hung_up or isinstance(error, ConnectionRefusedError):
        return ""
    if not url.startswith("http://"):
        return ""
    return (
        "; the request was sent without TLS. If the registry uses TLS, "
        "set plain_http = false for its host"
    )


def _timeout_reason(error: TimeoutError, *, begun: bool) -> str:
    if isinstance(error, ConnectTimeoutError | SlowResponseError):
        return str(error)
    return "nothing more was received in time" if begun else "the server did not answer in time"


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted: {error.verify_message}"
    if error.reason == "WRONG_VERSION_NUMBER":
        return "the server does not speak TLS; plain HTTP has to be chosen for this registry"
    return f"TLS failed: {(error.reason or _words(error)).lower().replace('_', ' ')}"


def _words(error: BaseException) -> str:
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return redact_text(words)
