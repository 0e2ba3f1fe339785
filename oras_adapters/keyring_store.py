"""The operating system's keyring, through the keyring library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from oras_core.credentials import config_key
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KeyringStore"]

SERVICE: Final = "oras-sdk"
"""The name under which the keyring shows our entries."""

_FIELDS: Final = ("username", "password", "identity_token", "registry_token")


class KeyringStore(CredentialStore):
    """Keeps each registry's credential as one entry of the keyring. Thread-safe.

    The entry's user name is the registry, its secret a small JSON object: a registry has a
    user name, and maybe tokens, while a keyring's entry has one secret text.
    """

    def __init__(self, backend: KeyringBackend | None = None) -> None:
        """Use `backend`; by default the one that the keyring library chooses.

        Nothing is loaded before the first use: looking for backends takes a while.
        """
        self._chosen = backend

    def __repr__(self) -> str:
        """Name the class alone: a backend's repr is its own affair."""
        return "KeyringStore()"

    def get(self, registry: str) -> Credential | None:
        """Return the credential; None where the keyring has none.

        Raises:
            CredentialError: if the keyring is locked or absent, or its entry is not ours.
        """
        operation = f"read the credential for {registry}"
        with self._reporting(operation):
            backend = self._backend()
            for key in _keys(registry):
                secret = backend.get_password(SERVICE, key)
                if secret is not None:
                    return _parse(secret, operation)
        return None

    def put(self, registry: str, credential: Credential) -> None:
        """Keep the credential as an entry of the keyring.

        Raises:
            CredentialError: if the keyring is locked or absent, or refuses the entry.
        """
        fields = {name: getattr(credential, name) for name in _FIELDS}
        secret = json.dumps({name: value for name, value in fields.items() if value})
        with self._reporting(f"store the credential for {registry}"):
            self._backend().set_password(SERVICE, config_key(registry), secret)

    def delete(self, registry: str) -> None:
        """Remove the entry; none being there is no error.

        Raises:
            CredentialError: if the keyring is locked or absent.
        """
        with self._reporting(f"erase the credential for {registry}"):
            backend = self._backend()
            if backend.get_password(SERVICE, config_key(registry)) is not None:
                backend.delete_password(SERVICE, config_key(registry))

    def _backend(self) -> KeyringBackend:
        if self._chosen is None:
            import keyring

            self._chosen = keyring.get_keyring()
        return self._chosen

    @contextmanager
    def _reporting(self, operation: str) -> Iterator[None]:
        from keyring import errors

        try:
            yield
        except errors.NoKeyringError:
            raise CredentialError(
                operation,
                "the keyring",
                "there is none on this machine; install a keyring backend, or choose another "
                "store by the setting credentials.stores",
            ) from None
        except (errors.KeyringError, OSError, RuntimeError) as error:
            # The type alone: what a backend's message holds is not known.
            raise CredentialError(
                operation, "the keyring", f"its backend failed ({type(error).__name__})"
            ) from None


def _keys(registry: str) -> tuple[str, ...]:
    """Return the keys under which `put` may have kept it: the longest path first (R11)."""
    parts = registry.split("/")
    levels = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return tuple(config_key(level) for level in levels)


def _parse(secret: str, operation: str) -> Credential:
    try:
        document: Any = json.loads(secret)
        fields = {name: document.get(name, "") for name in _FIELDS}
    except (AttributeError, ValueError, RecursionError):
        raise CredentialError(operation, "the keyring", "its entry is not ours") from None
    if not all(isinstance(value, str) for value in fields.values()):
        raise CredentialError(operation, "the keyring", "its entry is not ours")
    return Credential(**fields)
