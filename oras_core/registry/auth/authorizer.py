"""Authorization of requests to one registry and to no other origin (R1 to R10)."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from oras_core.errors import AccessDeniedError, AuthenticationError, RegistryError
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
from oras_core.registry.auth.demands import Demands, Wanted
from oras_core.registry.auth.discretion import without_repeated
from oras_core.registry.auth.held_tokens import HeldToken
from oras_core.registry.auth.refusals import Audience, Refusals
from oras_core.registry.auth.scope import (
    Scope,
    covers,
    merge_scopes,
    parse_scopes,
    required_scopes,
)
from oras_core.registry.auth.token import TokenClient
from oras_core.registry.auth.token_cache import TokenCache
from oras_core.registry.responses import settled
from oras_core.registry.transports.redirects import origin_of, resolve_location, without_secrets

__all__ = ["Authorizer"]

_LOGGER = logging.getLogger(__name__)

_FURTHER_ATTEMPTS: Final = 2
"""Attempts after a 401: one answers the challenge, one replaces an invalid token (R6)."""

MAX_EXPIRED: Final = 16
"""Attempts after a token that expired between its issue and its use.

A pause that the registry demands, or a busy machine, may outlast the lifetime of a token.
"""

_MAY_MEAN_EXPIRED: Final = frozenset({400, 403})
"""Statuses that Amazon's registries send instead of 401: 403 (private), 400 (public)."""


@frozen
class _Proof:
    """A value of the `Authorization` field, and its source.

    Attributes:
        authorization: the value.
        audience: the registry and the credential, if the value contains the credential (Basic,
            or a registry token).
        held: the token of a token server, if the value contains one.
    """

    authorization: str = field(repr=False)
    audience: Audience | None = None
    held: HeldToken | None = None

    @property
    def credential(self) -> Credential | None:
        """The credential that the value contains."""
        return self.audience.credential if self.audience is not None else None


