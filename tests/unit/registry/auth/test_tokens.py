"""R2, R3, R4, R6: how tokens are asked for, read, kept and shared."""

from __future__ import annotations

import base64
import json
import logging
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from oras_core.cancellation import CancelToken
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    CancelledError,
    OrasError,
    RateLimitedError,
    RegistryError,
    SizeLimitError,
    TransportError,
)
from oras_core.model.limits import Limits
from oras_core.ports.credentials import Credential
from oras_core.registry.auth import held_tokens
from oras_core.registry.auth.refusals import REFUSAL_SECONDS, Audience, Refusals
from oras_core.registry.auth.scope import Scope, covers, parse_scopes
from oras_core.registry.auth.token import Token, TokenClient
from oras_core.registry.auth.token_cache import TokenCache
from support.scripted_transport import Answer, ScriptedTransport

REALM = "https://auth.example/token"
PULL = parse_scopes("repository:a:pull")
PUSH = parse_scopes("repository:a:pull,push")
OTHER = parse_scopes("repository:b:pull")
PASSWORD = Credential("alice", "open sesame")
SECRETS = ("open sesame", "refresh-me", "very-secret")
REFRESH = Credential(identity_token="refresh-me")


def issued(**fields):
    return Answer(200, body=json.dumps({"token": "T", **fields}).encode())


def fetch(*steps, audience=None, scopes=PULL, now=100.0, **options):
    transport = ScriptedTransport(*steps)
    client = TokenClient(transport, now=lambda: now, **options)
    token = client.fetch(audience or Audience(REALM, "r.example"), scopes)
    assert transport.finished
    return token, transport.requests


def basic(username, password):
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


# --- Asking -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("realm", "service", "scopes", "url"),
    [
        (REALM, "r.example", "", REALM + "?service=r.example"),
        (REALM, "", "", REALM),
        (REALM, "a b&c", "", REALM + "?service=a%20b%26c"),
        (
            REALM,
            "s",
            "repository:b:pull repository:a:pull,push",
            REALM + "?service=s&scope=repository%3Ab%3Apull&scope=repository%3Aa%3Apull%2Cpush",
        ),
        (
            REALM + "?account=x&scope=own",
            "s",
            "aws",
            REALM + "?account=x&scope=own&service=s&scope=aws",
        ),
        (REALM + "?service=its%2Fown", "s", "", REALM + "?service=its%2Fown"),
    ],
)
def test_get_keeps_the_realms_query_and_repeats_scopes(realm, service, scopes, url):
    _, requests = fetch(issued(), audience=Audience(realm, service), scopes=parse_scopes(scopes))
    (sent,) = requests
    encoded = url.replace("%3A", ":").replace("%2C", ",")
    assert sent.url.replace("%3A", ":").replace("%2C", ",") == encoded
    assert sent.method == "GET"


@pytest.mark.parametrize(
    ("credential", "authorization"),
    [
        (None, None),
        (PASSWORD, basic("alice", "open sesame")),
        (Credential("alice", ""), None),
        (Credential("AWS", "x" * 3000), basic("AWS", "x" * 3000)),
    ],
)
def test_basic_only_with_credentials(credential, authorization):
    _, (sent,) = fetch(issued(), audience=Audience(REALM, "s", credential))
    assert sent.headers.get("Authorization") == authorization


def test_token_request_has_the_given_headers():
    transport = ScriptedTransport(issued())
    TokenClient(transport).fetch(Audience(REALM), PULL, headers={"User-Agent": "me/1"})
    headers = transport.requests[0].headers
    assert headers["User-Agent"] == "me/1"
    assert headers["Accept-Encoding"] == "identity"


