"""The built-in backends: in a client, and used by hand."""

from __future__ import annotations

import base64
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import oras.auth
from oras.auth import AuthenticationException, BasicAuth, TokenAuth, get_auth_backend
from oras.auth import utils as auth_utils
from oras.auth.base import AuthBackend
from oras.client import OrasClient
from oras.container import Container
from oras_core.credentials import StaticCredentials
from oras_core.errors import AuthenticationError, CredentialError, OrasError
from oras_core.ports.credentials import Credential
from support.auth_world import BasicSite, BearerSite, Reply, TokenSite, World, basic
from support.world_client import get, inhabit

SECRETS = ("sesame",)

A, B, TOKENS = "https://a.example", "https://b.example", "https://tokens.example"
ALICE = basic("alice", "sesame")
BEARER = f'Bearer realm="{TOKENS}/token",service="a",scope="repository:app:pull"'
BACKENDS = ["token", "basic", "ecr"]
TAGS = "/v2/app/tags/list"


class Refusal:
    """A response as a backend gets to see it; an address only if there is one."""

    status_code = 401

    def __init__(self, challenge="", url="", field="Www-Authenticate"):
        self.headers = {field: challenge} if challenge else {}
        if url:
            self.url = url


@pytest.fixture
def bearer_world(monkeypatch):
    world = World(
        {A: BearerSite(BEARER), B: BearerSite(BEARER), TOKENS: TokenSite(ALICE, "", expires_in=300)}
    )
    inhabit(monkeypatch, world)
    return world


@pytest.fixture
def basic_world(monkeypatch):
    world = World({A: BasicSite("alice", "sesame"), B: BasicSite("alice", "sesame")})
    inhabit(monkeypatch, world)
    return world


def shown_to(world, origin):
    return {seen.authorization for seen in world.to(origin)}


# --- The package --------------------------------------------------------------------------


def test_importing_auth_imports_no_third_party_library():
    root = Path(oras.auth.__file__).parents[2]
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r}); import oras.auth\n"
        "print({'boto3', 'urllib3', 'requests', 'keyring'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"


def test_unknown_backend_is_an_error_with_its_name():
    with pytest.raises(ValueError, match="Authentication backend nobody is not known"):
        OrasClient(auth_backend="nobody")


def test_backend_gets_the_client_s_settings():
    session = object()
    backend = get_auth_backend("basic", session=session, insecure=True, tls_verify=False)
    assert isinstance(backend, BasicAuth)
    assert (backend.session, backend.prefix, backend._tls_verify) == (session, "http", False)
    assert OrasClient(hostname="a.example").auth.hostname == "a.example"


def test_status_401_raises_authentication_exception(basic_world):
    with pytest.raises(AuthenticationException) as caught:
        OrasClient().get_tags("a.example/app")
    assert isinstance(caught.value, AuthenticationError)
    assert issubclass(AuthenticationException, OrasError)
    assert str(AuthenticationException("why")) == "why"


# --- What a client shows, and to whom -----------------------------------------------------


@pytest.mark.parametrize("backend", BACKENDS)
def test_credential_is_sent_to_one_registry_only(basic_world, backend):
    client = OrasClient(auth_backend=backend)
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 200
    assert get(client, B + TAGS) == 401
    assert shown_to(basic_world, B) == {""}


@pytest.mark.parametrize("backend", BACKENDS)
def test_credential_is_sent_to_the_client_s_hostname(basic_world, backend):
    client = OrasClient(hostname="b.example", auth_backend=backend)
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 401
    assert get(client, B + TAGS) == 200
    assert shown_to(basic_world, A) == {""}


def test_load_configs_binds_the_credential_to_its_container(basic_world):
    client = OrasClient()
    client.auth.set_basic_auth("alice", "sesame")
    client.auth.load_configs(Container("b.example/app"))
    assert get(client, A + TAGS) == 401
    assert get(client, B + TAGS) == 200


