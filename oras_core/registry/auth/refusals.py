"""The memory of refused credentials: one for passwords and for tokens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from attrs import field, frozen

from oras_core.cancellation import acquired
from oras_core.errors import RegistryError
from oras_core.forks import ForkSafeLock
from oras_core.ports.credentials import Credential
from oras_core.registry.auth.scope import Scope, covers

__all__ = ["REFUSAL_SECONDS", "Audience", "Refusal", "Refusals"]

REFUSAL_SECONDS: Final = 300.0
"""Seconds for which a refused credential is not sent again: repeated failures lock accounts."""

MAX_REFUSALS: Final = 64
"""Refused scopes that are remembered for one credential; a forgotten one costs a request."""

_READS: Final = frozenset({"pull"})


@frozen
class Audience:
    """A token server or registry, and the credential that is sent to it.

    Attributes:
        realm: the token server's address, already checked to be safe; for Basic
            authentication, the registry's origin.
        service: the token server's name for the registry; may be empty.
        credential: the credential to send; None for anonymous requests.
    """

    realm: str
    service: str = ""
    credential: Credential | None = None


@frozen
class Refusal:
    """A refused credential.

    Attributes:
        scopes: the scopes that were refused; None if the credential is wrong.
        until: when the credential may be sent again, in seconds.
        error: the token server's error; None if the registry itself refused.
    """

    scopes: tuple[Scope, ...] | None
    until: float
    error: RegistryError | None = field(default=None, eq=False)

    def applies_to(self, scopes: tuple[Scope, ...]) -> bool:
        """Tell whether a request for `scopes` would be refused again."""
        return self.scopes is None or set(self.scopes) == set(scopes)


class Refusals:
    """Remembers which credentials were refused, by which host and for which scopes. Thread-safe.

    A refusal of more than `pull` of one repository concerns the refused scopes only: some
    servers send 401 to a valid credential that may not push. A credential that was accepted
    before is not wrong either. Any other 401 means that the credential is wrong.
    """

    def __init__(self, *, now: Callable[[], float] = time.monotonic) -> None:
        """Begin without refusals; `now` is a monotonic clock, in seconds."""
        self._now = now
        self._lock = ForkSafeLock()
        self._trying = ForkSafeLock()
        self._accepted: set[Audience] = set()
        self._refusals: dict[Audience, list[Refusal]] = {}

    def find(self, audience: Audience, scopes: tuple[Scope, ...]) -> Refusal | None:
        """Return the refusal that applies to a request for `scopes`, if there is one."""
        with self._lock:
            self._forget(audience, lambda refusal: refusal.until <= self._now())
            known = self._refusals.get(audience, ())
            return next((refusal for refusal in known if refusal.applies_to(scopes)), None)

    def accept(self, audience: Audience, scopes: tuple[Scope, ...]) -> None:
        """Record that the credential was accepted for `scopes`."""
        with self._lock:
            self._accepted.add(audience)
            # An accepted request says nothing about requests for more.
            self._forget(
                audience, lambda refusal: refusal.scopes is None or covers(scopes, refusal.scopes)
            )

    def refuse(
        self,
        audience: Audience,
        scopes: tuple[Scope, ...],
        error: RegistryError | None = None,
        *,
        status: int = 401,
    ) -> None:
        """Record that the credential was refused for `scopes`, with 401 or 403."""
        if audience.credential is None:
            return
        with self._lock:
            wrong = status == 401 and audience not in self._accepted and _is_least(scopes)
            refused = Refusal(None if wrong else scopes, self._now() + REFUSAL_SECONDS, error)
            self._forget(audience, lambda refusal: refusal.scopes == refused.scopes)
            known = self._refusals.setdefault(audience, [])
            known.append(refused)
            del known[:-MAX_REFUSALS]

    @contextmanager
    def trial(self, audience: Audience) -> Iterator[None]:
        """Send a credential within the block.

        Only one thread at a time sends credentials that were not accepted yet; the others
        wait. A wrong password is therefore sent once, not once per thread.
        """
        if audience.credential is None or audience in self._accepted:
            yield
            return
        with acquired(self._trying):
            tried = audience not in self._accepted
            if tried:
                yield
        if not tried:
            yield

    def _forget(self, audience: Audience, outdated: Callable[[Refusal], bool]) -> None:
        kept = [known for known in self._refusals.get(audience, ()) if not outdated(known)]
        if kept:
            self._refusals[audience] = kept
        else:
            self._refusals.pop(audience, None)


def _is_least(scopes: tuple[Scope, ...]) -> bool:
    """Tell whether no valid credential could need fewer scopes."""
    return len(scopes) <= 1 and all(_READS.issuperset(scope.actions) for scope in scopes)
