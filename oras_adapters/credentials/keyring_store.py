"""The operating system's keyring, through the keyring library."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from oras_core.credentials import config_key
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KeyringStore"]

T = TypeVar("T")

SERVICE: Final = "oras-sdk"
"""The name under which the keyring shows our entries."""

_FIELDS: Final = ("username", "password", "identity_token", "registry_token")


class KeyringStore(CredentialStore):
    """Keeps each registry's credential as one entry of the keyring. Thread-safe.

    An entry is read once: unlocking a keyring may take the user's time. That holds until it is
    put or deleted here, or the registry refuses it.

    The entry's user name is the registry, its secret a small JSON object: a registry has a
    user name, and maybe tokens, while a keyring's entry has one secret text.
    """

    def __init__(self, backend: KeyringBackend | None = None) -> None:
        """Use `backend`; by default the one that the keyring library chooses.

        Nothing is loaded before the first use: looking for backends takes a while.
        """
        self._chosen = backend
        self._entries: dict[str, str | None] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        """Name the class alone: a backend's repr is its own affair."""
        return "KeyringStore()"

    def get(self, registry: str) -> Credential | None:
        """Return the credential; None where the keyring has none.

        Raises:
            CredentialError: if the keyring is locked or absent, or its entry is not ours.
        """
        operation = f"read the credential for {registry}"
        secrets = (self._asking(operation, partial(self._read, key)) for key in _keys(registry))
        secret = next((one for one in secrets if one is not None), None)
        return None if secret is None else _parse(secret, operation)

    def put(self, registry: str, credential: Credential) -> None:
        """Keep the credential as an entry of the keyring.

        Raises:
            CredentialError: if the keyring is locked or absent, or refuses the entry.
        """
        fields = {name: getattr(credential, name) for name in _FIELDS}
        secret = json.dumps({name: value for name, value in fields.items() if value})
        key = config_key(registry)
        self._asking(
            f"store the credential for {registry}",
            lambda: self._backend().set_password(SERVICE, key, secret),
        )
        self.refresh(registry)

    def delete(self, registry: str) -> None:
        """Remove the entry; none being there is no error.

        Raises:
            CredentialError: if the keyring is locked or absent.
        """
        key = config_key(registry)
        self._asking(f"erase the credential for {registry}", lambda: self._erase(key))
        self.refresh(registry)

    def refresh(self, registry: str) -> None:
        """Read the entries for `registry` anew, the next time."""
        with self._lock:
            for key in _keys(registry):
                self._entries.pop(key, None)

    def _read(self, key: str) -> str | None:
        if key not in self._entries:
            self._entries[key] = self._backend().get_password(SERVICE, key)
        return self._entries[key]

    def _erase(self, key: str) -> None:
        backend = self._backend()
        if backend.get_password(SERVICE, key) is not None:
            backend.delete_password(SERVICE, key)

    def _backend(self) -> KeyringBackend:
        if self._chosen is None:
            import keyring

            self._chosen = keyring.get_keyring()
        return self._chosen

    def _asking(self, operation: str, ask: Callable[[], T]) -> T:
        """Ask the backend, by one thread at a time: a second dialog would be one too many."""
        from keyring import errors

        try:
            with self._lock:
                return ask()
        except errors.NoKeyringError:
            reason = (
                "there is none on this machine; install a keyring backend, or choose another "
                "store by the setting credentials.stores"
            )
        except (errors.KeyringError, OSError, RuntimeError) as error:
            reason = f"its backend failed ({type(error).__name__})"
        # The type alone, and chained to nothing: what a backend's message holds is not known.
        raise CredentialError(operation, "the keyring", reason)


def _keys(registry: str) -> tuple[str, ...]:
    """Return the keys under which `put` may have kept it: the longest path first (R11)."""
    parts = registry.split("/")
    levels = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return tuple(config_key(level) for level in levels)


def _parse(secret: str, operation: str) -> Credential:
    fields: dict[str, Any] = {"username": None}
    with suppress(AttributeError, ValueError, RecursionError):
        document: Any = json.loads(secret)
        fields = {name: document.get(name, "") for name in _FIELDS}
    if not all(isinstance(value, str) for value in fields.values()):
        # Not chained: what says why holds the whole entry.
        raise CredentialError(operation, "the keyring", "its entry is not ours")
    return Credential(**fields)
