"""The attributes of a client that its connections read: types for type checkers only."""

from __future__ import annotations

from typing import Any, Protocol

from oras._client.hooks import OwnMethods
from oras._client.schemes import SchemeSettings
from oras._transports.foreign import RequestSender

__all__ = ["ClientSettings"]


class ClientSettings(OwnMethods, RequestSender, SchemeSettings, Protocol):
    """The attributes of a client that decide how its requests are sent."""

    tls_verify: bool | str
    timeout: float | tuple[float, float] | None
    own_session: Any

    @property
    def headers(self) -> dict[str, str]:
        """Header fields sent with every request to a registry."""
        ...

    @property
    def auth(self) -> Any:
        """The authentication backend."""
        ...