def _user_agent(request: HttpRequest) -> Mapping[str, str]:
    agent = request.headers.get("User-Agent")
    return {} if agent is None else {"User-Agent": agent}


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
        self._choose = choose
        self._demands = Demands(self._origin)
        self._book = CredentialBook(credentials, registry or self._origin.partition("://")[2])
        self._refusals = Refusals(now=now)
        self._tokens = TokenCache(refusals=self._refusals, now=now)
        self._token_client = TokenClient(
            transport, limits=limits, now=now, renewed=self._book.renew_identity
        )

    def expect(self, scope: Scope) -> None:
        """Include `scope` in every token request for the same repository.

        A push then needs one token instead of two: one to check for blobs and one to write. If
        a token server refuses `scope`, it is not requested again until the next call.
        """
        self._demands.expect(scope)

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
        latest = self._demands.latest
        if latest is None:
            response = self._transport.send(request)
            if response.status != 401:
                return response  # this registry has demanded no authorization so far
            return self.answer(request, response)
        wanted = self._demands.wanted_for(request)
        proof = self._in_advance(request, latest, wanted)
        response = self._deliver(request, proof, wanted)
        return self._proven(request, response, proof, wanted)

    def answer(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        """Answer the 401 to a request of the registry that had no authorization.

        Raises: as `send`.
        """
        return self._proven(request, response, None, self._demands.wanted_for(request))

    # --- Sending --------------------------------------------------------------------------

    def _proven(
        self, request: HttpRequest, response: HttpResponse, proof: _Proof | None, wanted: Wanted
    ) -> HttpResponse:
        """Return the response, or that to a further attempt with other authorization."""
        further = expired = 0
        while further < _FURTHER_ATTEMPTS and expired < MAX_EXPIRED:
            response, refused = self._judged(request, response, proof)
            if not refused:
                break
            if origin_of(response.url or request.url) != self._origin:
                return self._anonymously(request, response)
            if self._has_expired(proof):
                expired += 1
            else:
                further += 1
            proof = self._next_proof(request, response, proof, wanted)
            if proof is None:
                break
            response = self._deliver(request, proof, wanted).following(response)
        self._demands.remember_session(request, response, wanted)
        if response.status == 401:
            return evolve(response, explanation=self._book.absence(wanted.repository))
        return response

    def _deliver(self, request: HttpRequest, proof: _Proof | None, wanted: Wanted) -> HttpResponse:
        if proof is None:
            return self._transport.send(request)
        proven = request.with_headers({"Authorization": proof.authorization})
        if proof.audience is None:
            return self._discreet(self._transport.send(proven), proof)
        with self._refusals.trial(proof.audience):
            if self._refusals.find(proof.audience, wanted.needed) is not None:
                return self._transport.send(request)
            response = self._transport.send(proven)
            if response.status == 401:
                self._refusals.refuse(proof.audience, wanted.needed)
            elif response.status != 429 and response.status < 500:
                # 429 and 5xx say nothing about the credential.
                self._refusals.accept(proof.audience, wanted.needed)
            return self._discreet(response, proof)

    def _discreet(self, response: HttpResponse, proof: _Proof) -> HttpResponse:
        sent = proof.authorization.partition(" ")[2]
        password = proof.credential.password if proof.credential else ""
        return without_repeated(response, (sent, password))

    def _judged(
        self, request: HttpRequest, response: HttpResponse, proof: _Proof | None
    ) -> tuple[HttpResponse, bool]:
        """Return the response, and whether it refuses the authorization that was sent."""
        if response.status == 401:
            return settled(response), True
        own = origin_of(response.url or request.url) == self._origin
        if proof is None or not own or response.status not in _MAY_MEAN_EXPIRED:
            return response, False
        response = settled(response)
        said = response.body.read()
        return response.with_body(io.BytesIO(said)), b"expired" in said.lower()

    # --- What to send ---------------------------------------------------------------------

    def _has_expired(self, proof: _Proof | None) -> bool:
        """Tell whether a refused token has expired since it was issued."""
        return (
            proof is not None and proof.held is not None and not self._tokens.is_current(proof.held)
        )

    def _in_advance(self, request: HttpRequest, latest: Challenge, wanted: Wanted) -> _Proof | None:
        own = self._demands.challenge_for(wanted.repository)
        challenge = own or latest
        if challenge.scheme == "bearer" and not wanted.needed:
            # Some token servers refuse a request without scopes: wait for a challenge.
            held = self._tokens.find(self._audience(challenge, self._book.get("")), ())
            return None if held is None else _Proof(f"Bearer {held.token.value}", held=held)
        try:
            return self._prove(request, challenge, wanted, wanted.repository)
        except RegistryError as error:
            if own is not None:
                raise
            # The repository may have another token server: wait for its challenge.
            _LOGGER.debug("no token in advance: %s", error)
            return None

    def _next_proof(
        self,
        request: HttpRequest,
        response: HttpResponse,
        refused: _Proof | None,
        wanted: Wanted,
    ) -> _Proof | None:
        """Return the authorization to try after a refusal; None if there is no other."""
        own = self._choose(parse_challenges(response.headers.get("WWW-Authenticate", "")))
        challenge = (
            own
            or self._demands.challenge_for(wanted.repository)
            or self._demands.latest
            or self._challenge_of_base(request)
        )
        self._demands.challenged(wanted.repository, challenge)
        wanted = wanted.demanding(parse_scopes(own.scope) if own is not None else ())
        if refused is not None and refused.held is not None:
            self._tokens.drop(refused.held)
            if self._is_hopeless(refused.held, challenge, wanted):
                return None
        elif refused is not None and refused.credential is not None:
            renewed = self._book.renew(wanted.repository, refused.credential)
            by_basic = refused.authorization.startswith("Basic ")
            if renewed is None and not (by_basic and challenge.scheme == "bearer"):
                return None
        return self._prove(request, challenge, wanted, wanted.repository)

    def _is_hopeless(self, refused: HeldToken, challenge: Challenge, wanted: Wanted) -> bool:
        """Tell whether another token would be refused like this one."""
        audience = self._audience(challenge, refused.audience.credential)
        return (
            refused.fresh
            and self._tokens.is_current(refused)
            and audience == refused.audience
            and covers(refused.scopes, wanted.needed)
        )

    def _challenge_of_base(self, request: HttpRequest) -> Challenge:
        # R7: gcr.io sends a challenge at `/v2/` only. Without any challenge, try Basic.
        base = HttpRequest("GET", f"{self._origin}/v2/", _user_agent(request))
        with self._transport.send(base) as response:
            offered = parse_challenges(response.headers.get("WWW-Authenticate", ""))
            answered = origin_of(response.url or base.url)
        challenge = self._choose(offered) if answered == self._origin else None
        return challenge or Challenge("basic")

    def _prove(
        self, request: HttpRequest, challenge: Challenge, wanted: Wanted, repository: str
    ) -> _Proof | None:
        credential = self._book.get(repository)
        own = Audience(self._origin, credential=credential)
        if credential is not None and credential.registry_token:
            return _Proof(f"Bearer {credential.registry_token}", own)
        if challenge.scheme == "bearer":
            held = self._token(request, challenge, wanted, repository)
            return _Proof(f"Bearer {held.token.value}", held=held)
        if credential is None or not credential.has_basic:
            return None
        return _Proof(basic_authorization(credential.username, credential.password), own)

    # --- Tokens ---------------------------------------------------------------------------

    def _audience(self, challenge: Challenge, credential: Credential | None) -> Audience:
        # Nexus may send a realm that is not a URL: resolve it against the registry.
        realm = resolve_location(f"{self._origin}/", challenge.realm)
        return Audience(realm, challenge.service, credential)

    def _token(
        self, request: HttpRequest, challenge: Challenge, wanted: Wanted, repository: str
    ) -> HeldToken:
        credential = self._book.get(repository)
        audience = self._audience(challenge, credential)
        try:
            return self._obtain_wanted(audience, wanted, request)
        except AuthenticationError as error:
            renewed = self._book.renew(repository, credential)
            if credential is None or renewed is None:
                error.explain(self._book.absence(repository))
                raise
        return self._obtain_wanted(evolve(audience, credential=renewed), wanted, request)

    def _obtain_wanted(self, audience: Audience, wanted: Wanted, request: HttpRequest) -> HeldToken:
        """Return a token for all that is wanted; if that is refused, for what is needed."""
        needs_less = not covers(wanted.needed, wanted.useful)
        try:
            return self._obtain(audience, wanted.all, request)
        except (AuthenticationError, AccessDeniedError) as error:
            if not needs_less:
                raise
            _LOGGER.debug("request a token for fewer scopes: %s", error)
        self._demands.unexpect(wanted.needed)
        return self._obtain(audience, wanted.needed, request)

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
