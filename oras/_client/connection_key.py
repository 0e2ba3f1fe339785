"""`ConnectionKey`: what the registry objects of a client depend on."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import field, frozen

from oras._client.hooks import OwnMethods
from oras._client.schemes import SchemeSettings
from oras._transports.foreign import RequestSender

__all__ = ["ClientSettings", "ConnectionKey"]


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


@frozen
class ConnectionKey:
    """The client attributes a registry object depends on; users may assign them any time."""

    host: str
    scheme: str
    verify: bool | str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    session: object = field(eq=id)
    backend: object = field(repr=False, eq=id)
    revision: object

    @classmethod
    def of(cls, client: ClientSettings, host: str, scheme: str) -> ConnectionKey:
        """Return the key of a registry with the client's attributes as they are now."""
        return cls(
            host,
            scheme,
            client.tls_verify,
            tuple(client.headers.items()),
            client.own_session,
            client.auth,
            getattr(client.auth, "revision", None),
        )
