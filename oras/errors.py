"""The errors that a client raises.

Every error is an `oras_core.errors.OrasError`, except for exceptions of Python itself such
as `FileNotFoundError`. The error responses of a registry have a class here, which is also a
`ValueError`, because oras-py raises `ValueError` for them.

| error | a client raises it if |
| --- | --- |
| `AuthenticationError` | the registry demands a credential or rejects it (401) |
| `AccessDeniedError` | the credential does not permit the request (403) |
| `RegistryNotFoundError` | the blob, manifest, tag or repository does not exist (404) |
| `RateLimitedError` | the registry still limits the rate after all retries (429) |
| `RegistryError` | the registry answers with any other unexpected status |
| `oras_core.errors.TransportError` | there is no response, or the connection breaks |
| `oras_core.errors.TransportTimeoutError` | a timeout expires |
| `oras_core.errors.TlsError` | the TLS certificate is not trusted |
| `oras_core.errors.ContentError` | a blob or file does not match its digest or size |
| `oras_core.errors.UnsafePathError` | a file name points outside the folder |
| `oras_core.errors.UnsafeArchiveError` | an archive member points outside the folder |
| `oras_core.errors.CredentialError` | a credential store cannot be read or written |

If the program has imported `requests`, the errors of requests and connections are also the
exceptions of `requests` that oras-py raises: `HTTPError`, `ConnectionError`, `SSLError` or
`Timeout`, with the attributes `response` and `request`.

A custom authentication backend may raise `AuthenticationException` to end a request. An
`AuthenticationError` is one, too.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from oras.auth.errors import AuthenticationException
from oras_core import errors as core
from oras_core.errors import registry as registry_errors

__all__ = [
    "AccessDeniedError",
    "AuthenticationError",
    "AuthenticationException",
    "RateLimitedError",
    "RegistryError",
    "RegistryNotFoundError",
]


class RegistryError(registry_errors.RegistryError, ValueError):
    """A registry answered a request with an error. The message starts with oras-py's text.

    Attributes:
        response: the response, with the interface of `requests.Response`.
        request: the request that `response` answers, or None.
    """

    response: Any = None
    request: Any = None

    def __str__(self) -> str:
        """Return oras-py's message, followed by the operation and the registry's message."""
        try:
            phrase = HTTPStatus(self.status).phrase
        except ValueError:
            phrase = f"status {self.status}"
        return f"Issue with {self.url}: {phrase} ({super().__str__()})"


class AuthenticationError(RegistryError, core.AuthenticationError, AuthenticationException):
    """The registry demands a credential, or rejects the one that was sent (401)."""


class AccessDeniedError(RegistryError, core.AccessDeniedError):
    """The credential does not permit the request (403). Some registries mean 404 (R8)."""


class RegistryNotFoundError(RegistryError, core.RegistryNotFoundError):
    """The blob, manifest, tag or repository does not exist (404)."""


class RateLimitedError(RegistryError, core.RateLimitedError):
    """The registry limits the rate of requests, and did so after all retries (429)."""
