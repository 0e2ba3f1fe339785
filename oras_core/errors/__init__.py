"""Every error that the library raises.

They form one tree under `OrasError`. Each says what was being done, to what, and why it
failed; the facts are attributes, so that callers branch on them and not on text. No
message and no repr holds a secret: URLs appear without user information and query.

An error about a value that the caller passed is also a `ValueError`; something absent
is also a `LookupError`.
"""

from __future__ import annotations

from oras_core.errors.base import OrasError, redact_url
from oras_core.errors.content import (
    ContentError,
    DigestMismatchError,
    FileAccessError,
    SizeLimitError,
    SizeMismatchError,
    SourceChangedError,
)
from oras_core.errors.credentials import CredentialError, CredentialHelperError
from oras_core.errors.registry import (
    AccessDeniedError,
    AuthenticationError,
    RateLimitedError,
    RegistryError,
    RegistryNotFoundError,
    UnsafeRedirectError,
)
from oras_core.errors.targets import (
    AlreadyExistsError,
    CancelledError,
    CopyError,
    NotFoundError,
    UnsupportedError,
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
from oras_core.errors.wire import TlsError, TransportError, TransportTimeoutError

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
    "TlsError",
    "TransportError",
    "TransportTimeoutError",
    "UnsafeArchiveError",
    "UnsafePathError",
    "UnsafeRedirectError",
    "UnsupportedError",
    "redact_url",
]