def test_a_refresh_token_is_exchanged_by_post():
    _, (sent,) = fetch(
        issued(),
        audience=Audience(REALM, "r.example", REFRESH),
        scopes=parse_scopes("repository:b:pull repository:a:pull,push"),
    )
    assert sent.line == f"POST {REALM}"
    assert sent.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Authorization" not in sent.headers
    assert parse_qs(sent.body.decode()) == {
        "grant_type": ["refresh_token"],
        "service": ["r.example"],
        "client_id": ["oras-sdk"],
        "scope": ["repository:b:pull repository:a:pull,push"],
        "refresh_token": ["refresh-me"],
    }


def test_new_refresh_token_replaces_the_old_one():
    transport = ScriptedTransport(issued(refresh_token="newer"), issued())
    client = TokenClient(transport)
    for _ in range(2):
        client.fetch(Audience(REALM, "s", REFRESH), PULL)
    sent = [parse_qs(one.body.decode())["refresh_token"] for one in transport.requests]
    assert sent == [["refresh-me"], ["newer"]]


@pytest.mark.parametrize(
    ("status", "credential", "authorization"),
    [
        (404, REFRESH, basic("", "refresh-me")),
        (405, REFRESH, basic("", "refresh-me")),
        (404, Credential("u", "p", "refresh-me"), basic("u", "p")),
        (400, Credential("u", "p", "refresh-me"), basic("u", "p")),
        (401, Credential("u", "p", "refresh-me"), basic("u", "p")),
    ],
)
def test_get_is_the_fallback_for_unsupported_post(status, credential, authorization):
    transport = ScriptedTransport(Answer(status), issued(), issued())
    client = TokenClient(transport)
    audience = Audience(REALM, "s", credential)
    assert client.fetch(audience, PULL).value == "T"
    assert client.fetch(audience, PUSH).value == "T"
    assert [sent.method for sent in transport.requests] == ["POST", "GET", "GET"]
    assert transport.requests[1].headers["Authorization"] == authorization


@pytest.mark.parametrize(
    ("status", "credential", "kind"),
    [
        (400, REFRESH, AuthenticationError),
        (401, REFRESH, AuthenticationError),
        (403, Credential("u", "open sesame", "refresh-me"), AccessDeniedError),
        (500, REFRESH, RegistryError),
    ],
)
def test_an_expired_refresh_token_is_an_error_at_once(status, credential, kind):
    with pytest.raises(kind) as caught:
        fetch(
            Answer(status, body=b'{"error": "invalid_grant"}'),
            audience=Audience(REALM, "s", credential),
        )
    assert (caught.value.status, caught.value.method) == (status, "POST")
    assert caught.value.detail.endswith("invalid_grant")


def test_an_error_is_raised_if_post_and_get_fail():
    transport = ScriptedTransport(Answer(404), Answer(404))
    with pytest.raises(RegistryError):
        TokenClient(transport).fetch(Audience(REALM, "s", REFRESH), PULL)
    assert transport.finished


# --- Answers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "value", "lifetime"),
    [
        ({"token": "t"}, "t", 60 - 6),
        ({"access_token": "a"}, "a", 60 - 6),
        ({"token": "t", "access_token": "a"}, "t", 60 - 6),
        ({"token": "", "access_token": "a"}, "a", 60 - 6),
        ({"token": None, "access_token": "a"}, "a", 60 - 6),
        ({"token": "t", "expires_in": 300}, "t", 300 - 30),
        ({"token": "t", "expires_in": 3600}, "t", 3600 - 30),
        ({"token": "t", "expires_in": 10}, "t", 9),
        ({"token": "t", "expires_in": 0.5}, "t", 0.45),
        ({"token": "t", "expires_in": "300"}, "t", 270),
        ({"token": "t", "expires_in": None}, "t", 54),
        ({"token": "t", "expires_in": 0}, "t", 54),
        ({"token": "t", "expires_in": -5}, "t", 54),
        ({"token": "t", "expires_in": "soon"}, "t", 54),
        ({"token": "t", "expires_in": float("nan")}, "t", 54),
        ({"token": "t", "expires_in": float("inf")}, "t", 54),
        ({"token": "t", "expires_in": []}, "t", 54),
    ],
)
def test_token_responses_are_parsed(answer, value, lifetime):
    token, _ = fetch(Answer(200, body=json.dumps(answer).encode()))
    assert token.value == value
    assert token.expires_at == pytest.approx(100.0 + lifetime)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>login</html>",
        b"[]",
        b'"token"',
        b"{}",
        b'{"token": 5}',
        b'{"token": ["t"]}',
        b'{"token": "a\\r\\nX-Evil: 1"}',
        b'{"token": "a b"}',
        b'{"token": "\\u00fc"}',
        b'{"token": "t"',
        b"[" * 50_000,
    ],
)
def test_response_without_a_token_is_an_error(body):
    with pytest.raises(RegistryError) as caught:
        fetch(Answer(200, body=body))
    assert caught.value.status == 200
    assert caught.value.url == REALM
    assert "auth.example" in str(caught.value)


