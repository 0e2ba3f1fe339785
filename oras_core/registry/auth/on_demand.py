"""Authorization that begins with the first challenge of a registry.

Many registries demand nothing of a reader. Their requests need no `Authorizer`, which is
imported and made when the first challenge arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from oras_core.lazy import made_once
from oras_core.model.limits import Limits
from oras_core.ports.credentials import CredentialStore
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.redirects import origin_of

if TYPE_CHECKING:
    from oras_core.registry.auth.authorizer import Authorizer
    from oras_core.registry.auth.challenge import Challenge
    from oras_core.registry.auth.scope import Scope

__all__ = ["OnDemandAuthorizer"]


class OnDemandAuthorizer:
    """A transport that passes requests on, and has challenges answered. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        origin: str,
        credentials: CredentialStore,
        registry: str = "",
        limits: Limits | None = None,
        choose: Callable[[Iterable[Challenge]], Challenge | None] | None = None,
    ) -> None:
        """Wrap `transport`; the arguments are those of `Authorizer`."""
        self._transport = transport
        self._origin = origin_of(origin)
        self._credentials = credentials
        self._registry = registry
        self._limits = limits
        self._choose = choose
        self._is_asked = False

    def expect(self, scope: Scope) -> None:
        """Include `scope` in token requests; see `Authorizer.expect`."""
        self._authorizer.expect(scope)

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, and answer a challenge; raises as `Authorizer.send`."""
        if self._is_asked:
            return self._authorizer.send(request)
        response = self._transport.send(request)
        own = origin_of(request.url) == self._origin and "Authorization" not in request.headers
        if response.status != 401 or not own:
            return response
        self._is_asked = True
        return self._authorizer.answer(request, response)

    @made_once
    def _authorizer(self) -> Authorizer:
        from oras_core.registry.auth.authorizer import Authorizer  # noqa: PLC0415 - see the module
        from oras_core.registry.auth.challenge import preferred  # noqa: PLC0415 - likewise

        return Authorizer(
            self._transport,
            origin=self._origin,
            credentials=self._credentials,
            registry=self._registry,
            limits=self._limits,
            choose=self._choose or preferred,
        )