@pytest.mark.parametrize("backend", BACKENDS)
def test_credential_from_the_environment_is_used(monkeypatch, basic_world, backend):
    monkeypatch.setenv("ORAS_USER", "alice")
    monkeypatch.setenv("ORAS_PASS", "sesame")
    client = OrasClient(auth_backend=backend)
    assert (client.auth.username, client.auth.password) == ("alice", "sesame")
    assert get(client, A + TAGS) == 200
    monkeypatch.delenv("ORAS_PASS")
    assert OrasClient(auth_backend=backend).auth.username is None


def test_oras_registry_limits_the_environment_credential_to_one_host(monkeypatch, basic_world):
    for name, value in (("USER", "alice"), ("PASS", "sesame"), ("REGISTRY", "b.example")):
        monkeypatch.setenv(f"ORAS_{name}", value)
    client = OrasClient()
    assert get(client, A + TAGS) == 401
    assert get(client, B + TAGS) == 200
    assert shown_to(basic_world, A) == {""}


def test_changed_credential_is_used_for_the_next_request(basic_world):
    client = OrasClient(hostname="a.example")
    assert get(client, A + TAGS) == 401
    client.auth.set_basic_auth("alice", "wrong")
    assert get(client, A + TAGS) == 401
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 200
    client.auth.logout("a.example")
    assert get(client, A + TAGS) == 401


def test_connections_of_replaced_credentials_are_closed(basic_world):
    client = OrasClient(hostname="a.example")
    for number in range(5):
        client.auth.set_basic_auth("alice", f"{number}")
        get(client, A + TAGS)
        get(client, B + TAGS)
    assert len(client.connections._registries) == 2


def test_refused_password_is_not_retried(basic_world):
    client = OrasClient(hostname="a.example")
    client.auth.set_basic_auth("alice", "wrong")
    for _ in range(3):
        assert get(client, A + TAGS) == 401
    assert [s.authorization for s in basic_world.seen].count(basic("alice", "wrong")) == 1


def test_set_token_auth_sends_the_token_unchanged(bearer_world):
    client = OrasClient(hostname="a.example")
    client.auth.set_token_auth("T4")
    assert get(client, A + TAGS) == 200
    assert bearer_world.to(TOKENS) == []
    client.auth.token = None
    assert get(client, B + TAGS) == 200
    assert "Bearer T4" not in shown_to(bearer_world, B)


def test_set_basic_auth_overrides_configuration_files(monkeypatch, basic_world):
    inhabit(monkeypatch, basic_world, StaticCredentials(Credential("other", "x")))
    client = OrasClient(hostname="a.example")
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 200
    assert shown_to(basic_world, A) == {"", ALICE}
    assert get(client, B + TAGS) == 401
    assert shown_to(basic_world, B) == {"", basic("other", "x")}


def test_load_configs_keeps_earlier_files(basic_world, tmp_path, caplog):
    files = [tmp_path / "first.json", tmp_path / "second.json"]
    for file, host in zip(files, ("a.example", "b.example"), strict=True):
        encoded = auth_utils.get_basic_auth("alice", "sesame")
        file.write_text(f'{{"auths": {{"{host}": {{"auth": "{encoded}"}}}}}}')
    client = OrasClient()
    assert (get(client, A + TAGS), get(client, B + TAGS)) == (401, 401)
    client.auth.load_configs(Container("a.example/app"), configs=[str(files[0])])
    assert (get(client, A + TAGS), get(client, B + TAGS)) == (200, 401)
    client.auth.load_configs(Container("b.example/app"), configs=[files[1]])
    assert (get(client, A + TAGS), get(client, B + TAGS)) == (200, 200)
    client.auth.load_configs(Container("b.example/app"), configs=["missing.json"])
    assert "missing.json does not exist." in caplog.text


def test_load_configs_prefers_the_latest_file(basic_world, tmp_path):
    files = [tmp_path / "wrong.json", tmp_path / "right.json"]
    for file, password in zip(files, ("wrong", "sesame"), strict=True):
        encoded = auth_utils.get_basic_auth("alice", password)
        file.write_text(f'{{"auths": {{"a.example": {{"auth": "{encoded}"}}}}}}')
    client = OrasClient()
    for file, status in zip([*files, files[0]], (401, 200, 401), strict=True):
        client.auth.load_configs(Container("a.example/app"), configs=[file])
        assert get(client, A + TAGS) == status


