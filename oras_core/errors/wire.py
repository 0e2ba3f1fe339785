"""Errors of the connection to a registry."""

from __future__ import annotations

from typing import Any

from oras_core.errors.base import OrasError
from oras_core.errors.redaction import redact_url

__all__ = [
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
]


class TransportError(OrasError):
    """A request got no answer, or the connection broke within the answer.

    Attributes:
        operation: what was being done, e.g. `resolve localhost:5001/app:v1`; empty if a transport
            alone was used.
        method: the HTTP method.
        url: the URL, without its query.
        reason: what went wrong.
        retryable: whether the same request may succeed later.
    """

    operation: str = ""

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = True) -> None:
        """Keep the facts; redact the URL."""
        self.method = method
        self.url: str = redact_url(url)
        self.reason = reason
        self.retryable = retryable
        super().__init__(f"{method} {self.url} failed: {reason}")

    def during(self, operation: str) -> None:
        """Add what was being done to the message, once."""
        if not self.operation:
            self.operation = operation
            self.args: tuple[Any, ...] = (f"cannot {operation}: {self}",)


class TransportTimeoutError(TransportError, TimeoutError):
    """The server did not answer, or stopped sending, within the timeout."""


class TlsError(TransportError):
    """The certificate of the server is not trusted, or no TLS version is shared."""

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = False) -> None:
        """As `TransportError`, but not retryable by default."""
        super().__init__(method, url, reason, retryable=retryable)
