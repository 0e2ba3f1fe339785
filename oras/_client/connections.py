"""`Connections`: makes the core's registry and repository objects for a client."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from attrs import evolve

import oras_core
from oras import _transports
from oras._client.connection_key import ConnectionKey
from oras._client.hooks import REQUEST_HOOK, is_overridden
from oras._client.schemes import Schemes
from oras._transports.composition import composition_for
from oras.auth.hooks import authenticates_itself
from oras_core.errors import InvalidInputError, redact_url
from oras_core.forks import ForkSafeLock
from oras_core.model.hosts import is_loopback
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.compose import OnDemandAuthorizer
from oras_core.registry.endpoints import base_url
from oras_core.registry.transports.redirects import origin_of
from oras_core.registry.transports.retries import RetryPolicy

if TYPE_CHECKING:
    from oras._client.backend_transport import BackendAuthorization
    from oras._client.client_settings import ClientSettings
    from oras.container import Container
    from oras_adapters.composition import Parts
    from oras_core.copying.options import CopyOptions
    from oras_core.ports.credentials import Credential, CredentialStore
    from oras_core.registry.compose import Authorize
    from oras_core.registry.registry import RemoteRegistry
    from oras_core.registry.repository import RemoteRepository

__all__ = ["Connections"]

_ONCE: Final = RetryPolicy(attempts=1)


class Connections:
    """The registry objects of one client, created on first use."""

    def __init__(self, client: ClientSettings) -> None:
        """Read the attributes of `client` at each request."""
        self._client = client
        self._compositions: dict[bool | str, Parts] = {}
        self._registries: dict[ConnectionKey, RemoteRegistry] = {}
        self._foreign: BackendAuthorization | None = None
        self._schemes = Schemes(client)
        self._lock = ForkSafeLock()

    def repository(self, container: Container) -> RemoteRepository:
        """Return the repository of `container`."""
        self.use(container)
        return self.registry(container.registry).repository(container.api_prefix)

    def use(self, container: Container) -> None:
        """Remember the scheme in a container's name, and that it was used last."""
        self._schemes.use(container)

    def scheme(self, host: str, verify: bool | str | None = None) -> str:
        """Return the scheme for a registry. `verify` replaces the client's `tls_verify`."""
        verify = self._client.tls_verify if verify is None else verify
        return self._schemes.of(host, self._composition(verify), verify)

    def current_scheme(self, default: str | None) -> str:
        """Return the scheme for the registry used last, or else for the registry `default`."""
        host = self._schemes.latest or default
        return self.scheme(host) if host else self._client.chosen_prefix or "https"

    def registry(self, host: str) -> RemoteRegistry:
        """Return a registry that sends requests with the client's settings.

        If `do_request` is overridden, every request goes through it.
        """
        key = ConnectionKey.of(self._client, host, self.scheme(host))
        if not is_overridden(self._client, REQUEST_HOOK):
            return self._cached(key)
        # `do_request` adds credentials and retries itself, usually through the base method.
        return self._new_registry(key, _transports.ThroughDoRequest(self._client), _as_it_is, _ONCE)

    def trial(
        self,
        host: str,
        credential: Credential,
        *,
        insecure: bool | None = None,
        verify: bool | str = True,
    ) -> RemoteRegistry:
        """Return a registry that uses one credential only, to check that credential.

        Args:
            host: `HOST` or `HOST:PORT`.
            credential: the credential to check.
            insecure: use plain HTTP. None means the client's usual scheme.
            verify: certificate verification, used if the client's `tls_verify` is True.
        """
        if self._client.tls_verify is not True:
            verify = self._client.tls_verify
        scheme = self.scheme(host, verify)
        if insecure is not None:
            scheme = "http" if insecure else "https"
        key = evolve(ConnectionKey.of(self._client, host, scheme), verify=verify)
        # Bypasses an overridden `do_request`, which may add the client's other credentials.
        authorize = self._by_challenge(host, lambda: oras_core.StaticCredentials(credential))
        return self._new_registry(key, self._transport(key), authorize)

    @property
    def composition(self) -> Parts:
        """The composition made from the user's settings."""
        return self._composition(self._client.tls_verify)

    @property
    def credentials(self) -> CredentialStore:
        """The credential store that the user configured."""
        return self.composition.credentials

    @property
    def copy_options(self) -> CopyOptions:
        """The options of `push` and `pull`.

        An overridden `do_request` or a custom session is called one request at a time, in
        the caller's thread, as in oras-py.
        """
        client = self._client
        if client.own_session is not None or is_overridden(client, REQUEST_HOOK):
            return oras_core.CopyOptions(concurrency=1)
        return oras_core.CopyOptions(concurrency=self.composition.settings.transfer.concurrency)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send a raw request with the client's credentials and retries."""
        parts = urlsplit(request.url)
        # A URL that hides its host may contain a password with `/`, `?` or `#`.
        if "@" in parts.netloc or not urlsplit(redact_url(request.url)).netloc:
            reason = "expected an absolute URL without a user name and a password"
            raise InvalidInputError(redact_url(request.url), reason)
        registry = self._cached(ConnectionKey.of(self._client, parts.netloc, parts.scheme))
        return registry.transport.send(request)

    def close(self) -> None:
        """Close all connections."""
        with self._lock:
            for composition in self._compositions.values():
                composition.close()
            self._compositions.clear()
            self._registries.clear()

    def _cached(self, key: ConnectionKey) -> RemoteRegistry:
        with self._lock:
            if key not in self._registries:
                # Registries made with earlier credentials are not used again.
                self._registries = {
                    known: registry
                    for known, registry in self._registries.items()
                    if known.revision == key.revision
                }
                self._registries[key] = self._new_registry(
                    key, self._transport(key), self._authorization(key)
                )
            return self._registries[key]

    def _authorization(self, key: ConnectionKey) -> Authorize:
        """Return the authorization: the core's, or that of a custom backend."""
        backend = self._client.auth
        if not authenticates_itself(backend):
            configured = self._composition(key.verify).credentials_on_demand()
            return self._by_challenge(key.host, lambda: backend.credentials(configured()))
        if self._foreign is None or self._foreign.backend is not backend:
            from oras._client.backend_transport import BackendAuthorization  # noqa: PLC0415 - rare

            self._foreign = BackendAuthorization(backend)
        return self._foreign

    def _by_challenge(self, host: str, credentials: Callable[[], CredentialStore]) -> Authorize:
        choose = getattr(self._client.auth, "choose_challenge", None)

        def authorize(transport: HttpTransport, origin: str) -> HttpTransport:
            return OnDemandAuthorizer(
                transport, origin=origin, credentials=credentials, registry=host, choose=choose
            )

        return authorize

    def _transport(self, key: ConnectionKey) -> HttpTransport:
        composition = self._composition(key.verify)
        transport: HttpTransport = (
            composition.transport(key.host)
            if key.session is None
            else _transports.ThroughSession(key.session, key.verify, _origins(key))
        )
        return self._schemes.finding(transport, key.host, key.scheme, composition)

    def _new_registry(
        self,
        key: ConnectionKey,
        transport: HttpTransport,
        authorize: Authorize,
        retry_policy: RetryPolicy | None = None,
    ) -> RemoteRegistry:
        return self._composition(key.verify).registry_over(
            transport,
            key.host,
            plain_http=key.scheme == "http",
            headers=Headers(key.headers),
            authorize=authorize,
            retry_policy=retry_policy,
        )

    def _composition(self, verify: bool | str) -> Parts:
        with self._lock:
            if verify not in self._compositions:
                self._compositions[verify] = composition_for(verify, self._client.timeout)
            return self._compositions[verify]


def _origins(key: ConnectionKey) -> set[str]:
    """Return the registry's origins; the scheme of a loopback address may change."""
    both = key.scheme == "http" or is_loopback(key.host)
    plain = (False, True) if both else (False,)
    return {origin_of(base_url(key.host, plain_http=one)) for one in plain}


def _as_it_is(transport: HttpTransport, _: str) -> HttpTransport:
    return transport
