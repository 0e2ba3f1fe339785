"""The verbs: log in to a registry, log out of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from oras_core.registry.registry import RemoteRegistry

__all__ = ["login", "logout"]


def login(registry: RemoteRegistry, credential: Credential, store: CredentialStore) -> None:
    """Keep a credential that the registry takes, and no other.

    A registry that lets everybody in takes every credential.

    Args:
        registry: made with this credential, so that it is what the registry gets to see.
        credential: what to keep.
        store: where to keep it.

    Raises:
        AuthenticationError: if the registry refuses it. Nothing is kept.
        RegistryError: if there is no registry. Nothing is kept.
        TransportError: where there is no answer. Nothing is kept.
        CredentialError: if the store cannot be written.
    """
    registry.ping()
    store.put(registry.host, credential)


def logout(store: CredentialStore, registries: Iterable[str]) -> bool:
    """Forget the credentials for a registry under all its names.

    Args:
        store: where they are kept.
        registries: the names, `HOST` or `HOST:PORT`, e.g. `localhost` and `127.0.0.1`.

    Returns:
        Whether there was any.

    Raises:
        CredentialError: if the store cannot be read or written.
    """
    known = False
    for registry in registries:
        credential = store.get(registry)
        if credential is not None and not credential.is_empty:
            known = True
        # In any case: there may be more behind what was found, or an empty entry.
        store.delete(registry)
    return known
