"""Tokens for programs that call a backend's methods directly, without a client."""

from __future__ import annotations

from typing import Any, Protocol

from attrs import frozen

from oras.logger import logger
from oras_core.errors import InvalidInputError, RegistryError, UnsafeRedirectError
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.refusals import Audience
from oras_core.registry.auth.scope import parse_scopes
from oras_core.registry.auth.token import TokenClient
from oras_core.registry.auth.token_cache import TokenCache
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.redirects import (
    RedirectFollower,
    origin_of,
    resolve_location,
)

__all__ = ["StandaloneTokens"]


class TokenRequester(Protocol):
    """The attributes of a backend that decide how its token requests are sent."""

    session: Any
    prefix: str
    _tls_verify: bool | str

    @property
    def _base(self) -> str:
        """The URL that relative realms refer to."""
        ...


@frozen
class _Way:
    """The connection to a token server: the user's session, or the user's settings."""

    session: Any
    verify: bool | str
    origins: tuple[str, ...]

    def transport(self, host: str) -> HttpTransport:
        # Imported on first use: connections are slow to import.
        from oras._transports.composition import composition_for  # noqa: PLC0415 - see above
        from oras._transports.foreign import ThroughSession  # noqa: PLC0415 - see above

        if self.session is not None:
            plain: HttpTransport = ThroughSession(self.session, self.verify, self.origins)
        else:
            plain = composition_for(self.verify).transport(host)
        return RedirectFollower(Guarded(plain))


class StandaloneTokens:
    """Requests tokens and caches them by server, scopes and credential."""

    def __init__(self, backend: TokenRequester) -> None:
        """Use the session and the settings of `backend`."""
        self._backend = backend
        self._cache = TokenCache()

    def forget(self) -> None:
        """Drop all tokens."""
        self._cache = TokenCache()

    def obtain(self, h: Any, credential: Credential | None) -> str | None:
        """Return a token for a challenge; log the reason and return None if there is none.

        Args:
            h: an `oras.auth.utils.authHeader` or an object with the same attributes.
            credential: the credential to send; None for an anonymous token.

        Raises:
            TransportError: if the token server does not respond.
        """
        if not h.realm:
            logger.debug("No token was requested: the challenge names no token server.")
            return None
        scopes = parse_scopes(getattr(h, "scope", None) or "")
        try:
            realm = self._address(h.realm)
            audience = Audience(realm, getattr(h, "service", None) or "", credential)
            backend = self._backend
            origins = (origin_of(backend._base),) if backend._base else ()
            way = _Way(backend.session, backend._tls_verify, origins)
            client = TokenClient(way.transport(realm.split("/")[2]))
            held = self._cache.obtain(audience, scopes, lambda: client.fetch(audience, scopes))
        except (RegistryError, UnsafeRedirectError, InvalidInputError) as error:
            logger.debug(f"No token was issued: {error}")
            return None
        return held.token.value

    def _address(self, realm: str) -> str:
        """Return a realm's address; resolve a relative realm against the registry.

        Raises:
            UnsafeRedirectError: if no credential may be sent there (R10).
        """
        base = self._backend._base
        if base:
            return resolve_location(f"{base}/", realm)
        absolute = realm if "://" in realm else f"{self._backend.prefix}://{realm}"
        return resolve_location(f"{self._backend.prefix}://", absolute, registry_url=absolute)
