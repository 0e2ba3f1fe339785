"""Where the user keeps credentials.

What composes these stores also composes connections, which few who import this package need
at once: it is imported when the first store is wanted.
"""

from __future__ import annotations

# ruff: noqa: PLC0415 - see above
from oras_core.ports.credentials import CredentialStore

__all__ = ["config_file", "configured"]


def config_file(path: str) -> CredentialStore:
    """Return the store of a docker configuration, with the helpers that it names."""
    from oras_adapters.credential_stores import config_file_store

    return config_file_store(path)


def configured() -> CredentialStore:
    """Return the store that the user's settings choose."""
    from oras_adapters.factory import compose

    return compose().credentials
