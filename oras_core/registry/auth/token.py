"""Bearer tokens, and the client of the token servers that issue them (R2, R3)."""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

from attrs import field, frozen

from oras_core.content.sources import BytesSource
from oras_core.errors import AuthenticationError, RegistryError
from oras_core.forks import ForkSafeLock, Unpicklable
from oras_core.model.limits import Limits
from oras_core.ports.credentials import Credential
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.auth.challenge import basic_authorization
from oras_core.registry.auth.discretion import Discreet
from oras_core.registry.auth.refresh_tokens import RefreshTokens
from oras_core.registry.auth.refusals import Audience
from oras_core.registry.auth.scope import Scope, format_scopes
from oras_core.registry.responses import exchange_body, parse_json, protocol_error

__all__ = ["Token", "TokenClient"]

_LOGGER = logging.getLogger(__name__)

CLIENT_ID: Final = "oras-sdk"
"""The `client_id` of the OAuth2 form."""

DEFAULT_LIFETIME: Final = 60.0
"""Lifetime in seconds of a token without `expires_in` (token specification)."""

MAX_MARGIN: Final = 30.0
"""A token is replaced this many seconds before it expires: a request takes time to arrive."""

_MARGIN_SHARE: Final = 0.1

_NO_SUCH_METHOD: Final = frozenset({404, 405})
_MAY_LACK_OAUTH2: Final = frozenset({400, 401})


@frozen
class Token(Unpicklable):
    """A bearer token. It cannot be pickled, and its repr hides the value.

    Attributes:
        value: the opaque token.
        expires_at: when to replace the token, in seconds on the client's clock.
    """

    value: str = field(repr=False)
    expires_at: float


@cache
def _token_grammar() -> re.Pattern[str]:
    return re.compile(r"[\x21-\x7e]+\Z")


def _lifetime(answer: Mapping[str, Any]) -> float:
    try:
        seconds = float(answer.get("expires_in", DEFAULT_LIFETIME))
    except (TypeError, ValueError, OverflowError):
        seconds = DEFAULT_LIFETIME
    if not seconds > 0 or math.isinf(seconds):
        seconds = DEFAULT_LIFETIME
    return seconds - min(MAX_MARGIN, seconds * _MARGIN_SHARE)


def _is_token(value: object) -> bool:
    # Other characters are invalid in a header field, or would inject another field.
    return isinstance(value, str) and _token_grammar().match(value) is not None


def _get_url(audience: Audience, scopes: tuple[Scope, ...]) -> str:
    """Append service and scopes to the realm's own query (R2); one parameter per scope (R4)."""
    parts = urlsplit(audience.realm)
    named = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    fields = [("scope", str(scope)) for scope in scopes]
    if audience.service and "service" not in named:
        fields.insert(0, ("service", audience.service))
    query = "&".join(filter(None, (parts.query, urlencode(fields, quote_via=quote))))
    return urlunsplit(parts._replace(query=query))


def _refused_identity(error: RegistryError) -> AuthenticationError:
    """Return the error for an invalid refresh token, for which OAuth2 servers send 400."""
    return AuthenticationError(
        error.operation,
        status=error.status,
        method=error.method,
        url=error.url,
        codes=error.codes,
        detail=f"the identity token is refused, log in again: {error.detail}".rstrip(": "),
    )


