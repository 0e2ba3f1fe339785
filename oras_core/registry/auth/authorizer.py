"""Who we are, told to the registry and to nobody else (R1 to R10)."""

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
"""After a 401: one to answer the challenge, one for a token that had become invalid (R6)."""

_MAY_MEAN_EXPIRED: Final = frozenset({400, 403})
"""What Amazon's registries answer where others say 401: 403 the private ones, 400 the public."""

MAX_EXPECTED: Final = 1024
"""Scopes that are remembered because they are going to be needed."""

MAX_SESSIONS: Final = 1024
"""Upload addresses outside the API that are remembered: more than any client has open."""


@frozen
class _Proof:
    """What is sent as `Authorization`, and where it came from.

    `credential` is set where it is sent itself, by Basic or as a registry token; `held` where
    a token is sent that was issued for it.
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

    The challenge that the registry answers with is met by a token (Bearer) or by the password
    (Basic), and from then on in advance. The credential is looked up when it is first wanted.
    Requests to other origins, and those that have an `Authorization` already, pass unchanged.

    Where all that is known is not enough the registry's last 401 is the response; where a
    token server refuses, its error is raised.
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
            transport: sends; also asks token servers, and must follow no unsafe redirect.
            origin: of the registry, e.g. `https://registry-1.docker.io`. If it is of http, so
                may token servers be (R10).
            credentials: where the credential is looked up.
            registry: the name to look up, e.g. `docker.io`; by default the origin's host.
            limits: bounds on the answers of token servers.
            choose: which one of the registry's challenges is met; None where it can be none.
            now: a clock in seconds, always going forwards.
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
        """Ask for `scope` too whenever a token for the same thing is needed.

        Without it a push would need two: one to look what is there, and one to write.
        """
        if len(self._expected) < MAX_EXPECTED:
            self._expected[scope.kind, scope.name] = scope

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, with what the registry wants to see as far as it is known.

        Raises:
            AuthenticationError: if a token server refuses the credential, or wants one.
            RegistryError: if a token server gives no token.
            UnsafeRedirectError: if the token server is where no credential may go.
            CredentialError: if the credential cannot be looked up.
            TransportError: where there is no answer.
        """
        if origin_of(request.url) != self._origin or "Authorization" in request.headers:
            return self._transport.send(request)
        if self._challenge is None:
            proof = None
            response = self._transport.send(request)
            if response.status != 401:
                return response  # it has not asked yet who we are, nor does it now
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
        """Return the response, and whether it asks for another proof of who we are."""
        if response.status == 401:
            return self._settled(response), True
        own = origin_of(response.url or request.url) == self._origin
        if proof is None or not own or response.status not in _MAY_MEAN_EXPIRED:
            return response, False
        response = self._settled(response)
        said = response.body.read()
        return response.with_body(io.BytesIO(said)), b"expired" in said.lower()

    def _settled(self, response: HttpResponse) -> HttpResponse:
        """Return the response with its body in memory, so that the connection is free."""
        body = io.BytesIO()
        try:
            with response:
                while left := self._limits.error_body - body.tell():
                    if not body.write(response.body.read(left)):
                        break
        except OrasError as error:
            _LOGGER.debug("%s", error)  # the status says enough
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
            # Not every token server has a token for nothing, so none is asked for unbidden.
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
        """Return what to send after a refusal; None if there is nothing that would help."""
        own = self._choose(parse_challenges(response.headers.get("WWW-Authenticate", "")))
        challenge = own or self._challenge or self._challenge_of_base(request)
        self._challenge = challenge
        demanded = parse_scopes(own.scope) if own is not None else ()
        # Some servers read one scope alone: what the registry misses comes first (R4).
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
        # R7: gcr.io challenges nowhere but here; where nobody does, Basic is tried.
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
        # A realm that is no address, as Nexus may have it, is one within the registry.
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
        """Meet the challenge of a host that the registry redirected to, as nobody (R10)."""
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
        """Return the scopes of the upload that goes on at `url`; none if there is no such."""
        with self._sessions_lock:
            return self._sessions.get(url.partition("?")[0], ())

    def _remember_session(
        self, request: HttpRequest, response: HttpResponse, wanted: tuple[Scope, ...]
    ) -> None:
        """Keep the scopes for an upload that goes on at an address that names no repository.

        Google's registry continues uploads at `/artifacts-uploads/…`.
        """
        location = response.headers.get("Location")
        if location is None or request.method in ("GET", "HEAD") or not wanted:
            return
        if self._challenge is None:
            return  # a registry that has not asked yet wants no scopes
        try:
            url = resolve_location(response.url or request.url, location)
        except UnsafeRedirectError:
            return  # whoever goes on there finds out
        if origin_of(url) != self._origin or required_scopes("PUT", url):
            return
        with self._sessions_lock:
            self._sessions[url.partition("?")[0]] = wanted
            while len(self._sessions) > MAX_SESSIONS:
                self._sessions.popitem(last=False)