def test_huge_response_is_not_read():
    with pytest.raises(SizeLimitError):
        fetch(issued(padding="x" * 200), limits=Limits(token_body=100))


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RegistryError),
        (401, AuthenticationError),
        (403, AccessDeniedError),
        (429, RateLimitedError),
        (503, RegistryError),
    ],
)
def test_refusal_is_an_error_with_attributes(status, kind):
    body = json.dumps({"errors": [{"code": "DENIED", "message": "not for you"}]}).encode()
    with pytest.raises(kind) as caught:
        fetch(Answer(status, body=body), audience=Audience(REALM + "?sig=x", "s", PASSWORD))
    error = caught.value
    assert (error.status, error.method, error.url) == (status, "GET", REALM)
    assert (error.codes, error.detail) == (("DENIED",), "not for you")
    assert "repository:a:pull" in str(error)
    assert "auth.example" in str(error)


@pytest.mark.parametrize("status", [401, 404])
@pytest.mark.parametrize(
    "credential", [PASSWORD, REFRESH, Credential("u", "open sesame", "refresh-me")]
)
def test_secret_repeated_by_the_server_is_not_shown(status, credential, caplog):
    echo = json.dumps(
        {
            "code": credential.identity_token or "X",
            "message": f"bad {' '.join(credential.secrets)} {basic('alice', 'open sesame')}",
        }
    ).encode()
    with caplog.at_level(logging.DEBUG), pytest.raises(RegistryError) as caught:
        fetch(
            Answer(status, body=echo),
            Answer(status, body=echo),
            audience=Audience(REALM, "s", credential),
        )
    shown = (
        "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value)) + caplog.text
    )
    for secret in ("open sesame", "refresh-me", basic("alice", "open sesame")[6:]):
        if secret in (credential.password, credential.identity_token):
            assert secret not in shown
    assert basic("alice", "open sesame")[6:] not in shown


def test_token_is_not_shown():
    token, _ = fetch(Answer(200, body=b'{"token": "very-secret"}'))
    assert "very-secret" not in repr(token)
    assert "very-secret" not in repr(Audience(REALM, "s", Credential("u", "very-secret")))


# --- Keeping ------------------------------------------------------------------------------


class Clock:
    time = 0.0

    def __call__(self):
        return self.time


class Fetch:
    """Gives numbered tokens that live for a minute, or raises."""

    def __init__(self, clock, *steps):
        self.clock, self.steps, self.calls = clock, list(steps), 0

    def __call__(self):
        self.calls += 1
        step = self.steps.pop(0) if self.steps else None
        if step is not None:
            raise step
        return Token(f"T{self.calls}", self.clock() + 60)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def cache(clock):
    return TokenCache(now=clock)


@pytest.fixture
def source(clock):
    return Fetch(clock)


ANYBODY = Audience(REALM, "s")
ALICE = Audience(REALM, "s", PASSWORD)


