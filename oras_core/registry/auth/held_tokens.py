"""The tokens that a client holds, looked up by the repository that they are for."""

from __future__ import annotations

from itertools import islice
from typing import Final

from attrs import field, frozen

from oras_core.registry.auth.refusals import Audience
from oras_core.registry.auth.scope import Scope, covers
from oras_core.registry.auth.token import Token
from oras_core.registry.recent import Recent

__all__ = ["HeldToken", "HeldTokens"]

MAX_PLACES: Final = 1024
"""Resources whose tokens are held; the repositories that one client works with."""

MAX_IN_PLACE: Final = 16
"""Tokens that are held for one resource; each mount source needs one."""


@frozen
class HeldToken:
    """A token, and the request that it answers.

    Attributes:
        audience: the token server, the service and the credential.
        scopes: the requested scopes; the server may have granted fewer.
        token: the token.
        fresh: whether the token was just fetched rather than taken from the cache.
    """

    audience: Audience
    scopes: tuple[Scope, ...]
    token: Token
    fresh: bool = field(default=False, eq=False)


_Place = tuple[Audience, str, str]
"""Where a token is looked up: by its audience and the kind and name of a resource."""


def _places(audience: Audience, scopes: tuple[Scope, ...]) -> list[_Place]:
    """Return a place for each resource of `scopes`, and the one of requests without scopes."""
    return [*((audience, scope.kind, scope.name) for scope in scopes), (audience, "", "")]


class HeldTokens:
    """A bounded number of tokens. Not thread-safe; times are in seconds on one clock."""

    def __init__(self) -> None:
        """Begin empty."""
        self._held: Recent[_Place, tuple[HeldToken, ...]] = Recent(MAX_PLACES)

    def find(self, audience: Audience, scopes: tuple[Scope, ...], now: float) -> HeldToken | None:
        """Return the newest unexpired token whose scopes cover `scopes`; None without one."""
        place, *_ = _places(audience, scopes)
        return next(
            (
                held
                for held in self._held.get(place) or ()
                if held.token.expires_at > now and covers(held.scopes, scopes)
            ),
            None,
        )

    def keep(self, held: HeldToken, now: float) -> None:
        """Hold a token, in place of those that it covers and of expired ones."""
        for place in _places(held.audience, held.scopes):
            others = (
                one
                for one in self._held.get(place) or ()
                if one.token.expires_at > now and not covers(held.scopes, one.scopes)
            )
            # The newest first: its request took the most recent challenge into account.
            self._held.keep(place, (held, *islice(others, MAX_IN_PLACE - 1)))

    def drop(self, held: HeldToken) -> None:
        """Forget a token."""
        for place in _places(held.audience, held.scopes):
            tokens = self._held.get(place) or ()
            self._held.keep(place, tuple(one for one in tokens if one.token is not held.token))
