"""Tokens in hand: fetched once however many threads want them (R6)."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final

from attrs import field, frozen

from oras_core.cancellation import wait_for
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    CancelledError,
    OrasError,
    RegistryError,
)
from oras_core.registry.auth.scope import Scope, covers
from oras_core.registry.auth.token import Audience, Token

__all__ = ["HeldToken", "TokenCache"]

REFUSAL_SECONDS: Final = 300.0
"""How long a refused credential is not shown again: asking on locks accounts."""


@frozen
class HeldToken:
    """A token and what it was asked for.

    Attributes:
        audience: who issued it to whom.
        scopes: what was asked for; the server may have granted less.
        token: the token.
        fresh: whether it was fetched just now, and not taken from the cache.
    """

    audience: Audience
    scopes: tuple[Scope, ...]
    token: Token
    fresh: bool = field(default=False, eq=False)


@frozen(eq=False)
class _Flight:
    scopes: tuple[Scope, ...]
    landing: Future[Token] = field(factory=Future)


@frozen
class _Refusal:
    error: RegistryError
    until: float


class TokenCache:
    """Holds tokens by audience and scopes. Thread-safe."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        """Hold nothing; `now` is the clock of the tokens' `expires_at`."""
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[Audience, list[HeldToken]] = {}
        self._flights: dict[Audience, list[_Flight]] = {}
        self._proven: set[Audience] = set()
        self._refusals: dict[tuple[Audience, frozenset[Scope] | None], _Refusal] = {}

    def find(self, audience: Audience, scopes: tuple[Scope, ...]) -> HeldToken | None:
        """Return a token in hand whose scopes cover `scopes`; None if there is none."""
        with self._lock:
            return self._covering(audience, scopes)

    def obtain(
        self, audience: Audience, scopes: tuple[Scope, ...], fetch: Callable[[], Token]
    ) -> HeldToken:
        """Return a token whose scopes cover `scopes`, fetched if there is none.

        While one thread fetches, others that want the same or less wait for it. If it fails,
        those that want the same get its error; and a credential that was refused is not shown
        again for some minutes, but gets the same error.

        Raises:
            RegistryError: what `fetch` raised, now or when the credential was refused.
            TransportError: what `fetch` raised.
            CancelledError: if the thread's token is cancelled, waiting or fetching.
        """
        while True:
            with self._lock:
                held = self._covering(audience, scopes)
                if held is not None:
                    return held
                self._check_refusal(audience, scopes)
                others = self._flight_covering(audience, scopes)
                own = _Flight(scopes)
                if others is None:
                    self._flights.setdefault(audience, []).append(own)
            if others is None:
                return self._fly(audience, own, fetch)
            landed = self._await(others, scopes)
            if landed is not None:
                return HeldToken(audience, others.scopes, landed, fresh=True)

    def drop(self, held: HeldToken) -> None:
        """Forget a token that the registry refused; another that took its place stays."""
        with self._lock:
            tokens = self._held.get(held.audience, [])
            self._held[held.audience] = [one for one in tokens if one.token is not held.token]

    def _covering(self, audience: Audience, scopes: tuple[Scope, ...]) -> HeldToken | None:
        now = self._now()
        tokens = [one for one in self._held.get(audience, []) if one.token.expires_at > now]
        self._held[audience] = tokens
        # The newest first: it was asked for by whoever knew most about what is demanded.
        return next((one for one in reversed(tokens) if covers(one.scopes, scopes)), None)

    def _flight_covering(self, audience: Audience, scopes: tuple[Scope, ...]) -> _Flight | None:
        flights = self._flights.get(audience, ())
        return next((flight for flight in flights if covers(flight.scopes, scopes)), None)

    def _check_refusal(self, audience: Audience, scopes: tuple[Scope, ...]) -> None:
        for wanted in (None, frozenset(scopes)):
            refusal = self._refusals.get((audience, wanted))
            if refusal is None:
                continue
            if refusal.until > self._now():
                raise copy.copy(refusal.error)
            del self._refusals[audience, wanted]

    @staticmethod
    def _await(flight: _Flight, scopes: tuple[Scope, ...]) -> Token | None:
        """Return the token of another thread's flight; None if one has to fly oneself."""
        wait_for(flight.landing)
        error = flight.landing.exception()
        if error is None:
            return flight.landing.result()
        if isinstance(error, CancelledError):
            return None  # which concerned the other alone
        if isinstance(error, OrasError) and set(flight.scopes) == set(scopes):
            raise copy.copy(error)  # one exception is not raised in several threads
        return None

    def _fly(self, audience: Audience, flight: _Flight, fetch: Callable[[], Token]) -> HeldToken:
        try:
            token = fetch()
        except BaseException as error:
            with self._lock:
                self._flights[audience].remove(flight)
                self._remember_refusal(audience, flight.scopes, error)
            flight.landing.set_exception(error)
            raise
        held = HeldToken(audience, flight.scopes, token)
        with self._lock:
            self._flights[audience].remove(flight)
            self._held.setdefault(audience, []).append(held)
            self._proven.add(audience)
            for key in [key for key in self._refusals if key[0] == audience]:
                del self._refusals[key]
        flight.landing.set_result(token)
        return HeldToken(audience, flight.scopes, token, fresh=True)

    def _remember_refusal(
        self, audience: Audience, scopes: tuple[Scope, ...], error: BaseException
    ) -> None:
        if audience.credential is None:
            return
        until = self._now() + REFUSAL_SECONDS
        if isinstance(error, AuthenticationError) and audience not in self._proven:
            self._refusals[audience, None] = _Refusal(error, until)
        elif isinstance(error, AuthenticationError | AccessDeniedError):
            # The credential may be right and these scopes too much: ACR says 401 then too.
            self._refusals[audience, frozenset(scopes)] = _Refusal(error, until)
