"""The one order in which the transports of a registry stand."""

from __future__ import annotations

from collections.abc import Callable

from oras_core.model.limits import Limits
from oras_core.ports.credentials import CredentialStore
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.authorizer import Authorizer
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.redirects import RedirectFollower
from oras_core.registry.transports.retries import Retrying, RetryPolicy

__all__ = ["Authorize", "registry_transport"]

Authorize = Callable[[HttpTransport, str], HttpTransport]
"""Wraps a transport with what adds credentials to requests to an origin, and to no other."""


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
    """Wrap a plain transport with all that talking to one registry needs.

    From the outside in: credentials, so that a token is fetched with retries too; retries, so
    that a presigned address that expired is asked for again; redirects; and the wall that turns
    foreign exceptions into `TransportError`.

    Args:
        transport: sends one request, as the port says.
        origin: the registry's scheme, host and port, e.g. `https://ghcr.io`.
        credentials: asked when the registry wants a credential.
        registry: the registry's name in references and in `credentials`, e.g. `docker.io`;
            by default the host and port of `origin`.
        retry_policy: how often to try again.
        limits: bounds on what others send.
        authorize: in place of the `Authorizer`, which alone asks `credentials`.
    """
    followed = RedirectFollower(Guarded(transport), limits)
    retried = Retrying(followed, retry_policy)
    if authorize is not None:
        return authorize(retried, origin)
    return Authorizer(
        retried, origin=origin, credentials=credentials, registry=registry, limits=limits
    )
