"""The demands of a registry: the challenge and the scopes of each repository."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from oras_core.errors import UnsafeRedirectError
from oras_core.forks import ForkSafeLock
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.auth.challenge import Challenge
from oras_core.registry.auth.scope import MAX_EXPECTED, Scope, merge_scopes, required_scopes
from oras_core.registry.recent import Recent
from oras_core.registry.transports.redirects import origin_of, resolve_location

__all__ = ["Demands", "Wanted"]

MAX_CHALLENGES: Final = 1024
"""Maximum number of repositories whose challenge is remembered."""

MAX_SESSIONS: Final = 1024
"""Maximum number of upload addresses outside the API that are remembered.

No client has that many uploads open.
"""


@frozen
class Wanted:
    """The scopes of a token for one request.

    Attributes:
        needed: the scopes without which the request fails.
        useful: further scopes: of later requests, and of the source of a mount, which the
            registry replaces by an upload if it may not read the source.
    """

    needed: tuple[Scope, ...] = ()
    useful: tuple[Scope, ...] = ()

    @property
    def all(self) -> tuple[Scope, ...]:
        """The needed scopes and the useful ones, merged."""
        return merge_scopes(self.needed, self.useful)

    @property
    def repository(self) -> str:
        """The name of the repository; empty if the request concerns none."""
        return next((scope.name for scope in self.needed if scope.kind == "repository"), "")

    def demanding(self, demanded: tuple[Scope, ...]) -> Wanted:
        """Return the scopes for another attempt, after a challenge that demands `demanded`.

        Some servers read the first scope only: the demanded scopes are first (R4).
        """
        merely_useful = {(scope.kind, scope.name) for scope in self.useful}
        merely_useful -= {(scope.kind, scope.name) for scope in self.needed}
        needed = (one for one in demanded if (one.kind, one.name) not in merely_useful)
        return Wanted(merge_scopes(needed, self.needed), merge_scopes(demanded, self.useful))


class Demands:
    """Remembers challenges, expected scopes and uploads outside the API. Thread-safe."""

    def __init__(self, origin: str) -> None:
        """Begin without demands of the registry at `origin`."""
        self._origin = origin
        self._lock = ForkSafeLock()
        self._latest: Challenge | None = None
        self._challenges: Recent[str, Challenge] = Recent(MAX_CHALLENGES)
        self._expected: dict[tuple[str, str], Scope] = {}
        self._sessions: Recent[str, tuple[Scope, ...]] = Recent(MAX_SESSIONS)

    # --- Challenges -----------------------------------------------------------------------

    @property
    def latest(self) -> Challenge | None:
        """The latest challenge, for any repository; None before the first one."""
        return self._latest

    def challenge_for(self, repository: str) -> Challenge | None:
        """Return the latest challenge for a repository; None if there was none.

        A registry may name another token server for each of its repositories.
        """
        with self._lock:
            return self._challenges.get(repository)

    def challenged(self, repository: str, challenge: Challenge) -> None:
        """Record a challenge for a repository."""
        with self._lock:
            self._latest = challenge
            self._challenges.keep(repository, challenge)

    # --- Scopes ---------------------------------------------------------------------------

    def expect(self, scope: Scope) -> None:
        """Include `scope` in every token request for the same repository."""
        with self._lock:
            if len(self._expected) < MAX_EXPECTED:
                self._expected[scope.kind, scope.name] = scope

    def unexpect(self, scopes: Iterable[Scope]) -> None:
        """Forget the expected scopes for the repositories of `scopes`: they were refused."""
        with self._lock:
            for scope in scopes:
                self._expected.pop((scope.kind, scope.name), None)

    def wanted_for(self, request: HttpRequest) -> Wanted:
        """Return the scopes of a request."""
        required = required_scopes(request.method, request.url)
        if not required:
            return Wanted(self._session(request.url))
        with self._lock:
            found = (self._expected.get((scope.kind, scope.name)) for scope in required)
            expected = [scope for scope in found if scope is not None]
        # The first scope is that of the request's own repository, a second that of a mount.
        return Wanted(required[:1], merge_scopes(required[1:], expected))

    # --- Uploads outside the API ----------------------------------------------------------

    def _session(self, url: str) -> tuple[Scope, ...]:
        """Return the scopes of the upload that continues at `url`; empty if none does."""
        with self._lock:
            return self._sessions.get(url.partition("?")[0]) or ()

    def remember_session(
        self, request: HttpRequest, response: HttpResponse, wanted: Wanted
    ) -> None:
        """Remember the scopes of an upload that continues at an address without a repository.

        Google's registry continues uploads at `/artifacts-uploads/…`.
        """
        location = response.headers.get("Location")
        if location is None or request.method in ("GET", "HEAD") or not wanted.needed:
            return
        if self._latest is None:
            return  # this registry has demanded no scopes so far
        try:
            url = resolve_location(response.url or request.url, location)
        except UnsafeRedirectError:
            return  # the next request of the upload raises the same error
        if origin_of(url) != self._origin or required_scopes("PUT", url):
            return
        with self._lock:
            self._sessions.keep(url.partition("?")[0], wanted.needed)
