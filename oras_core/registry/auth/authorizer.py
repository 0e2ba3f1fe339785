"""Authorization of requests to one registry and to no other origin (R1 to R10)."""

from __future__ import annotations

import io
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from oras_core.errors import AuthenticationError, OrasError, RegistryError, UnsafeRedirectError
from oras_core.model.limits import Limits
from oras_core.ports.credentials import Credential, CredentialStore
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.auth.challenge import (
    Challenge,
    basic_authorization,
    parse_challenges,
    preferred,
)
from oras_core.registry.auth.credential_book import CredentialBook
from oras_core.registry.auth.discretion import without_repeated
from oras_core.registry.auth.scope import (
    Scope,
    covers,
    merge_scopes,
    parse_scopes,
    required_scopes,
)
from oras_core.registry.auth.token import Audience, TokenClient
from oras_core.registry.auth.token_cache import HeldToken, TokenCache
from oras_core.registry.transports.redirects import origin_of, resolve_location, without_secrets

__all__ = ["Authorizer"]

_LOGGER = logging.getLogger(__name__)

_FURTHER_ATTEMPTS: Final = 2
"""Attempts after a 401: one answers the challenge, one replaces an invalid token (R6)."""

_MAY_MEAN_EXPIRED: Final = frozenset({400, 403})
"""Statuses that Amazon's registries send instead of 401: 403 (private), 400 (public)."""

MAX_EXPECTED: Final = 1024
"""Maximum number of expected scopes that are remembered."""

MAX_SESSIONS: Final = 1024
"""Maximum number of upload addresses outside the API that are remembered.

No client has that many uploads open.
"""


@frozen
class _Proof:
    """A value of the `Authorization` field, and its source.

    Attributes:
        authorization: the value.
        credential: the credential, if the value contains it (Basic, or a registry token).
        held: the token of a token server, if the value contains one.
    """

    authorization: str = field(repr=False)
    credential: Credential | None = None
    held: HeldToken | None = None


def _user_agent(request: HttpRequest) -> Mapping[str, str]:
    agent = request.headers.get("User-Agent")
    return {} if agent is None else {"User-Agent": agent}


def _repository(scopes: tuple[Scope, ...]) -> str:
    return next((scope.name for scope in scopes if scope.kind == "repository"), "")


