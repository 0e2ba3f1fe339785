"""`TokenAuth`: the default backend, which answers the registry's challenge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oras._names import module_attributes
from oras.auth import utils as auth_utils
from oras.auth.base import AuthBackend
from oras.auth.hooks import replaceable_backend
from oras.logger import logger

if TYPE_CHECKING:
    from oras_core.ports.credentials import Credential

__all__ = ["TokenAuth"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


@replaceable_backend
class TokenAuth(AuthBackend):
    """Exchanges the credential for tokens, one per repository, or sends the credential itself."""

    @property
    def token(self) -> str | None:
        """The bearer token that was set last, or None; never a token of a token server."""
        credential = self._given.latest
        return (credential.registry_token or None) if credential else None

    @token.setter
    def token(self, token: str | None) -> None:
        if token:
            self.set_token_auth(token)
        else:
            self.reset_basic_auth()

    def reset_basic_auth(self) -> None:
        """Drop the bearer token that was set; use the user name and password again."""
        self._given.drop_token()

    def get_auth_header(self) -> dict[str, str]:
        """Return the `Authorization` field with the token that was set; empty without one."""
        credential = self._known()
        token = credential.registry_token if credential else ""
        return {"Authorization": f"Bearer {token}"} if token else {}

    def authenticate_request(
        self, original: Any, headers: Mapping[str, str] | None, refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a response with status 401 or 403.

        Args:
            original: the response, with the challenge.
            headers: the header fields of the request; the mapping is not changed.
            refresh: request a new token even if there is a cached one.

        Returns:
            A copy of the header fields, with the demanded authorization if there is one, and
            whether there is one.
        """
        raw = auth_utils.challenge_of(original)
        if not raw:
            logger.debug("The response contains no challenge.")
            return auth_utils.authorized(headers, "")
        credential = self.known_at(auth_utils.address_of(original))
        if refresh:
            self._standalone.forget()
        elif credential is not None and credential.registry_token:
            return auth_utils.authorized(headers, f"Bearer {credential.registry_token}")
        value = self._answer(raw, credential)
        if not value:
            logger.error(
                "This endpoint requires a token. Please use basic auth with a username or password."
            )
        return auth_utils.authorized(headers, value)

    def _answer(self, raw: str, credential: Credential | None) -> str:
        """Return the `Authorization` field that answers a challenge; empty if none can."""
        from oras_core.registry.auth.challenge import (  # noqa: PLC0415 - many registries demand nothing
            basic_authorization,
            parse_challenges,
            preferred,
        )

        chosen = preferred(parse_challenges(raw))
        if chosen is not None and chosen.scheme == "basic":
            if credential is None or not credential.has_basic:
                return ""
            return basic_authorization(credential.username, credential.password)
        h = auth_utils.parse_auth_header(raw)
        token = self.request_anonymous_token(h) if credential is None else self.request_token(h)
        return f"Bearer {token}" if token else ""

    def request_token(self, h: auth_utils.authHeader) -> str | None:
        """Request a token from a token server, with the credential for the registry in use.

        Returns:
            The token; None if the server issues none. The property `token` does not change.

        Raises:
            TransportError: if the server does not respond.
        """
        return self._standalone.obtain(h, self._known())

    # As in oras-py, this backend returns the token, unlike the base class.
    def request_anonymous_token(self, h: auth_utils.authHeader) -> str | None:  # type: ignore[override]
        """Request an anonymous token; return and raise as `request_token`."""
        return self._standalone.obtain(h, None)
