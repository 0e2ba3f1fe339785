"""`ConnectionKey`: what the registry objects of a client depend on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import field, frozen

from oras_core.model.values import Value

if TYPE_CHECKING:
    from oras._client.client_settings import ClientSettings

__all__ = ["ConnectionKey"]


@frozen(eq=False, repr=False)
class ConnectionKey(Value):
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
