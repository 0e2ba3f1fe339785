"""The credentials port: who we are to a registry."""

from __future__ import annotations

from typing import Protocol, Self, runtime_checkable

from attrs import field, frozen

__all__ = ["Credential", "CredentialRefresher", "CredentialStore", "Unpicklable"]


def _hidden(secret: str) -> str:
    return "<hidden>" if secret else "''"


class Unpicklable:
    """A value that holds a secret, and is not written where it could be read."""

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse: a pickle goes into files, caches and queues, with the secret in clear.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"a {type(self).__name__} holds a secret and is not pickled")

    def __copy__(self) -> Self:
        """Return the value itself: it does not change."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return the value itself: it does not change."""
        return self


@frozen
class Credential(Unpicklable):
    """What a registry knows us by. No secret shows in its repr, and none can be pickled.

    Attributes:
        username: may be empty where a token is all there is.
        password: a password or an access key.
        identity_token: an OAuth2 refresh token, exchanged for access tokens (R3).
        registry_token: a bearer token to be sent as it is.
    """

    username: str = ""
    password: str = field(default="", repr=_hidden)
    identity_token: str = field(default="", repr=_hidden)
    registry_token: str = field(default="", repr=_hidden)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is known; then requests are anonymous."""
        return not (self.username or self.password or self.identity_token or self.registry_token)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What may show nowhere."""
        held = (self.password, self.identity_token, self.registry_token)
        return tuple(secret for secret in held if secret)

    @property
    def has_basic(self) -> bool:
        """Whether it can be used for Basic authentication."""
        return bool(self.username and self.password)


class CredentialStore(Protocol):
    """Keeps credentials by registry. Thread-safe.

    A registry is given as in a reference, `HOST[:PORT]`, optionally followed by a
    repository's path, `HOST/NAMESPACE/NAME`, for stores that hold credentials by path
    (R11); other stores look at the host alone. Docker Hub is `docker.io`.
    """

    def get(self, registry: str) -> Credential | None:
        """Return the credential for `registry`; None where there is none.

        Raises:
            CredentialError: if the store cannot be read. Not: if it has no credential.
        """
        ...

    def put(self, registry: str, credential: Credential) -> None:
        """Keep `credential` for `registry`, replacing an earlier one.

        Raises:
            CredentialError: if the store cannot be written, or keeps nothing.
        """
        ...

    def delete(self, registry: str) -> None:
        """Forget the credential for `registry`; none being there is no error.

        Raises:
            CredentialError: if the store cannot be written.
        """
        ...


@runtime_checkable
class CredentialRefresher(Protocol):
    """What a `CredentialStore` that remembers answers can do besides."""

    def refresh(self, registry: str) -> None:
        """Look the credential up anew when it is next wanted: the registry refused it."""
        ...
