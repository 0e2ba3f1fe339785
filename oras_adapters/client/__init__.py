"""The client: push, pull, copy and inspect artifacts by one object, blocking or in asyncio."""

from __future__ import annotations

from oras_core.lazy import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from oras_adapters.client.async_client import AsyncClient
    from oras_adapters.client.client import Client

__all__ = ["AsyncClient", "Client"]

_MODULE_OF = {"AsyncClient": "async_client", "Client": "client"}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would accept every misspelt name.

    def __getattr__(name: str) -> object:
        """Import a public name on first use (PEP 562)."""
        return resolve(__name__, _MODULE_OF, name)
