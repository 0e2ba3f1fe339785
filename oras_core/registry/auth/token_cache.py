"""A cache of tokens; threads that need the same token share one request (R6)."""

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
"""Seconds for which a refused credential is not sent again: repeated failures lock accounts."""


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


@frozen(eq=False)
class _Flight:
    scopes: tuple[Scope, ...]
    landing: Future[Token] = field(factory=Future)


@frozen
class _Refusal:
    error: RegistryError
    until: float


class TokenCache:
    """Caches tokens by audience and scopes. Thread-safe."""

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        """Begin empty; `now` is the clock of the tokens' `expires_at`."""
        self._now = now
        self._lock = threading.Lock()
        self._held: dict[Audience, list[HeldToken]] = {}
        self._flights: dict[Audience, list[_Flight]] = {}
        self._proven: set[Audience] = set()
        self._refusals: dict[tuple[Audience, frozenset[Scope] | None], _Refusal] = {}

    def find(self, audience: Audience, scopes: tuple[Scope, ...]) -> HeldToken | None:
        """Return a cached token whose scopes cover `scopes`; None if there is none."""
        with self._lock:
            return self._covering(audience, scopes)

    def obtain(
        self, audience: Audience, scopes: tuple[Scope, ...], fetch: Callable[[], Token]
    ) -> HeldToken:
        """Return a token whose scopes cover `scopes`; fetch one if none is cached.

        While one thread fetches a token, other threads that need the same scopes or fewer wait.
        If the fetch fails, threads that need the same scopes get its error. A refused credential
        is not sent again for `REFUSAL_SECONDS`; the same error is raised instead.

        Raises:
            RegistryError: as `fetch` raises now, or raised when the credential was refused.
            TransportError: as `fetch` raises.
            CancelledError: if the thread's cancellation token is cancelled.
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
        """Remove a token that the registry refused; keep the token that replaced it."""
        with self._lock:
            tokens = self._held.get(held.audience, [])
            self._held[held.audience] = [one for one in tokens if one.token is not held.token]

    def _covering(self, audience: Audience, scopes: tuple[Scope, ...]) -> HeldToken | None:
        now = self._now()
        tokens = [one for one in self._held.get(audience, []) if one.token.expires_at > now]
        self._held[audience] = tokens
        # The newest first: its request took the most recent challenge into account.
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
        """Return the token of another thread's fetch; None if the caller must fetch its own."""
        wait_for(flight.landing)
        error = flight.landing.exception()
        if error is None:
            return flight.landing.result()
        if isinstance(error, CancelledError):
            return None  # only the other thread was cancelled
        if isinstance(error, OrasError) and set(flight.scopes) == set(scopes):
            raise copy.copy(error)  # never raise one exception object in several threads
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
            # The credential may be valid for fewer scopes: ACR sends 401 for too many, too.
            self._refusals[audience, frozenset(scopes)] = _Refusal(error, until)
