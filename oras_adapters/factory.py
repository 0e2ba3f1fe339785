"""Composes the parts of a client, and the client itself, from settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oras_adapters.composition import Parts
from oras_adapters.settings.settings import Settings, chosen_settings
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpTransport

if TYPE_CHECKING:
    from oras_adapters.client.async_client import AsyncClient
    from oras_adapters.client.client import Client
    from oras_core.ports.credentials import CredentialStore
    from oras_core.ports.progress import ProgressListener

__all__ = ["Composition", "compose"]


class Composition(Parts):
    """The parts of one client, and the client. Thread-safe."""

    def client(self, *, progress: bool | ProgressListener | None = None) -> Client:
        """Return a client over these parts. Closing it closes the connections of both.

        Args:
            progress: as for `Client`.
        """
        from oras_adapters.client.client import Client  # noqa: PLC0415 - not all programs use one

        return Client.over(self, progress=progress)

    def async_client(self, *, progress: bool | ProgressListener | None = None) -> AsyncClient:
        """Return a client for asyncio over these parts. Closing it closes their connections.

        Args:
            progress: as for `AsyncClient`.
        """
        from oras_adapters.client.async_client import AsyncClient  # noqa: PLC0415 - as above

        return AsyncClient.over(self, progress=progress)


def compose(
    settings: Settings | None = None,
    *,
    credentials: CredentialStore | None = None,
    transport: HttpTransport | None = None,
    timeout: float | tuple[float, float] | None = None,
    limits: Limits | None = None,
) -> Composition:
    """Compose a client from `settings`; by default from those of the user's machine.

    Args:
        settings: the settings.
        credentials: a store to use instead of the stores that the settings name.
        transport: a plain transport to use for all hosts, which the caller closes.
        timeout: seconds to wait for a connection and for each read and write; or both, one
            after the other. By default as the settings say.
        limits: bounds of what registries send and of what is unpacked.

    Raises:
        InvalidConfigurationError: if a setting cannot be used.
    """
    chosen = chosen_settings(settings, timeout=timeout)
    return Composition(chosen, credentials=credentials, transport=transport, limits=limits)
