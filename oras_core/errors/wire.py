"""What happens on the way to a registry."""

from __future__ import annotations

from oras_core.errors.base import OrasError, redact_url

__all__ = [
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
]


class TransportError(OrasError):
    """A request got no answer, or the answer broke off.

    Attributes:
        method: the HTTP method.
        url: the address, without its query.
        reason: what went wrong.
        retryable: whether the same request may succeed later.
    """

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = True) -> None:
        """Keep the facts, redacted."""
        self.method = method
        self.url = redact_url(url)
        self.reason = reason
        self.retryable = retryable
        super().__init__(f"{method} {self.url} failed: {reason}")


class TransportTimeoutError(TransportError, TimeoutError):
    """The server did not answer, or stopped sending, within the time allowed."""


class TlsError(TransportError):
    """The server's certificate is not trusted, or no common TLS version exists."""

    def __init__(self, method: str, url: str, reason: str, *, retryable: bool = False) -> None:
        """As `TransportError`, but another attempt is pointless."""
        super().__init__(method, url, reason, retryable=retryable)
