"""Which store the factory makes of which configuration, and how often a slow one is asked."""

from __future__ import annotations

import base64
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_adapters.factory import compose
from oras_adapters.settings.settings import CredentialSettings, EnvironmentCredential, Settings
from oras_core.credentials import StaticCredentials
from oras_core.errors import AuthenticationError, CredentialError
from oras_core.ports.credentials import Credential
from oras_core.testing import EmbeddedRegistry
from oras_core.verbs import login
from support.credential_helpers import make_helper

SECRETS = ("open sesame", "swordfish", "from-the-file")
ALICE = Credential("alice", "open sesame")
BOB = Credential("bob", "swordfish")
HOST = "registry.example"


def encoded(username, password):
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.fixture
def helper(tmp_path, monkeypatch):
    """A helper `working` on the PATH; gives its entries and the actions that it was started for."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    program = make_helper(tmp_path, "working")

    class Helper:
        @property
        def entries(self):
            path = program.with_name(program.name + ".json")
            return json.loads(path.read_text()) if path.exists() else {}

        @property
        def actions(self):
            path = program.with_name(program.name + ".log")
            lines = path.read_text().splitlines() if path.exists() else []
            return [json.loads(line)[0] for line in lines]

    return Helper()


@pytest.fixture
def docker(tmp_path):
    return tmp_path / "config.json"


def settings(docker="", **options):
    own = {"stores": ("docker",), "docker_config": str(docker), **options}
    return Settings(credentials=CredentialSettings(**own))


def store_of(docker="", **options):
    return compose(settings(docker, **options)).credentials


def log_in(composition, credential=ALICE):
    trial = composition.registry_over(
        EmbeddedRegistry(users={credential.username: credential.password}),
        HOST,
        credentials=StaticCredentials(credential),
    )
    login.login(trial, credential, composition.credentials)


# --- Helpers that a configuration names ---------------------------------------------------


@pytest.mark.parametrize("named", [{"credHelpers": {HOST: "working"}}, {"credsStore": "working"}])
def test_login_and_logout_use_the_configured_helper(docker, helper, named):
    docker.write_text(json.dumps(named))
    with compose(settings(docker)) as composition:
        log_in(composition)
        assert helper.entries == {
            HOST: {"ServerURL": HOST, "Username": "alice", "Secret": "open sesame"}
        }
        assert json.loads(docker.read_text()) == named
        assert composition.credentials.get(f"{HOST}/team/app") == ALICE
        assert login.logout(composition.credentials, [HOST])
        assert helper.entries == {}
        assert not login.logout(composition.credentials, [HOST])


def test_helper_of_a_registry_overrides_the_default_helper(docker, helper, tmp_path):
    make_helper(tmp_path, "other")
    docker.write_text(json.dumps({"credsStore": "other", "credHelpers": {HOST: "working"}}))
    store = store_of(docker)
    store.put(HOST, ALICE)
    store.put("elsewhere.example", BOB)
    assert list(helper.entries) == [HOST]
    others = json.loads((tmp_path / "docker-credential-other.json").read_text())
    assert list(others) == ["elsewhere.example"]


def test_password_in_the_file_is_used_last_and_removed_by_a_login(docker, helper):
    document = {
        "credsStore": "working",
        "auths": {HOST: encoded("old", "from-the-file"), "b.example": encoded("b", "swordfish")},
    }
    docker.write_text(json.dumps(document))
    store = store_of(docker)
    assert store.get(HOST).username == "old"
    store.put(HOST, ALICE)
    assert store.get(HOST) == ALICE
    assert list(json.loads(docker.read_text())["auths"]) == ["b.example"]
    store.delete("b.example")
    assert json.loads(docker.read_text()) == {"credsStore": "working", "auths": {}}


def test_helper_configured_later_is_used(docker, helper):
    store = store_of(docker)
    store.put(HOST, BOB)
    docker.write_text(json.dumps({**json.loads(docker.read_text()), "credsStore": "working"}))
    store.put(HOST, ALICE)
    assert list(helper.entries) == [HOST]
    assert json.loads(docker.read_text())["auths"] == {}


@pytest.mark.parametrize("name", ["../evil", "a b", "/bin/sh", "x;y"])
def test_helper_name_in_a_file_starts_no_other_program(docker, name):
    docker.write_text(json.dumps({"credsStore": name}))
    with pytest.raises(CredentialError, match="its name may hold letters"):
        store_of(docker).get(HOST)


# --- Slow stores --------------------------------------------------------------------------


@pytest.fixture(params=["file", "name"])
def slow(request, docker, helper):
    """The helper, as a configuration names it and as a setting does."""
    if request.param == "name":
        return store_of(stores=("helper:working",))
    docker.write_text(json.dumps({"credsStore": "working"}))
    return store_of(docker)


def test_helper_is_started_once_per_host(slow, helper):
    assert slow.get(HOST) is None
    for name in ("a", "b/c", "d"):
        assert slow.get(f"{HOST}/{name}") is None
    assert helper.actions == ["get"]
    slow.put(HOST, ALICE)
    assert [slow.get(f"{HOST}/{name}") for name in "abc"] == [ALICE] * 3
    assert helper.actions == ["get", "store", "get"]
    slow.get("other.example")
    assert helper.actions[3:] == ["get"]
    slow.delete(HOST)
    assert slow.get(HOST) is None
    assert helper.actions[4:] == ["erase", "get"]


def test_helper_is_started_again_after_a_refusal(slow, helper):
    slow.put(HOST, BOB)
    assert slow.get(HOST) == BOB
    registry = EmbeddedRegistry(users={"alice": "open sesame"})
    remote = compose(settings()).registry_over(registry, HOST, credentials=slow)
    # Another program logs in again.
    store_of(stores=("helper:working",)).put(HOST, ALICE)
    remote.ping()
    assert helper.actions == ["store", "get", "store", "get"]


def test_failed_helper_is_started_again(tmp_path, helper, slow):
    program = tmp_path / "docker-credential-working"
    working = program.read_text()
    make_helper(tmp_path, "working", "import sys; print('locked'); sys.exit(1)")
    with pytest.raises(CredentialError, match="locked"):
        slow.get(HOST)
    program.write_text(working)
    assert slow.get(HOST) is None


# --- Podman -------------------------------------------------------------------------------


def podman(tmp_path, **documents):
    """Write podman's files; return the settings of a store over them."""
    paths = {name: tmp_path / f"{name}.json" for name in ("primary", "fallback", "docker")}
    for name, auths in documents.items():
        paths[name].write_text(json.dumps({"auths": auths}))
    return {
        "auth_file": str(paths["primary"]),
        "auth_file_fallbacks": (str(paths["fallback"]),),
        "docker": paths["docker"],
    }


