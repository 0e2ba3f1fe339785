"""To which registry a credential belongs that a program hands in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from oras.auth.given import BackendCredentials, GivenCredentials
from oras_core.credentials import NoCredentials, StaticCredentials
from oras_core.ports.credentials import Credential
from oras_core.testing.contracts.credentials import CredentialStoreContract

SECRETS = ("sesame", "swordfish")

ALICE = Credential("alice", "sesame")
BOB = Credential("bob", "swordfish")


class TestGivenCredentials(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return GivenCredentials()


class TestBackendCredentials(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return BackendCredentials(lambda: (GivenCredentials(),), StaticCredentials({}))


@pytest.fixture
def given():
    return GivenCredentials()


def test_given_credential_is_bound_to_the_first_host_that_asks(given):
    given.give(ALICE)
    assert given.get("a.example/team/app") == ALICE
    assert given.get("b.example") is None
    assert given.get("a.example") == ALICE


def test_given_credential_is_bound_to_the_claimed_host(given):
    given.give(ALICE)
    given.claim("a.example")
    assert given.get("b.example") is None
    assert given.get("a.example") == ALICE


def test_given_credential_is_bound_to_the_home_host(given):
    given.home = "home.example"
    given.give(ALICE)
    assert given.get("a.example") is None
    assert given.get("home.example") == ALICE


def test_given_credential_is_bound_to_one_host_across_threads(given):
    given.give(ALICE)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(given.get, [f"host{n}.example" for n in range(40)]))
    assert found.count(ALICE) == 1


def test_latest_given_credential_is_used(given):
    given.give(ALICE)
    given.claim("a.example")
    given.give(BOB)
    assert given.latest == BOB
    assert given.get("a.example") == BOB


def test_login_overrides_an_earlier_given_credential(given):
    given.give(ALICE)
    given.put("a.example", BOB)
    assert given.get("a.example") == BOB
    assert given.get("b.example") == ALICE


def test_token_is_used_only_for_the_host_of_its_password(given):
    given.put("a.example", ALICE)
    given.give_token("t")
    assert given.get("b.example") == Credential(registry_token="t")
    given.give_token("u")
    assert given.get("a.example") == Credential("alice", "sesame", registry_token="u")
    given.drop_token()
    assert given.get("a.example") == ALICE


def test_logout_removes_a_given_credential_not_yet_bound(given):
    given.give(ALICE)
    given.delete("a.example")
    assert given.get("a.example") is None
    given.home = "home.example"
    given.give(ALICE)
    given.delete("a.example")
    assert given.get("home.example") == ALICE


def test_every_change_increases_the_revision(given):
    seen = [given.revision]
    for change in (
        lambda: given.give(ALICE),
        lambda: given.give_token("t"),
        given.drop_token,
        lambda: given.put("a.example", BOB),
        lambda: given.delete("a.example"),
    ):
        change()
        seen.append(given.revision)
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize("asked", ["localhost:5000/app", "127.0.0.1:5000/app"])
def test_lookup_order_is_given_then_files_then_configuration(given, asked):
    named = StaticCredentials({"localhost:5000": Credential("named", "x")})
    configured = StaticCredentials({"127.0.0.1:5000": Credential("configured", "x")})
    stores = [named]
    store = BackendCredentials(lambda: (given, *stores), configured)
    given.put("localhost:5000", ALICE)
    assert store.get(asked) == ALICE
    given.delete("localhost:5000")
    assert store.get(asked).username == "named"
    stores.clear()
    assert store.get(asked).username == "configured"


def test_delete_removes_the_credential_from_every_store(given):
    configured = StaticCredentials({"a.example": BOB})
    store = BackendCredentials(lambda: (given, NoCredentials()), configured)
    given.put("a.example", ALICE)
    store.delete("a.example")
    assert store.get("a.example") is None
    assert configured.get("a.example") is None
