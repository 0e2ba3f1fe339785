"""Compose the transports of a registry, in their only order.

Authorization begins with the first challenge: many registries demand nothing of a reader.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from oras_core.forks import ForkSafeLock
from oras_core.model.limits import Limits
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.redirects import RedirectFollower, origin_of
from oras_core.registry.transports.retries import Retrying, RetryPolicy

if TYPE_CHECKING:
    from oras_core.ports.credentials import CredentialStore
    from oras_core.registry.auth.authorizer import Authorizer
    from oras_core.registry.auth.challenge import Challenge
    from oras_core.registry.auth.scope import Scope

__all__ = ["Authorize", "OnDemandAuthorizer", "ScopeExpecter", "registry_transport"]

Authorize = Callable[[HttpTransport, str], HttpTransport]
"""Wraps a transport so that requests to one origin, and to no other, get credentials.

The result may be a `ScopeExpecter`."""


@runtime_checkable
class ScopeExpecter(Protocol):
    """Requests one token for several operations, an ability of transports that authorize."""

    def expect(self, scope: Scope) -> None:
        """Include `scope` in token requests: later requests will need it."""
        ...


class OnDemandAuthorizer:
    """A transport that passes requests on, and has challenges answered. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        origin: str,
        credentials: Callable[[], CredentialStore | None],
        registry: str = "",
        limits: Limits | None = None,
        choose: Callable[[Iterable[Challenge]], Challenge | None] | None = None,
    ) -> None:
        """Wrap `transport`.

        Args:
            transport: sends the requests.
            origin: the origin of the registry.
            credentials: called with the first challenge; returns the store, or None for
                anonymous access.
            registry: as for `Authorizer`.
            limits: as for `Authorizer`.
            choose: as for `Authorizer`.
        """
        self._transport = transport
        self._origin = origin_of(origin)
        self._credentials = credentials
        self._registry = registry
        self._limits = limits
        self._choose = choose
        self._is_asked = False
        self._made: Authorizer | None = None
        self._expected: dict[tuple[str, str], Scope] = {}
        self._lock = ForkSafeLock()

    def expect(self, scope: Scope) -> None:
        """Include `scope` in token requests; see `Authorizer.expect`."""
        from oras_core.registry.auth.scope import MAX_EXPECTED  # noqa: PLC0415 - few reads expect one

        with self._lock:
            if self._made is not None:
                self._made.expect(scope)
            elif len(self._expected) < MAX_EXPECTED:
                self._expected[scope.kind, scope.name] = scope

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, and answer a challenge; raises as `Authorizer.send`."""
        if self._is_asked:
            return self._authorizer().send(request)
        response = self._transport.send(request)
        own = origin_of(request.url) == self._origin and "Authorization" not in request.headers
        if response.status != 401 or not own:
            return response
        self._is_asked = True
        return self._authorizer().answer(request, response)

    def _authorizer(self) -> Authorizer:
        with self._lock:
            if self._made is None:
                self._made = self._make()
                for scope in self._expected.values():
                    self._made.expect(scope)
            return self._made

    def _make(self) -> Authorizer:
        from oras_core.credentials import NoCredentials  # noqa: PLC0415 - see the module
        from oras_core.registry.auth.authorizer import Authorizer  # noqa: PLC0415 - likewise
        from oras_core.registry.auth.challenge import preferred  # noqa: PLC0415 - likewise

        store = self._credentials()
        return Authorizer(
            self._transport,
            origin=self._origin,
            credentials=NoCredentials() if store is None else store,
            registry=self._registry,
            limits=self._limits,
            choose=self._choose or preferred,
        )


def registry_transport(
    transport: HttpTransport,
    *,
    origin: str,
    credentials: CredentialStore | None,
    registry: str = "",
    retry_policy: RetryPolicy | None = None,
    limits: Limits | None = None,
    authorize: Authorize | None = None,
) -> HttpTransport:
    """Wrap a plain transport for one registry.

    The layers, from the outside in: authentication, so that token requests are retried too;
    retries, so that an expired presigned URL is requested again from the registry; redirects;
    and `Guarded`, which turns other exceptions into `TransportError`.

    Args:
        transport: sends one request; see the port `HttpTransport`.
        origin: the scheme, host and port of the registry, e.g. `https://ghcr.io`.
        credentials: the store to read credentials from when the registry demands one; None
            for anonymous access.
        registry: the name of the registry in references and in `credentials`, e.g.
            `docker.io`; by default the host and port of `origin`.
        retry_policy: how often and how fast to retry.
        limits: limits on the size of answers.
        authorize: replaces the `OnDemandAuthorizer`, and with it the use of `credentials`.
    """
    followed = RedirectFollower(Guarded(transport), limits)
    retried = Retrying(followed, retry_policy)
    if authorize is not None:
        return authorize(retried, origin)
    return OnDemandAuthorizer(
        retried, origin=origin, credentials=lambda: credentials, registry=registry, limits=limits
    )
