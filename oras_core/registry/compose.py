"""Compose the transports of a registry, in their only order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from oras_core.model.limits import Limits
from oras_core.ports.credentials import CredentialStore
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.on_demand import OnDemandAuthorizer
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.redirects import RedirectFollower
from oras_core.registry.transports.retries import Retrying, RetryPolicy

if TYPE_CHECKING:
    from oras_core.registry.auth.scope import Scope

__all__ = ["Authorize", "ScopeExpecter", "registry_transport"]

Authorize = Callable[[HttpTransport, str], HttpTransport]
"""Wraps a transport so that requests to one origin, and to no other, get credentials.

The result may be a `ScopeExpecter`."""


@runtime_checkable
class ScopeExpecter(Protocol):
    """Requests one token for several operations, an ability of transports that authorize."""

    def expect(self, scope: Scope) -> None:
        """Include `scope` in token requests: later requests will need it."""
        ...


def registry_transport(
    transport: HttpTransport,
    *,
    origin: str,
    credentials: CredentialStore,
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
        credentials: the store to read credentials from when the registry demands one.
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
        retried, origin=origin, credentials=credentials, registry=registry, limits=limits
    )
