"""Backends of a program's own: asked by the client, in place of the core."""

from __future__ import annotations

import pytest

import oras.auth
from oras._client.backend_transport import BackendAuthorization
from oras.auth import BasicAuth, EcrAuth, TokenAuth, auth_backends
from oras.auth.base import AuthBackend
from oras.auth.hooks import authenticates_itself
from oras.client import OrasClient
from oras_core.errors import AuthenticationError
from oras_core.ports.http import HttpRequest
from support.auth_world import BasicSite, Reply, World, basic
from support.world_client import get, inhabit

SECRETS = ("sesame",)

A, B, STORAGE = "https://a.example", "https://b.example", "https://storage.example"
TAGS = "/v2/app/tags/list"


class Foreign:
    """Knows nothing of this library: what oras-py asks of a backend, and no more."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []
        self.offer = None

    def authenticate_request(self, original, headers, refresh=False):
        self.calls.append((original.status_code, original.url, dict(headers), refresh))
        headers["X-Mutated"] = "1"
        value = self.answers.pop(0) if self.answers else None
        return ({**headers, "Authorization": value}, True) if value else (headers, False)

    def get_auth_header(self):
        return {"Authorization": self.offer} if self.offer else {}

    def load_configs(self, container, configs=None):
        self.calls.append(("load_configs", str(container), configs))

    def set_basic_auth(self, username, password):
        self.offer = basic(username, password)

    def logout(self, hostname):
        self.calls.append(("logout", hostname))


class Site:
    """Answers by the Authorization that it sees; 401 to what is not foreseen."""

    def __init__(self, **statuses):
        self.statuses = statuses

    def __call__(self, seen):
        return Reply(self.statuses.get(seen.authorization, 401), body=b"said")


def send(world, backend, url=A + TAGS, origin=A, headers=None):
    transport = BackendAuthorization(backend)(world, origin)
    return transport.send(HttpRequest("GET", url, headers or {}))


# --- Who is asked -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [AuthBackend, BasicAuth, TokenAuth, EcrAuth])
def test_built_in_backends_leave_authentication_to_the_core(kind):
    assert not authenticates_itself(kind())
    assert not authenticates_itself(type("Quiet", (kind,), {"load_configs": lambda *_: None})())


@pytest.mark.parametrize("kind", [AuthBackend, BasicAuth, TokenAuth, EcrAuth])
@pytest.mark.parametrize("name", ["authenticate_request", "get_auth_header", "request_token"])
def test_backend_that_overrides_a_method_is_called(kind, name):
    assert authenticates_itself(type("Own", (kind,), {name: lambda *_: None})())
    backend = kind()
    setattr(backend, name, lambda *_: None)
    assert authenticates_itself(backend)


def test_patched_backend_is_called(monkeypatch):
    backend = EcrAuth()
    monkeypatch.setattr("oras.auth.ecr.EcrAuth.authenticate_request", lambda *_: ({}, False))
    assert authenticates_itself(backend)


def test_backend_of_another_class_is_called():
    assert authenticates_itself(Foreign())


# --- How it is asked ----------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
def test_backend_is_called_once_for_a_refusal(status):
    world = World({A: Site(**{"": status, "good": 200})})
    backend = Foreign("good")
    assert send(world, backend, headers={"Accept": "x"}).status == 200
    assert backend.calls == [(status, A + TAGS, {"Accept": "x"}, False)]
    assert [seen.authorization for seen in world.seen] == ["", "good"]
    assert world.seen[1].headers["X-Mutated"] == "1"


def test_backend_is_called_with_refresh_after_a_403():
    world = World({A: Site(old=403, new=200)})
    backend = Foreign("old", "new", "never")
    assert send(world, backend).status == 200
    assert [call[3] for call in backend.calls] == [False, True]
    assert len(world.seen) == 3


def test_second_401_is_final():
    world = World({A: Site()})
    response = send(world, Foreign("wrong", "never"))
    assert (response.status, response.body.read()) == (401, b"said")
    assert len(world.seen) == 2


def test_response_is_kept_whole_if_the_backend_has_no_answer():
    class Reading(Foreign):
        def authenticate_request(self, original, headers, refresh=False):
            assert original.content == b"said"
            return headers, False

    world = World({A: Site()})
    response = send(world, Reading())
    assert (response.status, response.body.read()) == (401, b"said")
    assert len(world.seen) == 1


def test_header_offered_by_the_backend_is_sent_with_the_first_request():
    backend = Foreign()
    backend.offer = "good"
    world = World({A: Site(good=200)})
    assert send(world, backend).status == 200
    assert len(world.seen) == 1


@pytest.mark.parametrize("offer", [None, NotImplementedError, AttributeError])
def test_backend_without_an_offered_header_works(offer):
    class Silent(Foreign):
        def get_auth_header(self):
            if offer is not None:
                raise offer

    assert send(World({A: Site(good=200)}), Silent("good")).status == 200


# --- Only this registry -------------------------------------------------------------------


def test_other_origins_get_no_authorization():
    world, backend = World({A: Site(), STORAGE: Site()}), Foreign("secret")
    backend.offer = "secret"
    send(world, backend, url=f"{STORAGE}/blob")
    assert [seen.authorization for seen in world.seen] == [""]
    assert backend.calls == []


def test_refusal_after_a_redirect_is_not_answered():
    def moved(seen):
        return Reply(307, (("Location", f"{STORAGE}/blob"),))

    world, backend = World({A: moved, STORAGE: Site()}), Foreign("secret")
    patch = pytest.MonkeyPatch()
    with patch.context():
        inhabit(patch, world)
        client = OrasClient()
        client.auth = backend
        assert get(client, f"{A}/v2/app/blobs/sha256:{'0' * 64}") == 401
    patch.undo()
    assert backend.calls == []
    assert {seen.authorization for seen in world.to(STORAGE)} == {""}


def test_header_offered_to_one_registry_is_not_sent_to_another():
    world, backend = World({A: Site(secret=200), B: Site()}), Foreign()
    backend.offer = "secret"
    authorization = BackendAuthorization(backend)
    at_a, at_b = authorization(world, A), authorization(world, B)
    for transport, origin in ((at_a, A), (at_b, B), (at_a, A)):
        transport.send(HttpRequest("GET", origin + TAGS))
    assert [seen.authorization for seen in world.to(A)] == ["secret", "secret"]
    assert [seen.authorization for seen in world.to(B)] == [""]


def test_token_is_sent_only_to_the_registry_it_was_made_for():
    class Keeping(Foreign):
        def authenticate_request(self, original, headers, refresh=False):
            self.offer = "for-a" if original.url.startswith(A) else "for-b"
            return {"Authorization": self.offer}, True

    world = World({A: Site(**{"for-a": 200}), B: Site(**{"for-b": 200})})
    authorization = BackendAuthorization(Keeping())
    at_a, at_b = authorization(world, A), authorization(world, B)
    for transport, origin in ((at_a, A), (at_b, B), (at_b, B), (at_a, A)):
        assert transport.send(HttpRequest("GET", origin + TAGS)).status == 200
    assert [seen.authorization for seen in world.to(A)] == ["", "for-a", "", "for-a"]
    assert [seen.authorization for seen in world.to(B)] == ["", "for-b", "for-b"]


# --- In a client --------------------------------------------------------------------------


@pytest.fixture
def world(monkeypatch):
    found = World({A: BasicSite("alice", "sesame"), B: BasicSite("alice", "sesame")})
    inhabit(monkeypatch, found)
    return found


def test_registered_backend_is_used(monkeypatch, world):
    monkeypatch.setitem(auth_backends, "mine", lambda: Foreign(basic("alice", "sesame")))
    client = OrasClient(auth_backend="mine")
    assert get(client, A + TAGS) == 200
    assert [call[3] for call in client.auth.calls] == [False]


def test_backend_that_extends_a_built_in_one_is_used(world):
    class Own(BasicAuth):
        asked = 0

        def authenticate_request(self, original, headers, refresh=False):
            self.asked += 1
            return super().authenticate_request(original, headers, refresh)

    client = OrasClient(hostname="a.example")
    client.auth = Own()
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 200
    assert client.auth.asked == 0  # the header was offered
    assert get(client, B + TAGS) == 401
    assert client.auth.asked == 1
    assert {seen.authorization for seen in world.to(B)} == {""}


def test_backend_that_sets_its_token_is_used(world):
    class Own(TokenAuth):
        def authenticate_request(self, original, headers, refresh=False):
            assert not hasattr(self, "_basic_auth")
            self.token = "T"
            return {"Authorization": basic("alice", "sesame")}, True

    client = OrasClient()
    client.auth = Own()
    assert get(client, A + TAGS) == 200


def test_login_calls_the_backend(world, monkeypatch):
    client = OrasClient(hostname="a.example")
    client.auth = Foreign()
    store = client.connections.credentials
    with pytest.raises(AuthenticationError):
        client.login("alice", "wrong")
    assert store.get("a.example") is None
    assert client.login("alice", "sesame") == {"Status": "Login Succeeded"}
    assert store.get("a.example").username == "alice"
    client.logout("a.example")
    assert ("logout", "a.example") in client.auth.calls
    assert store.get("a.example") is None


def test_backend_keeps_its_own_hostname():
    class Own(AuthBackend):
        def __init__(self):
            super().__init__()
            self.hostname = "mine.example"

    auth_backends_before = dict(auth_backends)
    auth_backends["own"] = Own
    try:
        assert oras.auth.get_auth_backend("own").hostname == "mine.example"
    finally:
        del auth_backends["own"]
    assert auth_backends == auth_backends_before
