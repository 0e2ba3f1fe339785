"""All errors that the library raises.

They form one tree under `OrasError`. Each message names the operation, its object and the
reason of the failure. The facts are attributes, so that callers need not parse messages.
No message and no repr holds a secret: URLs appear without user information and query.

An error about a value that the caller passed is also a `ValueError`; an error about
something absent is also a `LookupError`.
"""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_core.errors.base import OrasError
    from oras_core.errors.content import (
        ContentError,
        DigestMismatchError,
        FileAccessError,
        SizeLimitError,
        SizeMismatchError,
        SourceChangedError,
    )
    from oras_core.errors.credentials import CredentialError, CredentialHelperError
    from oras_core.errors.redaction import redact_url
    from oras_core.errors.registry import (
        AccessDeniedError,
        AuthenticationError,
        RateLimitedError,
        RegistryError,
        RegistryNotFoundError,
        TlsError,
        TransportError,
        TransportTimeoutError,
        UnsafeRedirectError,
    )
    from oras_core.errors.targets import (
        AlreadyExistsError,
        CancelledError,
        CopyError,
        NotFoundError,
        TitleCollisionError,
        UnsupportedError,
        WorkerError,
    )
    from oras_core.errors.values import (
        InvalidAnnotationError,
        InvalidConfigurationError,
        InvalidDescriptorError,
        InvalidDigestError,
        InvalidInputError,
        InvalidManifestError,
        InvalidPlatformError,
        InvalidReferenceError,
        UnsafeArchiveError,
        UnsafePathError,
    )

__all__ = [
    "AccessDeniedError",
    "AlreadyExistsError",
    "AuthenticationError",
    "CancelledError",
    "ContentError",
    "CopyError",
    "CredentialError",
    "CredentialHelperError",
    "DigestMismatchError",
    "FileAccessError",
    "InvalidAnnotationError",
    "InvalidConfigurationError",
    "InvalidDescriptorError",
    "InvalidDigestError",
    "InvalidInputError",
    "InvalidManifestError",
    "InvalidPlatformError",
    "InvalidReferenceError",
    "NotFoundError",
    "OrasError",
    "RateLimitedError",
    "RegistryError",
    "RegistryNotFoundError",
    "SizeLimitError",
    "SizeMismatchError",
    "SourceChangedError",
    "TitleCollisionError",
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
    "UnsafeArchiveError",
    "UnsafePathError",
    "UnsafeRedirectError",
    "UnsupportedError",
    "WorkerError",
    "redact_url",
]

_MODULE_OF = {
    "AccessDeniedError": "registry",
    "AlreadyExistsError": "targets",
    "AuthenticationError": "registry",
    "CancelledError": "targets",
    "ContentError": "content",
    "CopyError": "targets",
    "CredentialError": "credentials",
    "CredentialHelperError": "credentials",
    "DigestMismatchError": "content",
    "FileAccessError": "content",
    "InvalidAnnotationError": "values",
    "InvalidConfigurationError": "values",
    "InvalidDescriptorError": "values",
    "InvalidDigestError": "values",
    "InvalidInputError": "values",
    "InvalidManifestError": "values",
    "InvalidPlatformError": "values",
    "InvalidReferenceError": "values",
    "NotFoundError": "targets",
    "OrasError": "base",
    "RateLimitedError": "registry",
    "RegistryError": "registry",
    "RegistryNotFoundError": "registry",
    "SizeLimitError": "content",
    "SizeMismatchError": "content",
    "SourceChangedError": "content",
    "TitleCollisionError": "targets",
    "TlsError": "registry",
    "TransportError": "registry",
    "TransportTimeoutError": "registry",
    "UnsafeArchiveError": "values",
    "UnsafePathError": "values",
    "UnsafeRedirectError": "registry",
    "UnsupportedError": "targets",
    "WorkerError": "targets",
    "redact_url": "redaction",
}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)


def __dir__() -> list[str]:
    """List the names that are not yet imported, too."""
    return sorted({*globals(), *__all__})