def test_podman_s_files_are_read_in_order_and_the_first_is_written(tmp_path):
    files = podman(
        tmp_path,
        fallback={HOST: encoded("fallback", "x"), "b.example": encoded("fallback", "x")},
        docker={"b.example": encoded("docker", "x"), "c.example": encoded("docker", "x")},
    )
    store = store_of(stores=("podman",), **files)
    assert [store.get(host).username for host in (HOST, "b.example", "c.example")] == [
        "fallback",
        "fallback",
        "docker",
    ]
    store.put(HOST, ALICE)
    assert store.get(HOST) == ALICE
    written = json.loads((tmp_path / "primary.json").read_text())
    assert list(written["auths"]) == [HOST]
    store.delete(HOST)
    assert store.get(HOST) is None


def test_docker_s_file_is_read_once_if_it_is_also_a_separate_store(tmp_path, helper):
    files = podman(tmp_path)
    files["docker"].write_text(json.dumps({"credsStore": "working"}))
    store = store_of(stores=("docker", "podman"), **files)
    assert store.get(HOST) is None
    assert helper.actions == ["get"]


def test_given_file_replaces_podman_s_default_files(tmp_path):
    files = podman(tmp_path, docker={HOST: encoded("docker", "x")})
    store = store_of(stores=("podman",), **{**files, "auth_file_fallbacks": ()})
    assert store.get(HOST) is None


def test_podman_store_without_a_path_is_read_only():
    store = store_of(stores=("podman",))
    assert store.get(HOST) is None
    with pytest.raises(CredentialError, match="read-only"):
        store.put(HOST, ALICE)


# --- The environment ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "registry", "credential"),
    [
        (EnvironmentCredential("alice", "open sesame"), HOST, ALICE),
        (EnvironmentCredential("alice", "open sesame", registry=HOST), f"{HOST}/team/app", ALICE),
        (EnvironmentCredential("alice", "open sesame", registry="b.example"), HOST, None),
        (EnvironmentCredential("alice", "open sesame", registry="docker.io"), "docker.io", ALICE),
        (EnvironmentCredential(token="swordfish"), HOST, Credential(registry_token="swordfish")),
        (EnvironmentCredential(), HOST, None),
    ],
)
def test_credential_of_the_environment_is_used(environment, registry, credential):
    own = Settings(credentials=CredentialSettings(stores=("environment",)), environment=environment)
    store = compose(own).credentials
    assert store.get(registry) == credential
    # To the first that asked, or the one named: not to a second.
    assert store.get("second.example") is None
    with pytest.raises(CredentialError):
        store.put(HOST, ALICE)


def test_environment_is_first_in_a_chain_and_read_only(docker):
    own = Settings(
        credentials=CredentialSettings(stores=("environment", "docker"), docker_config=str(docker)),
        environment=EnvironmentCredential("alice", "open sesame", registry=HOST),
    )
    store = compose(own).credentials
    store.put(HOST, BOB)
    assert store.get(HOST) == ALICE
    assert list(json.loads(docker.read_text())["auths"]) == [HOST]


# --- Threads ------------------------------------------------------------------------------


def test_threads_share_one_helper_start(docker, helper):
    docker.write_text(json.dumps({"credsStore": "working"}))
    store = store_of(docker)
    together = threading.Barrier(8)

    def ask(number):
        together.wait(30)
        return store.get(f"{HOST}/repository{number}")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(8))) == [None] * 8
    assert helper.actions == ["get"]


@pytest.mark.parametrize(
    ("helped", "place"), [({HOST: "working"}, "docker-credential-working"), ({}, "config.json")]
)
def test_a_401_names_the_program_or_the_file_that_was_asked(helper, docker, helped, place):
    docker.write_text(json.dumps({"credHelpers": helped}))
    registry = EmbeddedRegistry(users={"alice": "open sesame"})
    with compose(settings(docker)) as composition, pytest.raises(AuthenticationError) as caught:
        composition.registry_over(registry, HOST).ping()
    assert f"no credential for {HOST} was found in " in caught.value.explanation
    assert place in caught.value.explanation
