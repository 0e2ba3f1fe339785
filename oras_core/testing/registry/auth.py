"""Authentication of the embedded registry: by password, or by tokens that it issues."""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from attrs import field, frozen

from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.testing.registry.routes import ApiError, Call, body_chunks, json_answer

__all__ = ["Access", "BasicAccess", "Logins", "OpenAccess", "TokenService", "Users"]


class Logins(Protocol):
    """Checks names and passwords; thread-safe."""

    def accepts(self, name: str, password: str) -> bool:
        """Tell whether the password is that of the user `name`."""
        ...


Users = Mapping[str, str] | Logins
"""The users of a registry, as passwords by user name or as an object that checks logins."""


class Access(Protocol):
    """Decides which requests are allowed, and answers token requests if it issues tokens."""

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Answer a token request; return None for any other request."""
        ...

    def check(self, call: Call) -> None:
        """Check that `call` is allowed.

        Raises:
            ApiError: with a challenge, if the call is not allowed.
        """
        ...


class OpenAccess(Access):
    """Allow every request."""

    def answer(self, request: HttpRequest) -> HttpResponse | None:  # noqa: ARG002 - the protocol's
        """Issue no token."""
        return None

    def check(self, call: Call) -> None:
        """Allow the call."""


def _basic_login(request: HttpRequest) -> tuple[str, str] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def _knows(users: Users, login: tuple[str, str]) -> bool:
    name, password = login
    if not isinstance(users, Mapping):
        return users.accepts(name, password)
    known = users.get(name)
    return known is not None and hmac.compare_digest(known.encode(), password.encode())


class BasicAccess(Access):
    """Allow every request of a known user, and no other."""

    def __init__(self, users: Users) -> None:
        """Set the `users`."""
        self._users = users

    def answer(self, request: HttpRequest) -> HttpResponse | None:  # noqa: ARG002 - the protocol's
        """Issue no token."""
        return None

    def check(self, call: Call) -> None:
        """Demand a password, or compare it."""
        login = _basic_login(call.request)
        if login is None or not _knows(self._users, login):
            raise ApiError(
                401,
                "UNAUTHORIZED",
                "authentication required",
                {"WWW-Authenticate": 'Basic realm="embedded registry"'},
            )


@frozen
class _Grant:
    """The permissions of a token: pairs of `TYPE:NAME` and action, until it expires."""

    allowed: frozenset[tuple[str, str]]
    expires_at: float

    def covers(self, needed: Iterable[tuple[str, str]]) -> bool:
        return all(pair in self.allowed or (pair[0], "*") in self.allowed for pair in needed)


@frozen(eq=False)
class TokenService(Access):
    """Issues bearer tokens and demands them (R2, R3, R4).

    Its URL is `/token` at the registry's origin, or `realm`.

    Attributes:
        users: they have all permissions.
        anonymous: the actions allowed without a password, e.g. `{"pull"}`.
        realm: the URL for tokens; empty for `/token` at the registry.
        service: its name in challenges.
        lifetime: the lifetime of a token in seconds.
        oauth2: whether POST with an identity token is supported; if not, the answer is 405.
        identity_tokens: the refresh tokens it accepts, as user names by token.
        now: the clock for the lifetime of tokens.
    """

    users: Users = field(factory=dict, repr=False)
    anonymous: frozenset[str] = field(default=frozenset({"pull"}), converter=frozenset)
    realm: str = ""
    service: str = "embedded-registry"
    lifetime: float = 300.0
    oauth2: bool = True
    identity_tokens: Mapping[str, str] = field(factory=dict, repr=False)
    now: Callable[[], float] = field(default=time.monotonic, repr=False)
    _grants: dict[str, _Grant] = field(factory=dict, init=False, repr=False)
    _lock: Lock = field(factory=Lock, init=False, repr=False)

    # --- Issuing --------------------------------------------------------------------------

    def answer(self, request: HttpRequest) -> HttpResponse | None:
        """Issue a token if the request asks for one."""
        asked, realm = urlsplit(request.url), urlsplit(self._realm(request))
        if (asked.netloc, asked.path) != (realm.netloc, realm.path):
            return None
        try:
            if request.method == "GET":
                return self._answer_get(request, parse_qs(asked.query))
            if request.method == "POST" and self.oauth2:
                return self._answer_post(request)
        except ApiError as error:
            return error.response()
        return ApiError(405, "UNSUPPORTED", f"no token by {request.method}").response()

    def _answer_get(self, request: HttpRequest, query: Mapping[str, list[str]]) -> HttpResponse:
        login = _basic_login(request)
        if login is None and "Authorization" in request.headers:
            raise ApiError(401, "UNAUTHORIZED", "the Authorization is not Basic")
        if login is not None and not _knows(self.users, login):
            raise ApiError(401, "UNAUTHORIZED", "incorrect username or password")
        token = self._issue(login[0] if login else "", query.get("scope", []))
        return json_answer(200, {"token": token, "access_token": token, **self._terms()})

    def _answer_post(self, request: HttpRequest) -> HttpResponse:
        form = parse_qs(b"".join(body_chunks(request)).decode())
        first = {name: values[0] for name, values in form.items()}
        user = None
        if first.get("grant_type") == "refresh_token":
            user = self.identity_tokens.get(first.get("refresh_token", ""))
        elif first.get("grant_type") == "password":
            login = (first.get("username", ""), first.get("password", ""))
            user = login[0] if _knows(self.users, login) else None
        if user is None:
            raise ApiError(401, "UNAUTHORIZED", "the grant is not valid")
        return json_answer(
            200, {"access_token": self._issue(user, form.get("scope", [])), **self._terms()}
        )

    def _terms(self) -> dict[str, object]:
        return {"expires_in": int(self.lifetime)}

    def _issue(self, user: str, scopes: Iterable[str]) -> str:
        allowed = set()
        for scope in (part for text in scopes for part in text.split()):
            name, _, actions = scope.rpartition(":")
            allowed |= {
                (name, action) for action in actions.split(",") if user or action in self.anonymous
            }
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._grants[token] = _Grant(frozenset(allowed), self.now() + self.lifetime)
        return token

    def revoke_all(self) -> None:
        """Revoke every token, as a registry does that restarts."""
        with self._lock:
            self._grants.clear()

    # --- Demanding ------------------------------------------------------------------------

    def check(self, call: Call) -> None:
        """Demand a token, or check its permissions."""
        needed = _needed(call)
        scheme, _, token = call.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise self._challenge(call, needed, "")
        with self._lock:
            grant = self._grants.get(token)
        if grant is None or grant.expires_at <= self.now():
            raise self._challenge(call, needed, "invalid_token")
        if not grant.covers(needed):
            raise self._challenge(call, needed, "insufficient_scope")

    def _challenge(self, call: Call, needed: Iterable[tuple[str, str]], problem: str) -> ApiError:
        actions: dict[str, list[str]] = {}
        for name, action in needed:
            actions.setdefault(name, []).append(action)
        scope = " ".join(f"{name}:{','.join(wanted)}" for name, wanted in actions.items())
        parameters = {
            "realm": self._realm(call.request),
            "service": self.service,
            "scope": scope,
            "error": problem,
        }
        said = ",".join(f'{name}="{value}"' for name, value in parameters.items() if value)
        return ApiError(
            401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": f"Bearer {said}"}
        )

    def _realm(self, request: HttpRequest) -> str:
        if self.realm:
            return self.realm
        url = urlsplit(request.url)
        return f"{url.scheme}://{url.netloc}/token"


def _needed(call: Call) -> list[tuple[str, str]]:
    """Return what a call needs, as pairs of `TYPE:NAME` and action."""
    if call.kind == "catalog":
        return [("registry:catalog", "*")]
    if not call.repository:
        return []
    name = f"repository:{call.repository}"
    if call.method in {"GET", "HEAD"} and call.kind != "upload":
        return [(name, "pull")]
    if call.method == "DELETE" and call.kind != "upload":
        return [(name, "delete")]
    needed = [(name, "pull"), (name, "push")]
    if source := call.query.get("from"):
        needed.append((f"repository:{source}", "pull"))
    return needed
