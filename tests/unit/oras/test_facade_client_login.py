"""`login` and `logout` of a client, in a world in memory."""

from __future__ import annotations

import io
import json
import logging

import pytest

from oras.client import OrasClient
from oras_core.credentials import StaticCredentials
from oras_core.errors import AuthenticationError, CredentialError, RegistryError
from oras_core.ports.credentials import Credential
from oras_core.registry.registry import RemoteRegistry
from oras_core.verbs import login as verbs
from support.auth_world import BasicSite, BearerSite, Reply, TokenSite, World, basic
from support.world_client import get, inhabit

SECRETS = ("sesame", "guess")

A, B, TOKENS, HUB = (
    "https://a.example",
    "https://b.example",
    "https://tokens.example",
    "https://registry-1.docker.io",
)
ALICE = Credential("alice", "sesame")
SUCCESS = {"Status": "Login Succeeded"}
TAGS = "/v2/app/tags/list"


@pytest.fixture
def world():
    return World(
        {
            A: BasicSite("alice", "sesame"),
            "http://a.example": BasicSite("alice", "sesame"),
            "http://localhost:5000": BasicSite("alice", "sesame"),
            B: BearerSite(f'Bearer realm="{TOKENS}/token",service="b"'),
            TOKENS: TokenSite(basic("alice", "sesame")),
            HUB: BasicSite("alice", "sesame"),
            "https://open.example": lambda _: Reply(200),
            "https://web.example": lambda _: Reply(404),
        }
    )


@pytest.fixture
def store(monkeypatch, world):
    return inhabit(monkeypatch, world)


@pytest.fixture
def client(store):
    return OrasClient()


# --- Logging in ---------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["a.example", "b.example", "open.example"])
def test_accepted_login_is_stored(client, store, host):
    assert client.login("alice", "sesame", hostname=host) == SUCCESS
    assert store.get(host) == ALICE
    assert client.auth.username == "alice"
    assert client.hostname is None


@pytest.mark.parametrize("host", ["a.example", "b.example"])
def test_refused_login_is_not_stored(client, store, host):
    with pytest.raises(AuthenticationError) as caught:
        client.login("alice", "guess", hostname=host)
    assert isinstance(caught.value, ValueError)
    assert "guess" not in str(caught.value)
    assert store.get(host) is None
    assert client.auth.username is None


def test_refused_login_keeps_the_earlier_credential(client, store):
    client.login("alice", "sesame", hostname="a.example")
    with pytest.raises(AuthenticationError):
        client.login("alice", "guess", hostname="a.example")
    assert store.get("a.example") == ALICE
    assert get(client, A + TAGS) == 200


def test_login_to_a_web_server_stores_nothing(client, store):
    with pytest.raises(RegistryError):
        client.login("alice", "sesame", hostname="web.example")
    assert store.get("web.example") is None


def test_login_sends_the_credential_to_one_registry_only(client, world):
    client.login("alice", "sesame", hostname="a.example")
    assert get(client, HUB + TAGS) == 401
    assert {seen.authorization for seen in world.to(HUB)} == {""}


def test_login_uses_the_client_s_hostname_by_default(store):
    client = OrasClient(hostname="a.example")
    client.login("alice", "sesame")
    assert store.get("a.example") == ALICE
    client.login("alice", "sesame", hostname="b.example")
    assert store.get("b.example") == ALICE


def test_login_without_a_registry_asks_and_stores_nothing(client, store, world, caplog):
    caplog.set_level(logging.INFO, "oras")
    assert client.login(password="sesame", username="alice", insecure=True) == SUCCESS
    assert world.seen == []
    assert store.get("docker.io") is None
    assert "kept in memory for the first registry used" in caplog.text
    assert get(client, A + TAGS) == 200
    assert get(client, HUB + TAGS) == 401
    assert {seen.authorization for seen in world.to(HUB)} == {""}


