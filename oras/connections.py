"""From a client of the user guide's kind to the core's registries and repositories."""

from __future__ import annotations

from collections.abc import Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from oras.bodies import as_data, joined
from oras.hooks import is_overridden
from oras_adapters.factory import Composition, compose
from oras_adapters.settings import load_settings
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.endpoints import is_loopback

if TYPE_CHECKING:
    from oras.base import BaseClient
    from oras.container import Container
    from oras_core.registry.registry import RemoteRegistry
    from oras_core.registry.repository import RemoteRepository

__all__ = ["Connections"]


@frozen
class _Key:
    """What a registry object depends on; a client's attributes may change at any time."""

    host: str
    scheme: str
    verify: bool | str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    session: object


class Connections:
    """The registries that one client speaks to, made when they are first needed."""

    def __init__(self, client: BaseClient) -> None:
        """Look at `client`'s attributes whenever a registry is asked for."""
        self._client = client
        self._compositions: dict[bool | str, Composition] = {}
        self._registries: dict[_Key, RemoteRegistry] = {}
        self._lock = RLock()

    def repository(self, container: Container) -> RemoteRepository:
        """Return the repository that `container` names."""
        return self.registry(container.registry).repository(container.api_prefix)

    def registry(self, host: str) -> RemoteRegistry:
        """Return a registry that is spoken to as the client, or its subclass, wants it.

        Where `do_request` is overridden every request goes through it.
        """
        key = self._key(host, self._scheme(host))
        if not is_overridden(self._client, "do_request"):
            return self._cached(key)
        return self._composition(key.verify).registry_over(_ThroughDoRequest(self._client), host)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a request of the user's own, as the client: authorised, with retries."""
        parts = urlsplit(request.url)
        registry = self._cached(self._key(parts.netloc, parts.scheme))
        return registry.transport.send(request)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for composition in self._compositions.values():
                composition.close()
            self._compositions.clear()
            self._registries.clear()

    def _scheme(self, host: str) -> str:
        if self._client.prefix != "https":
            return str(self._client.prefix)
        # On this machine plain HTTP is usual, as for docker; whoever says whom to trust wants TLS.
        plain = is_loopback(host) and self._client.tls_verify is True
        return "http" if plain else "https"

    def _key(self, host: str, scheme: str) -> _Key:
        client = self._client
        return _Key(
            host, scheme, client.tls_verify, tuple(client.headers.items()), client.own_session
        )

    def _cached(self, key: _Key) -> RemoteRegistry:
        with self._lock:
            if key not in self._registries:
                self._registries[key] = self._new_registry(key)
            return self._registries[key]

    def _new_registry(self, key: _Key) -> RemoteRegistry:
        composition = self._composition(key.verify)
        transport: HttpTransport = composition.transport(key.host)
        if key.session is not None:
            transport = _ThroughSession(key.session, key.verify)
        return composition.registry_over(
            transport,
            key.host,
            plain_http=key.scheme == "http",
            headers=Headers(key.headers),
            credentials=self._client.auth.credentials(composition.credentials),
        )

    def _composition(self, verify: bool | str) -> Composition:
        with self._lock:
            if verify not in self._compositions:
                settings = load_settings()
                if verify is not True:
                    bundle = verify if isinstance(verify, str) else ""
                    tls = evolve(settings.tls, verify=bool(verify), ca_bundle=bundle)
                    settings = evolve(settings, tls=tls)
                self._compositions[verify] = compose(settings)
            return self._compositions[verify]


class _ThroughDoRequest:
    """A transport over an overridden `do_request`, whatever it does and returns."""

    def __init__(self, client: BaseClient) -> None:
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        response = self._client.do_request(
            request.url,
            request.method,
            data=as_data(request.body),
            headers=dict(request.headers),
            stream=True,
        )
        return _as_http_response(response, request)


class _ThroughSession:
    """A transport over a session of the user's, of `requests` or alike."""

    def __init__(self, session: Any, verify: bool | str) -> None:
        self._session = session
        self._verify = verify

    def send(self, request: HttpRequest) -> HttpResponse:
        response = self._session.request(
            request.method,
            request.url,
            data=as_data(request.body),
            headers=dict(request.headers),
            stream=True,
            allow_redirects=False,
            verify=self._verify,
        )
        return _as_http_response(response, request)


def _as_http_response(response: Any, request: HttpRequest) -> HttpResponse:
    headers: Mapping[str, str] = response.headers
    body = joined(response.iter_content(1024 * 1024), close=getattr(response, "close", None))
    return HttpResponse(
        response.status_code,
        Headers(headers),
        body=body,
        reason=getattr(response, "reason", "") or "",
        url=str(getattr(response, "url", "") or request.url),
    )
