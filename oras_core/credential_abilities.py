"""Abilities of some credential stores beyond `CredentialStore`."""

from __future__ import annotations

from oras_core.ports.credentials import (
    Credential,
    CredentialPlaces,
    CredentialRefresher,
    CredentialReplacer,
    CredentialStore,
)

__all__ = ["places", "refresh", "replace"]


def refresh(store: CredentialStore, registry: str) -> None:
    """Drop the cached credential for `registry`, if `store` caches lookups."""
    if isinstance(store, CredentialRefresher):
        store.refresh(registry)


def replace(store: CredentialStore, registry: str, old: Credential, new: Credential) -> None:
    """Store `new` in place of `old`, if `store` supports it."""
    if isinstance(store, CredentialReplacer):
        store.replace(registry, old, new)


def places(store: CredentialStore, registry: str) -> tuple[str, ...]:
    """Return the names of the places where `store` looks; by default, its class."""
    if isinstance(store, CredentialPlaces):
        return store.places(registry)
    return (type(store).__name__,)
