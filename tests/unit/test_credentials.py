"""R11, R12: names of registries, and stores in memory."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from oras_core.credentials import (
    ChainedCredentialStore,
    NoCredentials,
    RememberingCredentialStore,
    RoutedCredentialStore,
    StaticCredentials,
    SuccessorCredentialStore,
    config_key,
    key_forms,
    registry_keys,
)
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential

ALICE = Credential("alice", "a-secret")
BOB = Credential("bob", "b-secret")
SECRETS = ("a-secret", "b-secret", "very-secret")
HUB_KEY = "https://index.docker.io/v1/"


class Broken:
    def __init__(self):
        self.deleted = []

    def get(self, registry):
        raise CredentialError("read", "broken store", "it is broken")

    def put(self, registry, credential):
        raise CredentialError("write", "broken store", "it is broken")

    def delete(self, registry):
        raise CredentialError("erase", "broken store", "it is broken")


# --- Keys ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("registry", "key"),
    [
        ("ghcr.io", "ghcr.io"),
        ("localhost:5000", "localhost:5000"),
        ("GHCR.io", "ghcr.io"),
        ("ghcr.io/team", "ghcr.io/team"),
        ("docker.io", HUB_KEY),
        ("index.docker.io", HUB_KEY),
        ("registry-1.docker.io", HUB_KEY),
        ("registry-1.docker.io/library/alpine", "docker.io/library/alpine"),
    ],
)
def test_storage_key_of_a_registry(registry, key):
    assert config_key(registry) == key
    assert registry_keys(registry)[0] == key


def test_lookup_keys_go_from_the_longest_path_to_the_host():
    keys = registry_keys("quay.io/team/group/app")
    assert keys[:4] == ("quay.io/team/group/app", "quay.io/team/group", "quay.io/team", "quay.io")
    assert set(keys[3:]) == set(key_forms("quay.io"))


def test_host_is_found_in_every_spelling():
    forms = key_forms("ghcr.io")
    for form in ("https://ghcr.io", "https://ghcr.io/v1/", "http://ghcr.io/", "ghcr.io/v2/"):
        assert form in forms
    assert "ghcr.io/v1" not in forms  # that is a repository
    assert len(set(forms)) == len(forms)


def test_docker_hub_is_found_by_all_its_names():
    forms = registry_keys("docker.io/library/alpine")
    assert forms[:3] == ("docker.io/library/alpine", "docker.io/library", HUB_KEY)
    for form in ("docker.io", "https://registry-1.docker.io", "index.docker.io"):
        assert form in forms
    assert len(set(forms)) == len(forms)


# --- Stores -------------------------------------------------------------------------------


def test_static_credential_for_all_registries():
    store = StaticCredentials(ALICE)
    assert store.get("a.example") == ALICE
    assert store.get("docker.io/library/alpine") == ALICE
    store.put("b.example", BOB)
    assert store.get("b.example/x") == BOB
    store.delete("a.example")
    assert store.get("a.example/x") is None
    assert store.get("c.example") == ALICE


@pytest.mark.parametrize("key", ["docker.io", "index.docker.io", "registry-1.docker.io"])
def test_static_credentials_per_registry(key):
    store = StaticCredentials({key: ALICE, "ghcr.io/team": BOB})
    assert store.get("docker.io/library/alpine") == ALICE
    assert store.get("ghcr.io/team/app") == BOB
    assert store.get("ghcr.io") is None


def test_changes_do_not_affect_the_given_mapping():
    given = {"a.example": ALICE}
    store = StaticCredentials(given)
    store.put("b.example", BOB)
    store.delete("a.example")
    assert given == {"a.example": ALICE}


def test_no_credentials_is_read_only():
    store = NoCredentials()
    assert store.get("a.example") is None
    store.delete("a.example")
    with pytest.raises(CredentialError):
        store.put("a.example", ALICE)


def test_first_store_with_a_credential_is_used():
    empty = StaticCredentials({"b.example": Credential()})
    chain = ChainedCredentialStore(
        [NoCredentials(), empty, StaticCredentials({"b.example": BOB}), StaticCredentials(ALICE)]
    )
    assert chain.get("b.example") == BOB
    assert chain.get("a.example") == ALICE
    assert ChainedCredentialStore([]).get("a.example") is None


def test_a_broken_store_is_not_skipped():
    chain = ChainedCredentialStore([NoCredentials(), Broken(), StaticCredentials(ALICE)])
    with pytest.raises(CredentialError, match="broken store"):
        chain.get("a.example")


def test_put_writes_into_the_first_store():
    first, second = StaticCredentials({}), StaticCredentials({})
    ChainedCredentialStore([first, second]).put("a.example", ALICE)
    assert first.get("a.example") == ALICE
    assert second.get("a.example") is None
    with pytest.raises(CredentialError):
        ChainedCredentialStore([NoCredentials(), second]).put("a.example", ALICE)
    with pytest.raises(CredentialError):
        ChainedCredentialStore([]).put("a.example", ALICE)


def test_delete_reaches_every_store_behind_a_broken_one_too():
    first, last = StaticCredentials({"a.example": ALICE}), StaticCredentials({"a.example": BOB})
    chain = ChainedCredentialStore([first, Broken(), last])
    with pytest.raises(CredentialError, match="erase"):
        chain.delete("a.example")
    assert first.get("a.example") is None
    assert last.get("a.example") is None


@pytest.mark.parametrize("secret", ["password", "identity_token", "registry_token"])
def test_no_secret_shows(secret):
    credential = Credential("alice", **{secret: "very-secret"})
    for shown in (credential, StaticCredentials(credential), StaticCredentials({"a": credential})):
        assert "very-secret" not in repr(shown)
        assert "very-secret" not in str(shown)


# --- Remembering --------------------------------------------------------------------------


class Counting(StaticCredentials):
    def __init__(self, *failures):
        super().__init__({"r.example": ALICE})
        self.failures, self.asked = list(failures), []

    def get(self, registry):
        self.asked.append(registry)
        if self.failures:
            raise self.failures.pop()
        return super().get(registry)


def test_lookups_are_cached_per_host():
    slow = Counting()
    store = RememberingCredentialStore(slow)
    for name in ("r.example", "r.example/a", "R.example/b", "other.example/a", "other.example"):
        store.get(name)
    assert slow.asked == ["r.example", "other.example/a"]
    store.refresh("r.example/c")
    assert store.get("r.example") == ALICE
    assert slow.asked[2:] == ["r.example"]


def test_failed_lookups_are_not_cached():
    slow = Counting(CredentialError("read", "helper", "it is locked"))
    store = RememberingCredentialStore(slow)
    with pytest.raises(CredentialError):
        store.get("r.example")
    assert store.get("r.example") == ALICE


def test_threads_that_wait_for_a_failed_lookup_repeat_it():
    entered, go_on = threading.Event(), threading.Event()

    class Failing(Counting):
        def get(self, registry):
            if not entered.is_set():
                entered.set()
                assert go_on.wait(20)
                raise CredentialError("read", "helper", "it is locked")
            return super().get(registry)

    store = RememberingCredentialStore(Failing())
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(store.get, "r.example")
        assert entered.wait(20)
        second = threads.submit(store.get, "r.example")
        go_on.set()
        assert isinstance(first.exception(20), CredentialError)
        assert second.result(20) == ALICE


def test_a_refusal_reaches_a_cache_behind_other_stores():
    slow = Counting()
    remembering = RememberingCredentialStore(slow)
    routed = RoutedCredentialStore(lambda _: SuccessorCredentialStore(remembering, NoCredentials()))
    store = ChainedCredentialStore([StaticCredentials({}), routed])
    for _ in range(2):
        assert store.get("r.example/a") == ALICE
    store.refresh("r.example/a")
    assert store.get("r.example/a") == ALICE
    assert len(slow.asked) == 2


def test_successor_store_moves_credentials_on_put():
    new, old = StaticCredentials({}), StaticCredentials({"r.example": BOB})
    store = SuccessorCredentialStore(new, old)
    assert store.get("r.example") == BOB
    store.put("r.example", ALICE)
    assert (new.get("r.example"), old.get("r.example")) == (ALICE, None)
    old.put("r.example", BOB)
    store.delete("r.example")
    assert (new.get("r.example"), old.get("r.example")) == (None, None)
