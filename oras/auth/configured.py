"""The credential stores of the user's configuration.

The factory also composes connections and is slow to import. It is imported on first use.
"""

from __future__ import annotations

# ruff: noqa: PLC0415 - see above
from oras_core.ports.credentials import CredentialStore

__all__ = ["config_file", "configured"]


def config_file(path: str) -> CredentialStore:
    """Return the store of a docker configuration and its credential helpers."""
    from oras_adapters.credential_stores import config_file_store

    return config_file_store(path)


def configured() -> CredentialStore:
    """Return the store that the user's settings select."""
    from oras_adapters.factory import compose

    return compose().credentials