def test_token_is_fetched_once_and_reused_for_fewer_scopes(cache, source):
    first = cache.obtain(ANYBODY, PUSH, source)
    again = cache.obtain(ANYBODY, PULL, source)
    assert (first.token.value, first.fresh) == ("T1", True)
    assert (again.token.value, again.fresh, again.scopes) == ("T1", False, PUSH)
    assert cache.find(ANYBODY, ()) == again
    assert source.calls == 1


@pytest.mark.parametrize(
    ("audience", "scopes"),
    [
        (ANYBODY, PUSH),
        (ANYBODY, OTHER),
        (ALICE, PULL),
        (Audience(REALM, "other", None), PULL),
        (Audience("https://elsewhere.example/token", "s", None), PULL),
    ],
)
def test_a_token_is_not_used_for_other_scopes(cache, source, audience, scopes):
    cache.obtain(ANYBODY, PULL, source)
    assert cache.obtain(audience, scopes, source).token.value == "T2"


def test_an_expired_token_is_fetched_again(cache, source, clock):
    cache.obtain(ANYBODY, PULL, source)
    clock.time = 59.9
    assert cache.obtain(ANYBODY, PULL, source).token.value == "T1"
    clock.time = 60.0
    assert cache.find(ANYBODY, PULL) is None
    assert cache.obtain(ANYBODY, PULL, source).token.value == "T2"


def test_discard_removes_a_token_but_not_its_successor(cache, source):
    first = cache.obtain(ANYBODY, PULL, source)
    cache.drop(first)
    second = cache.obtain(ANYBODY, PULL, source)
    cache.drop(first)
    assert (second.token.value, cache.obtain(ANYBODY, PULL, source).token.value) == ("T2", "T2")


def repository_scopes(number, *actions):
    return (Scope("repository", f"r{number}", actions or ("pull",)),)


def test_tokens_of_other_repositories_are_not_looked_at(cache, source, monkeypatch):
    compared = []

    def counting(held, wanted):
        compared.append(held)
        return covers(held, wanted)

    for number in range(200):
        cache.obtain(ANYBODY, repository_scopes(number), source)
    monkeypatch.setattr(held_tokens, "covers", counting)
    for number in range(200):
        assert cache.find(ANYBODY, repository_scopes(number)).scopes == repository_scopes(number)
    assert len(compared) == 200


def test_a_bounded_number_of_tokens_is_cached(cache, source, monkeypatch):
    monkeypatch.setattr(held_tokens, "MAX_IN_PLACE", 3)
    small = TokenCache(now=source.clock)
    for number in range(held_tokens.MAX_PLACES + 10):
        small.obtain(ANYBODY, repository_scopes(number), source)
    assert small.find(ANYBODY, repository_scopes(0)) is None
    assert small.find(ANYBODY, repository_scopes(held_tokens.MAX_PLACES)) is not None
    for number in range(10):
        small.obtain(ANYBODY, repository_scopes("x") + repository_scopes(number), source)
    assert small.find(ANYBODY, repository_scopes("x") + repository_scopes(5)) is None
    assert small.find(ANYBODY, repository_scopes("x") + repository_scopes(9)) is not None


def test_a_dropped_token_is_gone_for_every_resource(cache, source):
    both = repository_scopes(1) + repository_scopes(2)
    cache.drop(cache.obtain(ANYBODY, both, source))
    for scopes in (both, repository_scopes(1), repository_scopes(2), ()):
        assert cache.find(ANYBODY, scopes) is None


def test_refusals_of_many_scopes_are_forgotten(clock):
    refusals = Refusals(now=clock)
    for number in range(1000):
        refusals.refuse(ALICE, repository_scopes(number, "push"), error(403), status=403)
    assert refusals.find(ALICE, repository_scopes(0, "push")) is None
    assert refusals.find(ALICE, repository_scopes(999, "push")) is not None


def error(status):
    kind = {401: AuthenticationError, 403: AccessDeniedError}.get(status, RegistryError)
    return kind("get a token", status=status, method="GET", url=REALM, codes=["X"])