@pytest.mark.parametrize(("backend", "expected"), [("basic", ALICE), ("token", "Bearer T1")])
def test_backend_selects_between_basic_and_bearer_challenges(monkeypatch, backend, expected):
    def site(seen):
        if seen.authorization in (ALICE, "Bearer T1"):
            return Reply(200)
        return Reply(401, (("WWW-Authenticate", f'{BEARER}, Basic realm="r"'),))

    world = World({A: site, TOKENS: TokenSite(ALICE)})
    inhabit(monkeypatch, world)
    client = OrasClient(hostname="a.example", auth_backend=backend)
    client.auth.set_basic_auth("alice", "sesame")
    assert get(client, A + TAGS) == 200
    assert shown_to(world, A) == {"", expected}


@pytest.mark.parametrize("backend", BACKENDS)
def test_repr_shows_no_secret(backend):
    client = OrasClient(auth_backend=backend)
    client.auth.set_basic_auth("alice", "sesame")
    assert "sesame" not in repr(client.auth) + repr(client.auth._given) + repr(
        client.auth._stores()
    )


# --- By hand: Basic -----------------------------------------------------------------------


def test_basic_backend_answers_a_refusal(basic_world):
    auth, headers = BasicAuth(), {"Accept": "x"}
    assert auth.get_auth_header() == {}
    assert auth.authenticate_request(Refusal(), headers) == (headers, False)
    auth.set_basic_auth("alice", "sesame")
    assert auth.get_auth_header() == {"Authorization": ALICE}
    assert auth.authenticate_request(Refusal(), headers) == (
        {"Accept": "x", "Authorization": ALICE},
        True,
    )
    assert headers == {"Accept": "x"}
    auth.logout("a.example")
    assert auth.get_auth_header() == {}
    assert auth.authenticate_request(Refusal(), None) == ({}, False)


def test_basic_backend_answers_one_registry_only(basic_world):
    auth = BasicAuth()
    auth.set_basic_auth("alice", "sesame")
    assert auth.authenticate_request(Refusal(url=A + TAGS), {})[1]
    assert auth.authenticate_request(Refusal(url=B + TAGS), {}) == ({}, False)


def test_basic_backend_loads_the_configured_password(monkeypatch):
    inhabit(monkeypatch, World({}), StaticCredentials({"a.example": Credential("alice", "sesame")}))
    auth = BasicAuth()
    auth.load_configs("a.example/app")
    assert auth.authenticate_request(Refusal(), {}) == ({"Authorization": ALICE}, True)
    assert auth._basic_auth == ALICE.removeprefix("Basic ")
    assert auth._load_auth("a.example")
    assert not auth._load_auth("b.example")
    assert not hasattr(auth, "_basic_auth")


def test_encoded_password_can_be_assigned(basic_world):
    auth = BasicAuth()
    auth._basic_auth = ALICE.removeprefix("Basic ")
    assert auth.username == "alice"
    with pytest.raises(ValueError, match="not the base64") as caught:
        auth._basic_auth = "c2VjcmV0"
    assert "c2VjcmV0" not in str(caught.value)
    auth._basic_auth = None
    assert auth.get_auth_header() == {}


# --- By hand: tokens ----------------------------------------------------------------------


def test_token_backend_keeps_one_token_for_each_scope(bearer_world):
    auth, headers = TokenAuth(), {"Accept": "x"}
    auth.set_basic_auth("alice", "sesame")
    first = auth.authenticate_request(Refusal(BEARER, A + TAGS), headers)
    assert first == ({"Accept": "x", "Authorization": "Bearer T1"}, True)
    assert headers == {"Accept": "x"}
    assert auth.authenticate_request(Refusal(BEARER, A + TAGS), headers) == first
    other = BEARER.replace("repository:app", "repository:other")
    assert auth.authenticate_request(Refusal(other, A + TAGS), {})[0] == {
        "Authorization": "Bearer T2"
    }
    assert shown_to(bearer_world, TOKENS) == {ALICE}
    assert auth.token is None


