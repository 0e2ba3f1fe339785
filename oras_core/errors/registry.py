"""Errors of the connection to a registry, and of its responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oras_core.errors.base import OrasError
from oras_core.errors.redaction import redact_url
from oras_core.errors.targets import NotFoundError

__all__ = [
    "AccessDeniedError",
    "AuthenticationError",
    "RateLimitedError",
    "RegistryError",
    "RegistryNotFoundError",
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
    "UnsafeRedirectError",
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


class RegistryError(OrasError):
    """A registry answered a request with an error.

    Attributes:
        operation: what was being done, e.g. `push blob sha256:… to localhost:5001/app`.
        status: the HTTP status.
        codes: the OCI error codes in the body of the answer, e.g. `("MANIFEST_UNKNOWN",)`.
        detail: the registry's own message, shortened; may be empty.
        method: the HTTP method.
        url: the requested URL, without its query.
        explanation: what the client knows of the cause, e.g. `no credential for ghcr.io was
            found in …`; may be empty.
    """

    explanation: str = ""

    def __init__(
        self,
        operation: str,
        *,
        status: int,
        method: str,
        url: str,
        codes: Sequence[str] = (),
        detail: str = "",
    ) -> None:
        """Keep the facts; redact the URL."""
        self.operation = operation
        self.status = status
        self.method = method
        self.url: str = redact_url(url)
        self.codes: tuple[str, ...] = tuple(codes)
        self.detail = detail
        words = ", ".join(codes)
        reason = ": ".join(part for part in (words, detail) if part)
        # Not `super()`: the next class may be `NotFoundError`, which has a message of its own.
        OrasError.__init__(
            self,
            f"cannot {operation}: {method} {self.url} was answered with status {status}"
            + (f" ({reason})" if reason else ""),
        )

    def explain(self, explanation: str) -> None:
        """Add what the client knows of the cause to the message, once."""
        if explanation and not self.explanation:
            self.explanation = explanation
            self.args: tuple[Any, ...] = (f"{self}; {explanation}",)


class AuthenticationError(RegistryError):
    """The registry demands a credential, or refused the one it was given (401)."""


class AccessDeniedError(RegistryError):
    """The credential does not allow this; some registries also mean "not found" (403, R8)."""


class RegistryNotFoundError(RegistryError, NotFoundError):
    """The registry has no such blob, manifest, tag or repository (404)."""

    @property
    def what(self) -> str:  # type: ignore[override]
        """The operation that failed."""
        return self.operation

    @property
    def where(self) -> str:  # type: ignore[override]
        """The URL that answered."""
        return self.url


class RateLimitedError(RegistryError):
    """The registry limits the rate of requests (429), and did so after all attempts.

    Attributes:
        retry_after: the pause that the registry demands, in seconds; None if it names none.
    """

    retry_after: float | None = None


class UnsafeRedirectError(OrasError):
    """A registry redirected the client to a URL that is not allowed (R10, R18).

    Attributes:
        source: the URL that answered, without its query.
        target: the URL that the answer names, without its query.
        reason: why the target is refused.
    """

    def __init__(self, source: str, target: str, reason: str) -> None:
        """Keep the facts, redacted."""
        self.source: str = redact_url(source)
        self.target: str = redact_url(target)
        self.reason = reason
        super().__init__(f"{self.source} redirects to {self.target}, which is refused: {reason}")
