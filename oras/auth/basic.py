"""`BasicAuth`: Basic authentication with every request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from oras._names import module_attributes
from oras.auth import utils as auth_utils
from oras.auth.base import AuthBackend
from oras.auth.hooks import replaceable_backend
from oras_core.registry.auth.challenge import Challenge, basic_authorization, preferred

__all__ = ["BasicAuth"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)


@replaceable_backend
class BasicAuth(AuthBackend):
    """Prefers Basic challenges to Bearer challenges.

    A registry that offers only Bearer gets a token.
    """

    def choose_challenge(self, challenges: Iterable[Challenge]) -> Challenge | None:
        """Return the challenge to answer: Basic before Bearer."""
        offered = list(challenges)
        basic = (challenge for challenge in offered if challenge.scheme == "basic")
        return next(basic, None) or preferred(offered)

    def get_auth_header(self) -> dict[str, str]:
        """Return the `Authorization` field for the registry in use; empty if none is known."""
        credential = self._known()
        if credential is None or not credential.has_basic:
            return {}
        return {"Authorization": basic_authorization(credential.username, credential.password)}

    def authenticate_request(
        self, original: Any, headers: Mapping[str, str] | None, refresh: bool = False
    ) -> tuple[dict[str, str], bool]:
        """Answer a response with status 401 or 403.

        Args:
            original: the response.
            headers: the header fields of the request; the mapping is not changed.
            refresh: ignored: a password cannot be refreshed.

        Returns:
            A copy of the header fields, with the credential if there is one, and whether there
            is one.
        """
        self.known_at(auth_utils.address_of(original))
        return auth_utils.authorized(headers, self.get_auth_header().get("Authorization", ""))