class TokenClient:
    """A client of token servers. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        *,
        limits: Limits | None = None,
        now: Callable[[], float] = time.monotonic,
        renewed: Callable[[Credential, str], None] | None = None,
    ) -> None:
        """Send requests through `transport`.

        Args:
            transport: sends the requests.
            limits: bounds on the responses.
            now: the clock of the tokens' `expires_at`.
            renewed: called with a credential and the successor of its identity token.
        """
        self._transport = transport
        self._limits = limits or Limits()
        self._now = now
        self._lock = ForkSafeLock()
        self._without_oauth2: set[str] = set()
        self._refresh_tokens = RefreshTokens(renewed)

    def fetch(
        self,
        audience: Audience,
        scopes: tuple[Scope, ...],
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Token:
        """Request a token: by POST with an identity token (R3), otherwise by GET (R2).

        GET is also used if the server does not support POST, or if it refuses POST with a status
        that servers without POST send and the credential has a password. POST is then not tried
        again for this server.

        Args:
            audience: the token server, the service and the credential.
            scopes: the scopes to request, the most important first (R4).
            headers: additional header fields, such as `User-Agent`.

        Raises:
            AuthenticationError: if the server refuses the credential or demands one.
            AccessDeniedError: if the credential does not permit this token.
            RegistryError: for any other response without a token.
            TransportError: if there is no response.
            UnsafeRedirectError: if the server redirects to an unsafe address.
        """
        what = format_scopes(scopes) or "the registry"
        operation = f"get a token for {what} from {urlsplit(audience.realm).hostname}"
        _LOGGER.debug("%s", operation)
        fields = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        return self._fetch(audience, scopes, operation, fields)

    def _fetch(
        self,
        audience: Audience,
        scopes: tuple[Scope, ...],
        operation: str,
        headers: Mapping[str, str],
    ) -> Token:
        credential = audience.credential
        if credential is None or not credential.identity_token or not self._has_oauth2(audience):
            return self._get(audience, scopes, operation, headers)
        refusal = None
        try:
            return self._post(audience, scopes, operation, headers)
        except RegistryError as error:
            if error.status not in _NO_SUCH_METHOD | _MAY_LACK_OAUTH2:
                raise
            if error.status in _MAY_LACK_OAUTH2 and not credential.has_basic:
                refusal = _refused_identity(error)
        if refusal is not None:
            raise refusal
        token = self._get(audience, scopes, operation, headers)
        with self._lock:
            self._without_oauth2.add(audience.realm)
        return token

    def _has_oauth2(self, audience: Audience) -> bool:
        with self._lock:
            return audience.realm not in self._without_oauth2

    def _get(
        self,
        audience: Audience,
        scopes: tuple[Scope, ...],
        operation: str,
        headers: Mapping[str, str],
    ) -> Token:
        request = HttpRequest("GET", _get_url(audience, scopes), headers)
        credential = audience.credential or Credential()
        if credential.has_basic:
            pair = (credential.username, credential.password)
        elif credential.identity_token:
            pair = (credential.username, credential.identity_token)
        else:
            return self._ask(request, operation)[0]
        proof = basic_authorization(*pair)
        hidden = (*credential.secrets, proof.partition(" ")[2])
        return self._ask(request.with_headers({"Authorization": proof}), operation, hidden)[0]

    def _post(
        self,
        audience: Audience,
        scopes: tuple[Scope, ...],
        operation: str,
        headers: Mapping[str, str],
    ) -> Token:
        with self._refresh_tokens.exchange(audience) as (refresh_token, renew):
            form = {
                "grant_type": "refresh_token",
                "service": audience.service,
                "client_id": CLIENT_ID,
                "scope": format_scopes(scopes),
                "refresh_token": refresh_token,
            }
            request = HttpRequest(
                "POST",
                audience.realm,
                {**headers, "Content-Type": "application/x-www-form-urlencoded"},
                BytesSource(urlencode(form).encode("ascii")),
            )
            secrets = audience.credential.secrets if audience.credential else ()
            token, successor = self._ask(request, operation, (*secrets, refresh_token))
            renew(successor)
        return token

    def _ask(
        self, request: HttpRequest, operation: str, hidden: Collection[str] = ()
    ) -> tuple[Token, str]:
        """Return the token, and the new refresh token or an empty string."""
        asked_at = self._now()
        response, body = exchange_body(
            Discreet(self._transport, hidden),
            request,
            operation,
            limit=self._limits.token_body,
        )
        answer = parse_json(request, response, operation, body)
        value = answer.get("token") or answer.get("access_token")
        if not _is_token(value):
            raise protocol_error(request, response, operation, "the response contains no token")
        successor = answer.get("refresh_token")
        token = Token(str(value), asked_at + _lifetime(answer))
        return token, str(successor) if _is_token(successor) else ""
