"""A cache of tokens; threads that need the same token share one request (R6)."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import Future

from attrs import field, frozen

from oras_core.cancellation import wait_for
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    CancelledError,
    OrasError,
)
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.registry.auth.held_tokens import HeldToken, HeldTokens
from oras_core.registry.auth.refusals import Audience, Refusals
from oras_core.registry.auth.scope import Scope, covers
from oras_core.registry.auth.token import Token

__all__ = ["TokenCache"]


@frozen(eq=False)
class _Flight:
    scopes: tuple[Scope, ...]
    landing: Future[Token] = field(factory=Future)


class TokenCache:
    """Caches tokens by audience and scopes. Thread-safe."""

    def __init__(
        self, *, refusals: Refusals | None = None, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin empty.

        Args:
            refusals: the memory of refused credentials; by default a new one.
            now: the clock of the tokens' `expires_at`.
        """
        self._now = now
        self._refusals = refusals or Refusals(now=now)
        self._lock = ForkSafeLock()
        self._held = HeldTokens()
        self._by_process: PerProcess[dict[Audience, list[_Flight]]] = PerProcess(dict)

    @property
    def _flights(self) -> dict[Audience, list[_Flight]]:
        # In a forked child, no thread ends the fetches of the parent.
        return self._by_process.get()

    def find(self, audience: Audience, scopes: tuple[Scope, ...]) -> HeldToken | None:
        """Return a cached token whose scopes cover `scopes`; None if there is none."""
        with self._lock:
            return self._held.find(audience, scopes, self._now())

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
                held = self._held.find(audience, scopes, self._now())
                if held is not None:
                    return held
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
            self._held.drop(held)

    def is_current(self, held: HeldToken) -> bool:
        """Tell whether a token has not expired yet."""
        return held.token.expires_at > self._now()

    def _flight_covering(self, audience: Audience, scopes: tuple[Scope, ...]) -> _Flight | None:
        flights = self._flights.get(audience, ())
        return next((flight for flight in flights if covers(flight.scopes, scopes)), None)

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
            with self._refusals.trial(audience):
                token = self._fetch(audience, flight.scopes, fetch)
        except BaseException as error:
            with self._lock:
                self._flights[audience].remove(flight)
            flight.landing.set_exception(error)
            raise
        held = HeldToken(audience, flight.scopes, token)
        with self._lock:
            self._flights[audience].remove(flight)
            self._held.keep(held, self._now())
        flight.landing.set_result(token)
        return HeldToken(audience, flight.scopes, token, fresh=True)

    def _fetch(
        self, audience: Audience, scopes: tuple[Scope, ...], fetch: Callable[[], Token]
    ) -> Token:
        refusal = self._refusals.find(audience, scopes)
        if refusal is not None and refusal.error is not None:
            raise copy.copy(refusal.error)
        try:
            token = fetch()
        except (AuthenticationError, AccessDeniedError) as error:
            status = 401 if isinstance(error, AuthenticationError) else 403
            self._refusals.refuse(audience, scopes, error, status=status)
            raise
        self._refusals.accept(audience, scopes)
        return token
