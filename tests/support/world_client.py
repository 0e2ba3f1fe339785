"""A client of the user guide's kind in a world in memory: no socket, real credentials."""

from __future__ import annotations

import pytest

from oras.client import OrasClient
from oras_adapters.factory import Composition
from oras_adapters.settings.settings import NetworkSettings, Settings
from oras_core.credentials import StaticCredentials
from oras_core.ports.credentials import CredentialStore
from oras_core.ports.http import HttpTransport
from support.auth_world import World


class WorldComposition(Composition):
    """Composes as always, over a world instead of sockets. What fails is sent once."""

    def __init__(self, world: World, credentials: CredentialStore) -> None:
        settings = Settings(network=NetworkSettings(attempts=1))
        super().__init__(settings, credentials=credentials)
        self._world = world

    def transport(self, host: str) -> HttpTransport:
        """Return the world."""
        return self._world


def inhabit(
    patch: pytest.MonkeyPatch, world: World, credentials: CredentialStore | None = None
) -> CredentialStore:
    """Let all clients live in `world` from now on; return the store of their user."""
    store = credentials or StaticCredentials({})
    for module in ("oras._client.connections", "oras._transports.composition"):
        patch.setattr(f"{module}.composition_for", lambda *_: WorldComposition(world, store))
    patch.setattr("oras.auth.base.configured", lambda: store)
    return store


def get(client: OrasClient, url: str) -> int:
    """Return the status of a GET."""
    return client.do_request(url).status_code