@pytest.mark.parametrize(
    ("called", "kept"),
    [
        ("https://a.example", "a.example"),
        ("a.example/", "a.example"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
    ],
)
def test_login_accepts_docker_s_names_of_a_registry(client, store, called, kept):
    client.login("alice", "sesame", hostname=called)
    assert store.get(kept) == ALICE
    client.logout(called)
    assert store.get(kept) is None


@pytest.mark.parametrize(
    ("insecure", "host", "scheme"),
    [
        (None, "a.example", "https"),
        (False, "a.example", "https"),
        (True, "a.example", "http"),
        (None, "localhost:5000", "http"),
    ],
)
def test_login_has_its_own_insecure_argument(client, world, insecure, host, scheme):
    client.login("alice", "sesame", hostname=host, insecure=insecure)
    assert {seen.url for seen in world.seen} == {f"{scheme}://{host}/v2/"}
    assert client.prefix == "https"


@pytest.mark.parametrize(("own", "asked", "used"), [(True, "ca.pem", "ca.pem"), ("x", True, "x")])
def test_login_has_its_own_tls_verify_argument(monkeypatch, world, own, asked, used):
    inhabit(monkeypatch, world)
    trusted = []
    import oras._client.connections

    compose = oras._client.connections.composition_for
    monkeypatch.setattr(
        "oras._client.connections.composition_for",
        lambda verify, _: trusted.append(verify) or compose(verify),
    )
    client = OrasClient(tls_verify=own)
    client.login("alice", "sesame", hostname="a.example", tls_verify=asked)
    assert used in trusted
    assert client.tls_verify == own


def test_login_stores_into_the_file_it_is_given(client, store, tmp_path):
    path = tmp_path / "folder" / "config.json"
    client.login("alice", "sesame", hostname="a.example", config_path=path)
    assert list(json.loads(path.read_text())["auths"]) == ["a.example"]
    assert store.get("a.example") is None
    assert get(client, A + TAGS) == 200
    client.logout("a.example", config_path=str(path))
    assert json.loads(path.read_text())["auths"] == {}


def test_login_raises_if_its_file_cannot_be_written(client, tmp_path):
    path = tmp_path / "config.json"
    path.write_text("no JSON")
    with pytest.raises(CredentialError):
        client.login("alice", "sesame", hostname="a.example", config_path=path)
    assert client.auth.username is None
    assert path.read_text() == "no JSON"


def test_login_with_a_wrong_password_fails_after_an_earlier_login(store):
    class Client(OrasClient):
        def do_request(self, *arguments, **options):
            return super().do_request(*arguments, **options)

    client = Client()
    client.login("alice", "sesame", hostname="a.example")
    with pytest.raises(AuthenticationError):
        client.login("alice", "guess", hostname="a.example")
    assert store.get("a.example") == ALICE


# --- Asking -------------------------------------------------------------------------------


@pytest.fixture
def terminal(monkeypatch):
    """What is typed: the user name with echo, the password without."""
    typed = {"Username: ": "alice", "Password: ": "sesame"}
    asked = []

    def answer(prompt):
        asked.append(prompt)
        return typed[prompt]

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("oras._client.login.getpass", answer)
    return typed, asked


def test_login_prompts_for_a_missing_name_and_password(client, store, terminal):
    _, asked = terminal
    assert client.login("", "", hostname="a.example") == SUCCESS
    assert client.login(hostname="a.example") == SUCCESS
    assert client.login("alice", "", hostname="a.example") == SUCCESS
    assert asked == ["Username: ", "Password: ", "Username: ", "Password: ", "Password: "]
    assert store.get("a.example") == ALICE


def test_login_refuses_an_empty_password(client, terminal, world):
    typed, _ = terminal
    typed["Password: "] = ""
    with pytest.raises(ValueError, match="password required"):
        client.login("alice", "", hostname="a.example")
    assert world.seen == []


def test_login_without_a_user_name_sends_nothing(client, terminal, world):
    typed, _ = terminal
    typed["Username: "] = ""
    assert client.login("", "sesame", hostname="a.example") == {"Login": "Not successful"}
    assert world.seen == []


def test_login_reads_the_password_from_standard_input(client, store, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("sesame\nmore\n"))
    assert client.login("alice", "", password_stdin=True, hostname="a.example") == SUCCESS
    assert store.get("a.example") == ALICE


# --- Logging out --------------------------------------------------------------------------


def messages(caplog):
    return [record.getMessage() for record in caplog.records if "logged" in record.getMessage()]


def test_logout_removes_the_credential_and_logs_its_result(client, store, caplog):
    caplog.set_level(logging.INFO, "oras")
    client.login("alice", "sesame", hostname="a.example")
    client.logout("a.example")
    assert store.get("a.example") is None
    assert get(client, A + TAGS) == 401
    client.logout("a.example")
    assert messages(caplog) == [
        "You have successfully logged out of a.example",
        "You are not logged in to a.example",
    ]


@pytest.mark.parametrize(
    ("at", "out"),
    [("localhost:5000", "127.0.0.1:5000"), ("127.0.0.1:5000", "localhost:5000")],
)
def test_logout_removes_both_names_of_localhost(client, store, at, out, caplog):
    caplog.set_level(logging.INFO, "oras")
    store.put(at, ALICE)
    client.logout(out)
    assert store.get(at) is None
    assert messages(caplog) == [f"You have successfully logged out of {out}"]


def test_logout_keeps_credentials_of_other_registries(store, caplog):
    # As in the user guide: logged in to one, logged out of another.
    caplog.set_level(logging.INFO, "oras")
    client = OrasClient(hostname="a.example")
    client.login(password="sesame", username="alice")
    client.logout("localhost:5000")
    assert messages(caplog) == ["You are not logged in to localhost:5000"]
    assert store.get("a.example") == ALICE
    assert get(client, A + TAGS) == 200


def test_logout_removes_a_credential_not_yet_bound_to_a_registry(client, caplog):
    client.login("alice", "sesame")
    client.logout("localhost:5000")
    assert get(client, A + TAGS) == 401


def test_logout_removes_credentials_from_the_given_files(client, store, tmp_path):
    path = tmp_path / "config.json"
    client.login("alice", "sesame", hostname="a.example", config_path=path)
    later = OrasClient()
    later.auth.load_configs(later.get_container("a.example/app"), configs=[path])
    later.logout("a.example")
    assert json.loads(path.read_text())["auths"] == {}


# --- The verbs of the core ----------------------------------------------------------------


def registry(world, credential):
    return RemoteRegistry("a.example", world, credentials=StaticCredentials(credential))


def test_core_login_and_logout_report_their_result(world):
    store = StaticCredentials({})
    with pytest.raises(AuthenticationError):
        verbs.login(registry(world, Credential("alice", "guess")), ALICE, store)
    assert store.get("a.example") is None
    verbs.login(registry(world, ALICE), ALICE, store)
    assert store.get("a.example") == ALICE
    assert verbs.logout(store, ["a.example", "b.example"])
    assert not verbs.logout(store, ["a.example", "b.example"])