class Authorizer:
    """A transport that adds `Authorization` to requests to one origin. Thread-safe.

    The first challenge of the registry is answered with a token (Bearer) or the password
    (Basic). Later requests carry the authorization from the start. The credential is looked up
    on first use. Requests to other origins, and requests that already have an `Authorization`
    field, pass unchanged.

    If no known credential helps, the registry's last 401 is returned. If a token server refuses
    the credential, its error is raised.
    """

    def __init__(
        self,
        transport: HttpTransport,
        *,
        origin: str,
        credentials: CredentialStore,
        registry: str = "",
        limits: Limits | None = None,
        choose: Callable[[Iterable[Challenge]], Challenge | None] = preferred,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap `transport`.

        Args:
            transport: sends the requests, also those to token servers. It must not follow
                unsafe redirects.
            origin: the registry's origin, e.g. `https://registry-1.docker.io`. Only for an
                `http` origin may token servers use `http` (R10).
            credentials: the store to look the credential up in.
            registry: the name to look up, e.g. `docker.io`; by default the origin's host.
            limits: bounds on the responses of token servers.
            choose: selects the challenge to answer; returns None if it supports none of them.
            now: a monotonic clock, in seconds.
        """
        self._transport = transport
        self._origin = origin_of(origin)
        self._limits = limits or Limits()
        self._choose = choose
        self._book = CredentialBook(
            credentials, registry or self._origin.partition("://")[2], now=now
        )
        self._tokens = TokenCache(now=now)
        self._token_client = TokenClient(transport, limits=limits, now=now)
        self._challenge: Challenge | None = None
        self._expected: dict[tuple[str, str], Scope] = {}
        self._sessions: OrderedDict[str, tuple[Scope, ...]] = OrderedDict()
        self._sessions_lock = threading.Lock()

    def expect(self, scope: Scope) -> None:
        """Include `scope` in every token request for the same repository.

        A push then needs one token instead of two: one to check for blobs and one to write.
        """
        if len(self._expected) < MAX_EXPECTED:
            self._expected[scope.kind, scope.name] = scope

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` with the authorization that the registry demands.

        Raises:
            AuthenticationError: if a token server refuses the credential or demands one.
            RegistryError: if a token server issues no token.
            UnsafeRedirectError: if no credential may be sent to the token server's address.
            CredentialError: if the credential cannot be looked up.
            TransportError: if there is no response.
        """
        if origin_of(request.url) != self._origin or "Authorization" in request.headers:
            return self._transport.send(request)
        if self._challenge is None:
            proof = None
            response = self._transport.send(request)
            if response.status != 401:
                return response  # this registry has demanded no authorization so far
            wanted = self._scopes_for(request)
        else:
            wanted = self._scopes_for(request)
            proof = self._in_advance(request, self._challenge, wanted)
            response = self._deliver(request, proof)
        for _ in range(_FURTHER_ATTEMPTS):
            response, refused = self._judged(request, response, proof)
            if not refused:
                break
            if origin_of(response.url or request.url) != self._origin:
                return self._anonymously(request, response)
            proof = self._next_proof(request, response, proof, wanted)
            if proof is None:
                break
            response = self._deliver(request, proof)
        self._remember_session(request, response, wanted)
        return response

    # --- Sending --------------------------------------------------------------------------

    def _deliver(self, request: HttpRequest, proof: _Proof | None) -> HttpResponse:
        if proof is None:
            return self._transport.send(request)
        proven = request.with_headers({"Authorization": proof.authorization})
        if proof.credential is None:
            return self._discreet(self._transport.send(proven), proof)
        with self._book.trial(proof.credential) as trial:
            if not trial.allowed:
                return self._transport.send(request)
            response = self._transport.send(proven)
            trial.judge(response)
            return self._discreet(response, proof)

    def _discreet(self, response: HttpResponse, proof: _Proof) -> HttpResponse:
        sent = proof.authorization.partition(" ")[2]
        password = proof.credential.password if proof.credential else ""
        return without_repeated(response, (sent, password), limit=self._limits.error_body)

    def _judged(
        self, request: HttpRequest, response: HttpResponse, proof: _Proof | None
    ) -> tuple[HttpResponse, bool]:
        """Return the response, and whether it refuses the authorization that was sent."""
        if response.status == 401:
            return self._settled(response), True
        own = origin_of(response.url or request.url) == self._origin
        if proof is None or not own or response.status not in _MAY_MEAN_EXPIRED:
            return response, False
        response = self._settled(response)
        said = response.body.read()
        return response.with_body(io.BytesIO(said)), b"expired" in said.lower()

    def _settled(self, response: HttpResponse) -> HttpResponse:
        """Read the body into memory, so that the connection can be reused."""
        body = io.BytesIO()
        try:
            with response:
                while left := self._limits.error_body - body.tell():
                    if not body.write(response.body.read(left)):
                        break
        except OrasError as error:
            _LOGGER.debug("%s", error)  # the status is enough to go on
        body.seek(0)
        return response.with_body(body)

    # --- What to send ---------------------------------------------------------------------

    def _scopes_for(self, request: HttpRequest) -> tuple[Scope, ...]:
        wanted = required_scopes(request.method, request.url) or self._session(request.url)
        expected = (self._expected.get((scope.kind, scope.name)) for scope in wanted)
        return merge_scopes(wanted, (scope for scope in expected if scope is not None))

    def _in_advance(
        self, request: HttpRequest, challenge: Challenge, wanted: tuple[Scope, ...]
    ) -> _Proof | None:
        if challenge.scheme == "bearer" and not wanted:
            # Some token servers refuse a request without scopes: wait for a challenge.
            held = self._tokens.find(self._audience(challenge, self._book.get("")), ())
            return None if held is None else _Proof(f"Bearer {held.token.value}", held=held)
        return self._prove(request, challenge, wanted, _repository(wanted))

    def _next_proof(
        self,
        request: HttpRequest,
        response: HttpResponse,
        refused: _Proof | None,
        wanted: tuple[Scope, ...],
    ) -> _Proof | None:
        """Return the authorization to try after a refusal; None if there is no other."""
        own = self._choose(parse_challenges(response.headers.get("WWW-Authenticate", "")))
        challenge = own or self._challenge or self._challenge_of_base(request)
        self._challenge = challenge
        demanded = parse_scopes(own.scope) if own is not None else ()
        # Some servers read the first scope only: put the demanded one first (R4).
        scopes = merge_scopes(demanded, wanted)
        repository = _repository(wanted) or _repository(demanded)
        if refused is not None and refused.held is not None:
            self._tokens.drop(refused.held)
            if refused.held.fresh and covers(refused.held.scopes, scopes):
                return None
        elif refused is not None and refused.credential is not None:
            renewed = self._book.renew(repository, refused.credential)
            by_basic = refused.authorization.startswith("Basic ")
            if renewed is None and not (by_basic and challenge.scheme == "bearer"):
                return None
        return self._prove(request, challenge, scopes, repository)

    def _challenge_of_base(self, request: HttpRequest) -> Challenge:
        # R7: gcr.io sends a challenge at `/v2/` only. Without any challenge, try Basic.
        base = HttpRequest("GET", f"{self._origin}/v2/", _user_agent(request))
        with self._transport.send(base) as response:
            offered = parse_challenges(response.headers.get("WWW-Authenticate", ""))
            answered = origin_of(response.url or base.url)
        challenge = self._choose(offered) if answered == self._origin else None
        return challenge or Challenge("basic")

    def _prove(
        self,
        request: HttpRequest,
        challenge: Challenge,
        scopes: tuple[Scope, ...],
        repository: str,
    ) -> _Proof | None:
        credential = self._book.get(repository)
        if credential is not None and credential.registry_token:
            return _Proof(f"Bearer {credential.registry_token}", credential)
        if challenge.scheme == "bearer":
            held = self._token(request, challenge, scopes, repository)
            return _Proof(f"Bearer {held.token.value}", held=held)
        if credential is None or not credential.has_basic:
            return None
        return _Proof(basic_authorization(credential.username, credential.password), credential)

    # --- Tokens ---------------------------------------------------------------------------

    def _audience(self, challenge: Challenge, credential: Credential | None) -> Audience:
        # Nexus may send a realm that is not a URL: resolve it against the registry.
        realm = resolve_location(f"{self._origin}/", challenge.realm)
        return Audience(realm, challenge.service, credential)

    def _token(
        self,
        request: HttpRequest,
        challenge: Challenge,
        scopes: tuple[Scope, ...],
        repository: str,
    ) -> HeldToken:
        credential = self._book.get(repository)
        audience = self._audience(challenge, credential)
        try:
            return self._obtain(audience, scopes, request)
        except AuthenticationError:
            renewed = self._book.renew(repository, credential)
            if credential is None or renewed is None:
                raise
        return self._obtain(evolve(audience, credential=renewed), scopes, request)

    def _obtain(
        self, audience: Audience, scopes: tuple[Scope, ...], request: HttpRequest
    ) -> HeldToken:
        return self._tokens.obtain(
            audience,
            scopes,
            lambda: self._token_client.fetch(audience, scopes, headers=_user_agent(request)),
        )

    def _anonymously(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Answer the challenge of a redirect's target with an anonymous token (R10)."""
        challenge = preferred(parse_challenges(response.headers.get("WWW-Authenticate", "")))
        if challenge is None or challenge.scheme != "bearer":
            return response
        if request.method not in ("GET", "HEAD"):
            return response
        realm = resolve_location(
            f"{origin_of(response.url)}/", challenge.realm, registry_url=self._origin
        )
        scopes = merge_scopes(
            parse_scopes(challenge.scope), required_scopes(request.method, response.url)
        )
        try:
            held = self._obtain(Audience(realm, challenge.service), scopes, request)
        except RegistryError as error:
            _LOGGER.debug("no anonymous token after a redirect: %s", error)
            return response
        moved = evolve(without_secrets(request), url=response.url)
        return self._transport.send(
            moved.with_headers({"Authorization": f"Bearer {held.token.value}"})
        )

    # --- Uploads outside the API ----------------------------------------------------------

    def _session(self, url: str) -> tuple[Scope, ...]:
        """Return the scopes of the upload that continues at `url`; empty if none does."""
        with self._sessions_lock:
            return self._sessions.get(url.partition("?")[0], ())

    def _remember_session(
        self, request: HttpRequest, response: HttpResponse, wanted: tuple[Scope, ...]
    ) -> None:
        """Remember the scopes of an upload that continues at an address without a repository.

        Google's registry continues uploads at `/artifacts-uploads/…`.
        """
        location = response.headers.get("Location")
        if location is None or request.method in ("GET", "HEAD") or not wanted:
            return
        if self._challenge is None:
            return  # this registry has demanded no scopes so far
        try:
            url = resolve_location(response.url or request.url, location)
        except UnsafeRedirectError:
            return  # the next request of the upload raises the same error
        if origin_of(url) != self._origin or required_scopes("PUT", url):
            return
        with self._sessions_lock:
            self._sessions[url.partition("?")[0]] = wanted
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