def test_a_wrong_password_is_not_sent_again(cache, clock):
    source = Fetch(clock, error(401))
    for scopes in (PULL, PULL, PUSH, OTHER):
        with pytest.raises(AuthenticationError) as caught:
            cache.obtain(ALICE, scopes, source)
        assert caught.value.codes == ("X",)
    assert source.calls == 1
    better = Audience(REALM, "s", Credential("alice", "another"))
    assert cache.obtain(better, PULL, source).token.value == "T2"
    clock.time = REFUSAL_SECONDS
    assert cache.obtain(ALICE, PULL, source).token.value == "T3"


def test_refusal_is_remembered_for_its_scopes_only(cache, clock):
    source = Fetch(clock, error(403))
    for _ in range(2):
        with pytest.raises(AccessDeniedError):
            cache.obtain(ALICE, PUSH, source)
    assert source.calls == 1
    assert cache.obtain(ALICE, PULL, source).token.value == "T2"
    with pytest.raises(AccessDeniedError):
        cache.obtain(ALICE, PUSH, source)
    assert source.calls == 2
    clock.time = REFUSAL_SECONDS
    assert cache.obtain(ALICE, PUSH, source).token.value == "T3"


def test_an_accepted_password_is_not_remembered_as_refused(cache, clock):
    source = Fetch(clock)
    cache.obtain(ALICE, PULL, source)
    source.steps = [error(401)]
    with pytest.raises(AuthenticationError):
        cache.obtain(ALICE, OTHER, source)
    with pytest.raises(AuthenticationError):
        cache.obtain(ALICE, OTHER, source)
    assert source.calls == 2
    assert cache.obtain(ALICE, PUSH, source).token.value == "T3"


@pytest.mark.parametrize(
    ("audience", "failure"),
    [
        (ANYBODY, error(401)),
        (ALICE, error(500)),
        (ALICE, TransportError("GET", REALM, "reset")),
    ],
)
def test_other_failures_are_not_remembered(cache, clock, audience, failure):
    source = Fetch(clock, failure)
    with pytest.raises(OrasError):
        cache.obtain(audience, PULL, source)
    assert cache.obtain(audience, PULL, source).token.value == "T2"


# --- Sharing ------------------------------------------------------------------------------


class Gate:
    """A fetch that waits until it may go on, and counts."""

    def __init__(self, outcome):
        self.outcome, self.calls = outcome, 0
        self.entered, self.open = threading.Event(), threading.Event()

    def __call__(self):
        self.calls += 1
        self.entered.set()
        assert self.open.wait(20)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        return self.outcome


class Watched(TokenCache):
    """Counts those who wait for another thread's fetch."""

    waiting = threading.Semaphore(0)

    def _await(self, flight, scopes):
        self.waiting.release()
        return super()._await(flight, scopes)


@pytest.fixture
def watched(clock):
    cache = Watched(now=clock)
    cache.waiting = threading.Semaphore(0)
    return cache


def run(cache, gate, wanted, others=None):
    """Let one thread fetch, others wait for it, and it end; return what each of them got."""

    def obtain(scopes, fetch):
        try:
            return cache.obtain(ANYBODY, scopes, fetch).token.value
        except (OrasError, KeyboardInterrupt) as caught:
            return caught

    with ThreadPoolExecutor(9) as threads:
        first = threads.submit(obtain, PUSH, gate)
        assert gate.entered.wait(20)
        rest = [threads.submit(obtain, scopes, others or gate) for scopes in wanted]
        assert all(cache.waiting.acquire(timeout=20) for _ in wanted)
        gate.open.set()
        return [future.result(20) for future in (first, *rest)]


def test_threads_share_one_fetch(watched):
    gate = Gate(Token("T", 60.0))
    assert run(watched, gate, [PUSH, PULL, (), PUSH] * 2) == ["T"] * 9
    assert gate.calls == 1


