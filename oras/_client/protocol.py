"""The interface of a client that `push`, `pull` and `Layout` use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from oras._client.client_settings import ClientSettings
from oras._client.connections import Connections
from oras.container import Container
from oras.types import container_type

__all__ = ["RegistryClient"]


class RegistryClient(ClientSettings, Protocol):
    """A client, or a subclass that overrides some of its methods."""

    @property
    def connections(self) -> Connections:
        """Gives access to the core's registry objects."""
        ...

    def get_container(self, name: container_type) -> Container:
        """Parse a name into a `Container`."""
        ...

    @property
    def get_manifest(self) -> Callable[..., Any]:
        """Fetch a manifest."""
        ...

    @property
    def download_blob(self) -> Callable[..., Any]:
        """Download a blob to a file."""
        ...

    @property
    def upload_blob(self) -> Callable[..., Any]:
        """Upload a file."""
        ...

    @property
    def upload_manifest(self) -> Callable[..., Any]:
        """Push a manifest."""
        ...

    def _check_200_response(self, response: Any) -> None:
        """Raise an error unless the response is a success."""
