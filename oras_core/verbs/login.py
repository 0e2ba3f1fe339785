"""Log in to a registry and log out of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from oras_core.ports.credentials import Credential, CredentialStore

if TYPE_CHECKING:
    from oras_core.registry.registry import RemoteRegistry

__all__ = ["login", "logout"]


def login(registry: RemoteRegistry, credential: Credential, store: CredentialStore) -> None:
    """Verify a credential with the registry, then store it.

    A registry that allows anonymous access accepts every credential.

    Args:
        registry: the registry, composed with `credential`.
        credential: the credential to verify and store.
        store: the store.

    Raises:
        AuthenticationError: if the registry refuses the credential. Nothing is stored.
        RegistryError: if the host is not a registry. Nothing is stored.
        TransportError: if there is no response. Nothing is stored.
        CredentialError: if the store cannot be written.

    Example:
        >>> login(registry, Credential("alice", "secret"), vault)
        >>> vault.get(registry.host).username
        'alice'
    """
    registry.ping()
    store.put(registry.host, credential)


def logout(store: CredentialStore, registries: Iterable[str]) -> bool:
    """Delete the credentials for a registry under all its names.

    Args:
        store: the store.
        registries: the names, `HOST` or `HOST:PORT`, e.g. `localhost` and `127.0.0.1`.

    Returns:
        Whether there was a credential.

    Raises:
        CredentialError: if the store cannot be read or written.

    Example:
        >>> login(registry, Credential("alice", "secret"), vault)
        >>> logout(vault, [registry.host])
        True
    """
    known = False
    for registry in registries:
        credential = store.get(registry)
        if credential is not None and not credential.is_empty:
            known = True
        # Always: there may be further credentials or an empty entry.
        store.delete(registry)
    return known