def test_token_backend_renews_its_token_on_refresh(bearer_world):
    auth = TokenAuth()
    for refresh, token in ((False, "T1"), (False, "T1"), (True, "T2"), (False, "T2")):
        found = auth.authenticate_request(Refusal(BEARER, A + TAGS), {}, refresh=refresh)
        assert found == ({"Authorization": f"Bearer {token}"}, True)


def test_token_backend_asks_for_an_anonymous_token_for_another_registry(bearer_world):
    auth = TokenAuth()
    auth.set_basic_auth("alice", "sesame")
    auth.authenticate_request(Refusal(BEARER, A + TAGS), {})
    auth.authenticate_request(Refusal(BEARER, B + TAGS), {})
    assert [seen.authorization for seen in bearer_world.to(TOKENS)] == [ALICE, ""]


def test_set_token_auth_is_used_before_a_fetched_token(bearer_world):
    auth = TokenAuth()
    auth.set_token_auth("given")
    assert (auth.token, auth.get_auth_header()) == ("given", {"Authorization": "Bearer given"})
    refusal = Refusal(BEARER, A + TAGS)
    assert auth.authenticate_request(refusal, {})[0] == {"Authorization": "Bearer given"}
    assert auth.authenticate_request(refusal, {}, refresh=True)[0] == {"Authorization": "Bearer T1"}
    auth.reset_basic_auth()
    assert (auth.token, auth.get_auth_header()) == (None, {})


def test_token_backend_answers_a_basic_challenge(basic_world):
    auth, refusal = TokenAuth(), Refusal('Basic realm="r"', A + TAGS)
    assert auth.authenticate_request(refusal, {}) == ({}, False)
    auth.set_basic_auth("alice", "sesame")
    assert auth.authenticate_request(refusal, {}) == ({"Authorization": ALICE}, True)


def test_refusal_without_a_challenge_is_not_answered():
    assert TokenAuth().authenticate_request(Refusal(), None) == ({}, False)
    with pytest.raises(NotImplementedError):
        AuthBackend().get_auth_header()


def test_refused_token_request_is_logged(monkeypatch, caplog):
    inhabit(monkeypatch, World({TOKENS: TokenSite(basic("nobody", "x"))}))
    auth = TokenAuth()
    auth.set_basic_auth("alice", "sesame")
    for _ in range(2):
        assert auth.authenticate_request(Refusal(BEARER, A + TAGS), {}) == ({}, False)
    assert "This endpoint requires a token." in caplog.text
    assert "sesame" not in caplog.text


@pytest.mark.parametrize(
    "realm",
    ["http://tokens.example/token", "https://127.0.0.1/token", "file:///etc/passwd", "//u@h/"],
)
def test_no_request_is_sent_to_an_unsafe_realm(bearer_world, realm):
    auth = TokenAuth()
    auth.set_basic_auth("alice", "sesame")
    challenge = f'Bearer realm="{realm}",service="a"'
    assert auth.authenticate_request(Refusal(challenge, A + TAGS), {}) == ({}, False)
    auth = TokenAuth()
    auth.load_configs("a.example/app")
    assert auth.request_token(auth_utils.parse_auth_header(challenge)) is None
    assert bearer_world.seen == []


def test_relative_realm_is_resolved_against_the_registry(monkeypatch):
    world = World({A: TokenSite(ALICE)})
    inhabit(monkeypatch, world)
    auth = TokenAuth()
    auth.set_basic_auth("alice", "sesame")
    refusal = Refusal('Bearer realm="/token",service="a"', A + TAGS, field="WWW-Authenticate")
    assert auth.authenticate_request(refusal, {})[1]
    assert [seen.path for seen in world.seen] == ["/token"]


def test_realm_without_scheme_uses_https(bearer_world):
    h = auth_utils.authHeader({"realm": "tokens.example/token", "service": "a"})
    assert TokenAuth().request_token(h) == "T1"
    assert TokenAuth().request_anonymous_token(h) == "T2"
    assert AuthBackend().request_anonymous_token(h, {"Accept": "x"}) == (
        {"Accept": "x", "Authorization": "Bearer T3"},
        True,
    )
    assert AuthBackend().request_anonymous_token(auth_utils.authHeader({}), {}) == ({}, False)


