"""The operating system's keyring, through the keyring library."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from oras_core.credentials import config_key
from oras_core.errors import CredentialError
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

__all__ = ["KeyringStore"]

T = TypeVar("T")

SERVICE: Final = "oras-sdk"
"""The service name of this library's entries."""

_FIELDS: Final = ("username", "password", "identity_token", "registry_token")


class KeyringStore(CredentialStore):
    """Keeps each registry's credential as one entry of the keyring. Thread-safe.

    Entries are cached, since the user may have to unlock the keyring. A cached entry is dropped
    on `put`, `delete` and `refresh`.

    The entry's user name is the registry. Its secret is a JSON object with the fields of the
    credential, since a keyring entry has a single secret.
    """

    def __init__(self, backend: KeyringBackend | None = None) -> None:
        """Use `backend`; by default the one that the keyring library chooses.

        The keyring library is imported on first use, since it searches for backends.
        """
        self._chosen = backend
        self._entries: dict[str, str | None] = {}
        self._lock = ForkSafeLock()

    def __repr__(self) -> str:
        """Name the class only: a backend's repr may contain anything."""
        return "KeyringStore()"

    def places(self, registry: str) -> tuple[str, ...]:  # noqa: ARG002 - the port's signature
        """Name the keyring."""
        return ("the keyring",)

    def get(self, registry: str) -> Credential | None:
        """Return the credential; None if the keyring has none.

        Raises:
            CredentialError: if the keyring is locked or absent, or if the entry is invalid.
        """
        operation = f"read the credential for {registry}"
        secrets = (self._asking(operation, partial(self._read, key)) for key in _keys(registry))
        secret = next((one for one in secrets if one is not None), None)
        return None if secret is None else _parse(secret, operation)

    def put(self, registry: str, credential: Credential) -> None:
        """Store the credential as an entry of the keyring.

        Raises:
            CredentialError: if the keyring is locked or absent, or refuses the entry.
        """
        self._write(config_key(registry), credential, f"store the credential for {registry}")
        self.refresh(registry)

    def delete(self, registry: str) -> None:
        """Delete the entry, if there is one.

        Raises:
            CredentialError: if the keyring is locked or absent.
        """
        key = config_key(registry)
        self._asking(f"erase the credential for {registry}", lambda: self._erase(key))
        self.refresh(registry)

    def replace(self, registry: str, old: Credential, new: Credential) -> None:
        """Store `new` in the entry that contains `old`; raises as `get` and `put`."""
        self.refresh(registry)
        for key in _keys(registry):
            secret = self._asking(f"read the credential for {registry}", partial(self._read, key))
            if secret is not None and _parse(secret, f"read the credential for {key}") == old:
                self._write(key, new, f"store the new credential for {registry}")
                break
        self.refresh(registry)

    def refresh(self, registry: str) -> None:
        """Drop the cached entries for `registry`."""
        with self._lock:
            for key in _keys(registry):
                self._entries.pop(key, None)

    def _write(self, key: str, credential: Credential, operation: str) -> None:
        fields = {name: getattr(credential, name) for name in _FIELDS}
        secret = json.dumps({name: value for name, value in fields.items() if value})
        self._asking(operation, lambda: self._backend().set_password(SERVICE, key, secret))

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
        """Call the backend from one thread at a time, so that only one dialog is shown."""
        from keyring import errors

        try:
            with self._lock:
                return ask()
        except errors.NoKeyringError:
            reason = (
                "this machine has no keyring; install a keyring backend, or choose another "
                "store with the setting credentials.stores"
            )
        except (errors.KeyringError, OSError, RuntimeError) as error:
            reason = f"its backend failed ({type(error).__name__})"
        # Only the type, and no chained error: a backend's message may contain secrets.
        raise CredentialError(operation, "the keyring", reason)


def _keys(registry: str) -> tuple[str, ...]:
    """Return the keys of possible entries, the longest path first (R11)."""
    parts = registry.split("/")
    levels = ("/".join(parts[:count]) for count in range(len(parts), 0, -1))
    return tuple(config_key(level) for level in levels)


def _parse(secret: str, operation: str) -> Credential:
    fields: dict[str, Any] = {"username": None}
    with suppress(AttributeError, ValueError, RecursionError):
        document: Any = json.loads(secret)
        fields = {name: document.get(name, "") for name in _FIELDS}
    if not all(isinstance(value, str) for value in fields.values()):
        # Not chained: the parser's error contains the entry.
        raise CredentialError(operation, "the keyring", "its entry has an unknown format")
    return Credential(**fields)
