"""Composes the parts of a client, and the client itself, from settings."""

from __future__ import annotations

from oras_adapters.composition import Parts
from oras_adapters.settings.settings import Settings, load_settings
from oras_core.ports.credentials import CredentialStore

__all__ = ["Composition", "compose"]


class Composition(Parts):
    """The parts of one client, and the client. Thread-safe."""


def compose(
    settings: Settings | None = None, *, credentials: CredentialStore | None = None
) -> Composition:
    """Compose a client from `settings`; by default from those of the user's machine.

    Raises:
        InvalidConfigurationError: if the user's settings cannot be used.
    """
    return Composition(load_settings() if settings is None else settings, credentials=credentials)