def test_token_backend_uses_the_session_it_was_given():
    class Session:
        def __init__(self):
            self.urls = []

        def request(self, method, url, **arguments):
            self.urls.append((method, url, arguments["verify"]))
            return Answer()

    class Answer:
        status_code, headers, url = 200, {"Content-Type": "application/json"}, ""

        def iter_content(self, size):
            yield b'{"token": "from-the-session"}'

    session = Session()
    auth = get_auth_backend("token", session=session, tls_verify="ca.pem")
    auth.load_configs("a.example/app")
    assert auth.request_anonymous_token(auth_utils.parse_auth_header(BEARER)) == "from-the-session"
    ((method, url, verify),) = session.urls
    assert (method, verify) == ("GET", "ca.pem")
    assert url.startswith(f"{TOKENS}/token?service=a&scope=")


# --- Helpers ------------------------------------------------------------------------------


def test_basic_backend_asks_a_credential_helper(tmp_path, monkeypatch, caplog):
    helper = tmp_path / "docker-credential-fake"
    answer = '{"Username": "alice", "Secret": "sesame"}'
    helper.write_text(f"#!/bin/sh\nread host\n[ \"$host\" = a.example ] && echo '{answer}'\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = AuthBackend()._get_auth_from_creds_store("fake", "a.example")
    assert base64.b64decode(found) == b"alice:sesame"
    assert AuthBackend()._get_auth_from_creds_store("missing", "a.example") is None
    assert AuthBackend()._get_auth_from_creds_store("../evil", "a.example") is None
    assert "docker-credential-missing" in caplog.text


def test_logout_logs_its_result(caplog):
    caplog.set_level(logging.INFO, "oras")
    auth = TokenAuth()
    auth.keep("localhost:5000", Credential("alice", "sesame"))
    auth.logout("127.0.0.1:5000")
    auth.logout("127.0.0.1:5000")
    assert [record.getMessage() for record in caplog.records] == [
        "You have successfully logged out of 127.0.0.1:5000",
        "You are not logged in to 127.0.0.1:5000",
    ]


# --- oras.auth.utils ----------------------------------------------------------------------


def test_load_configs_merges_files_in_order(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text(
        '{"auths": {"a": {"auth": "own"}, "b": {}}, "credsStore": "own", "credHelpers": {"c": "d"}}'
    )
    (tmp_path / "given.json").write_text('{"auths": {"a": {"auth": "given"}}}')
    given = [str(tmp_path / "given.json"), "missing.json"]
    assert auth_utils.load_configs(given) == {
        "auths": {"a": {"auth": "given"}, "b": {}},
        "credsStore": "own",
        "credHelpers": {"c": "d"},
    }
    assert len(given) == 2
    assert "missing.json does not exist." in caplog.text


@pytest.mark.parametrize("content", ["secret, no JSON", "[]"])
def test_invalid_configuration_error_names_the_file_without_its_secrets(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(CredentialError, match=r"config\.json") as caught:
        auth_utils.load_configs([path])
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (BEARER, ("a", f"{TOKENS}/token", "repository:app:pull")),
        (f'Basic realm="r", {BEARER}', ("a", f"{TOKENS}/token", "repository:app:pull")),
        (
            'Basic realm="https://x/",service="ecr.amazonaws.com"',
            ("ecr.amazonaws.com", "https://x/", None),
        ),
        ("Negotiate", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_authentication_headers(raw, expected):
    header = auth_utils.parse_auth_header(raw)
    assert (header.service, header.realm, header.scope) == expected
    assert repr(header).startswith("authHeader(lookup={'service': ")


def test_another_thread_that_uses_another_registry_does_not_change_the_credential(monkeypatch):
    backend = TokenAuth()
    store = StaticCredentials(
        {"a.example": Credential("alice", "sesame"), "b.example": Credential("bob", "sesame")}
    )

    def configured():
        backend.load_configs("b.example/app:v1")
        return store

    monkeypatch.setattr(oras.auth.base, "configured", configured)
    found = backend.known_at(A)
    assert found is not None
    assert found.username == "alice"
