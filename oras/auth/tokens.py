"""Tokens for those who authenticate a request by hand, and not through a client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import frozen

from oras.logger import logger
from oras_core.errors import InvalidInputError, RegistryError, UnsafeRedirectError
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.scope import parse_scopes
from oras_core.registry.auth.token import Audience, TokenClient
from oras_core.registry.auth.token_cache import TokenCache
from oras_core.registry.transports.guard import Guarded
from oras_core.registry.transports.redirects import RedirectFollower, resolve_location

if TYPE_CHECKING:
    from oras.auth.base import AuthBackend

__all__ = ["StandaloneTokens"]


@frozen
class _Way:
    """How to reach a token server: by the user's session, or with the user's settings."""

    session: Any
    verify: bool | str

    def transport(self, host: str) -> HttpTransport:
        # A connection is made by few who use a backend alone, and by nobody at import.
        from oras._client.connections import composition_for  # noqa: PLC0415 - see above
        from oras._client.foreign_transports import ThroughSession  # noqa: PLC0415 - see above

        if self.session is not None:
            plain: HttpTransport = ThroughSession(self.session, self.verify)
        else:
            plain = composition_for(self.verify).transport(host)
        return RedirectFollower(Guarded(plain))


class StandaloneTokens:
    """Gets tokens from token servers, and keeps each for its server, its scope and its user."""

    def __init__(self, backend: AuthBackend) -> None:
        """Ask as `backend` does: with its session, or by its settings."""
        self._backend = backend
        self._cache = TokenCache()

    def forget(self) -> None:
        """Forget all tokens."""
        self._cache = TokenCache()

    def obtain(self, h: Any, credential: Credential | None) -> str | None:
        """Return a token for what a challenge demands; None, logged, if there is none.

        Args:
            h: an `oras.auth.utils.authHeader`, or the like of it.
            credential: who asks; None for nobody.

        Raises:
            TransportError: if the token server does not answer.
        """
        if not h.realm:
            logger.debug("No token was asked for: the challenge names no token server.")
            return None
        scopes = parse_scopes(getattr(h, "scope", None) or "")
        try:
            realm = self._address(h.realm)
            audience = Audience(realm, getattr(h, "service", None) or "", credential)
            backend = self._backend
            way = _Way(backend.session, backend._tls_verify)
            client = TokenClient(way.transport(realm.split("/")[2]))
            held = self._cache.obtain(audience, scopes, lambda: client.fetch(audience, scopes))
        except (RegistryError, UnsafeRedirectError, InvalidInputError) as error:
            logger.debug(f"No token was issued: {error}")
            return None
        return held.token.value

    def _address(self, realm: str) -> str:
        """Return a realm's address; one that is no address is within the registry.

        Raises:
            UnsafeRedirectError: if no credential may go there (R10).
        """
        base = self._backend._base
        if base:
            return resolve_location(f"{base}/", realm)
        absolute = realm if "://" in realm else f"{self._backend.prefix}://{realm}"
        return resolve_location(f"{self._backend.prefix}://", absolute, registry_url=absolute)
