"""What a registry answers."""

from __future__ import annotations

from collections.abc import Sequence

from oras_core.errors.base import OrasError, redact_url
from oras_core.errors.targets import NotFoundError

__all__ = [
    "AccessDeniedError",
    "AuthenticationError",
    "RateLimitedError",
    "RegistryError",
    "RegistryNotFoundError",
    "UnsafeRedirectError",
]


class RegistryError(OrasError):
    """A registry answered a request with an error.

    Attributes:
        operation: what was being done, e.g. `push blob sha256:… to localhost:5000/app`.
        status: the HTTP status.
        codes: the OCI error codes of the answer's body, e.g. `("MANIFEST_UNKNOWN",)`.
        detail: the registry's own words, shortened; may be empty.
        method: the HTTP method.
        url: the address asked, without its query.
    """

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
        """Keep the facts; the URL is redacted here, whatever was passed."""
        self.operation = operation
        self.status = status
        self.method = method
        self.url = redact_url(url)
        self.codes = tuple(codes)
        self.detail = detail
        words = ", ".join(codes)
        reason = ": ".join(part for part in (words, detail) if part)
        # Not `super()`: the next class may be `NotFoundError`, which makes its own message.
        OrasError.__init__(
            self,
            f"cannot {operation}: {method} {self.url} was answered with status {status}"
            + (f" ({reason})" if reason else ""),
        )


class AuthenticationError(RegistryError):
    """The registry wants a credential, or refused the one it was given (401)."""


class AccessDeniedError(RegistryError):
    """The credential may not do this, or, by some registries, there is no such thing (403, R8)."""


class RegistryNotFoundError(RegistryError, NotFoundError):
    """The registry has no such blob, manifest, tag or repository (404)."""

    @property
    def what(self) -> str:  # type: ignore[override]
        """What was being done when it was missed."""
        return self.operation

    @property
    def where(self) -> str:  # type: ignore[override]
        """The address that answered."""
        return self.url


class RateLimitedError(RegistryError):
    """The registry asks to slow down (429), and went on asking after all attempts.

    Attributes:
        retry_after: the pause in seconds that it asked for, if it named one.
    """

    retry_after: float | None = None


class UnsafeRedirectError(OrasError):
    """A registry sent the client to an address where it must not go (R10, R18).

    Attributes:
        source: the address that answered, without its query.
        target: where it pointed to, without its query.
        reason: why that is refused.
    """

    def __init__(self, source: str, target: str, reason: str) -> None:
        """Keep the facts, redacted."""
        self.source = redact_url(source)
        self.target = redact_url(target)
        self.reason = reason
        super().__init__(f"{self.source} redirects to {self.target}, which is refused: {reason}")
