"""Who we are, told to the registry and to nobody else."""

from __future__ import annotations

import base64

from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.redirects import origin_of

__all__ = ["Authorizer"]


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


class Authorizer:
    """A transport that adds `Authorization` to requests to one origin."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        origin: str,
        credentials: CredentialStore,
        registry: str = "",
    ) -> None:
        """Wrap `transport`."""
        self._transport = transport
        self._origin = origin_of(origin)
        self._credentials = credentials
        self._registry = registry or self._origin.partition("://")[2]

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, with the credential if the registry asks for it."""
        response = self._transport.send(request)
        if response.status != 401 or origin_of(request.url) != self._origin:
            return response
        credential = self._credentials.get(self._registry)
        if credential is None or not credential.has_basic:
            return response
        response.close()
        return self._transport.send(request.with_headers({"Authorization": _basic(credential)}))