def test_threads_requesting_the_same_scopes_get_the_same_error(watched):
    gate = Gate(error(503))
    results = run(watched, gate, [PUSH] * 8)
    assert [(type(one), one.status) for one in results] == [(RegistryError, 503)] * 9
    assert gate.calls == 1
    assert len({id(one) for one in results}) == 9  # an exception is raised by one thread


def test_threads_requesting_fewer_scopes_fetch_their_own_token(watched, clock):
    gate, source = Gate(error(403)), Fetch(clock)
    first, *rest = run(watched, gate, [PULL] * 4, source)
    assert isinstance(first, AccessDeniedError)
    assert rest == ["T1"] * 4
    assert source.calls == 1


def test_an_interrupted_thread_does_not_interrupt_others(watched, clock):
    gate, source = Gate(KeyboardInterrupt()), Fetch(clock)
    first, *rest = run(watched, gate, [PUSH] * 4, source)
    assert isinstance(first, KeyboardInterrupt)
    assert rest == ["T1"] * 4
    assert source.calls == 1


def test_a_cancelled_thread_does_not_cancel_others(watched, clock):
    gate, source = Gate(CancelledError("fetch")), Fetch(clock)
    first, *rest = run(watched, gate, [PUSH] * 4, source)
    assert isinstance(first, CancelledError)
    assert rest == ["T1"] * 4
    assert source.calls == 1


def test_a_thread_that_waits_for_another_can_be_cancelled(watched):
    gate, token = Gate(Token("T", 60.0)), CancelToken()

    def obtain():
        with token.scope():
            watched.obtain(ANYBODY, PUSH, gate)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(watched.obtain, ANYBODY, PUSH, gate)
        assert gate.entered.wait(20)
        second = threads.submit(obtain)
        assert watched.waiting.acquire(timeout=20)
        token.cancel()
        assert isinstance(second.exception(20), CancelledError)
        gate.open.set()
        assert first.result(20).token.value == "T"


# --- Refresh tokens for one use -----------------------------------------------------------


class OneUse:
    """A token server whose refresh tokens are valid for one exchange.

    The first exchange takes a moment, in which a client might begin another one.
    """

    def __init__(self, first="refresh-me"):
        self.valid, self.issued, self.lock = first, 0, threading.Lock()
        self.overlapped = threading.Event()
        self.running = 0

    def send(self, request):
        form = parse_qs(request.body.open().read().decode())
        with self.lock:
            self.running += 1
            if self.running > 1:
                self.overlapped.set()
        if not self.issued:
            self.overlapped.wait(0.2)
        with self.lock:
            self.running -= 1
            right = form["refresh_token"] == [self.valid]
            if right:
                self.issued += 1
                self.valid = f"refresh-{self.issued}"
            issued, renewed = self.issued, self.valid
        if not right:
            return Answer(400, body=b'{"error": "invalid_grant"}').response(request)
        body = json.dumps({"access_token": f"T{issued}", "refresh_token": renewed})
        return Answer(200, body=body.encode()).response(request)


def test_threads_exchange_a_single_use_refresh_token_in_sequence():
    server, stored = OneUse(), []
    client = TokenClient(server, renewed=lambda credential, token: stored.append(token))
    audiences = [Audience(REALM, service, REFRESH) for service in ("s", "t")]
    with ThreadPoolExecutor(16) as threads:
        jobs = [
            threads.submit(client.fetch, audiences[n % 2], parse_scopes(f"repository:r{n}:pull"))
            for n in range(40)
        ]
        assert len({job.result(20).value for job in jobs}) == 40
    assert server.issued == 40
    assert not server.overlapped.is_set()
    assert stored == [f"refresh-{n}" for n in range(1, 41)]


def test_unchanged_refresh_token_is_not_stored_again():
    server, stored = OneUse(), []
    server.send = lambda request: Answer(
        200, body=b'{"token": "T", "refresh_token": "refresh-me"}'
    ).response(request)
    client = TokenClient(server, renewed=lambda *renewed: stored.append(renewed))
    client.fetch(Audience(REALM, "s", REFRESH), PULL)
    assert stored == []
