"""The credentials port: credentials, and stores that keep them."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from attrs import field, frozen

from oras_core.forks import Unpicklable

__all__ = [
    "Credential",
    "CredentialPlaces",
    "CredentialRefresher",
    "CredentialReplacer",
    "CredentialStore",
    "Unpicklable",
]


def _hidden(secret: str) -> str:
    return "<hidden>" if secret else "''"


@frozen
class Credential(Unpicklable):
    """A credential for a registry. It cannot be pickled, and its repr hides the secrets.

    Attributes:
        username: the user name; may be empty if there is a token.
        password: a password or an access key.
        identity_token: an OAuth2 refresh token, exchanged for access tokens (R3).
        registry_token: a bearer token, sent unchanged.
    """

    username: str = ""
    password: str = field(default="", repr=_hidden)
    identity_token: str = field(default="", repr=_hidden)
    registry_token: str = field(default="", repr=_hidden)

    @property
    def is_empty(self) -> bool:
        """Whether all fields are empty; requests are then anonymous."""
        return not (self.username or self.password or self.identity_token or self.registry_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets that must not appear in messages and logs."""
        held = (self.password, self.identity_token, self.registry_token)
        return tuple(secret for secret in held if secret)

    @property
    def has_basic(self) -> bool:
        """Whether the credential can be used for Basic authentication."""
        return bool(self.username and self.password)


class CredentialStore(Protocol):
    """Keeps credentials by registry. Thread-safe.

    A registry is `HOST[:PORT]` as in a reference, optionally followed by a repository's path,
    `HOST/NAMESPACE/NAME`, for stores that keep credentials by path (R11). Other stores use the
    host only. Docker Hub is `docker.io`.
    """

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; None if the store has none.

        Raises:
            CredentialError: if the store cannot be read.
        """
        ...

    def put(self, registry: str, credential: Credential) -> None:
        """Store `credential` for `registry`, replacing an earlier one.

        Raises:
            CredentialError: if the store cannot be written or is read-only.
        """
        ...

    def delete(self, registry: str) -> None:
        """Delete the credential for `registry`, if there is one.

        Raises:
            CredentialError: if the store cannot be written.
        """
        ...


@runtime_checkable
class CredentialRefresher(Protocol):
    """A `CredentialStore` that caches lookups."""

    def refresh(self, registry: str) -> None:
        """Drop the cached credential for `registry`, which the registry refused."""
        ...


@runtime_checkable
class CredentialPlaces(Protocol):
    """A `CredentialStore` that names the places where it looks, for messages."""

    def places(self, registry: str) -> tuple[str, ...]:
        """Return the names of the places, such as paths and programs, in the order of `get`."""
        ...


@runtime_checkable
class CredentialReplacer(Protocol):
    """A `CredentialStore` that can store the successor of a token for one use (R3)."""

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` wherever `old` is stored for `registry`; do nothing elsewhere.

        Raises:
            CredentialError: if the store cannot be read or written.
        """
        ...
