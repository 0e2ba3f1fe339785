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


def test_a_gift_belongs_to_the_first_registry_that_asks(given):
    given.give(ALICE)
    assert given.get("a.example/team/app") == ALICE
    assert given.get("b.example") is None
    assert given.get("a.example") == ALICE


def test_a_gift_belongs_to_the_first_registry_that_is_used(given):
    given.give(ALICE)
    given.claim("a.example")
    assert given.get("b.example") is None
    assert given.get("a.example") == ALICE


def test_a_gift_belongs_to_home(given):
    given.home = "home.example"
    given.give(ALICE)
    assert given.get("a.example") is None
    assert given.get("home.example") == ALICE


def test_one_of_many_threads_gets_a_gift(given):
    given.give(ALICE)
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(given.get, [f"host{n}.example" for n in range(40)]))
    assert found.count(ALICE) == 1


def test_the_latest_gift_counts(given):
    given.give(ALICE)
    given.claim("a.example")
    given.give(BOB)
    assert given.latest == BOB
    assert given.get("a.example") == BOB


def test_a_login_counts_more_than_an_earlier_gift(given):
    given.give(ALICE)
    given.put("a.example", BOB)
    assert given.get("a.example") == BOB
    assert given.get("b.example") == ALICE


def test_a_token_goes_with_the_password_of_its_own_registry_only(given):
    given.put("a.example", ALICE)
    given.give_token("t")
    assert given.get("b.example") == Credential(registry_token="t")
    given.give_token("u")
    assert given.get("a.example") == Credential("alice", "sesame", registry_token="u")
    given.drop_token()
    assert given.get("a.example") == ALICE


def test_a_logout_takes_what_may_be_meant(given):
    given.give(ALICE)
    given.delete("a.example")
    assert given.get("a.example") is None
    given.home = "home.example"
    given.give(ALICE)
    given.delete("a.example")
    assert given.get("home.example") == ALICE


def test_every_change_is_noticed(given):
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
def test_the_order_is_given_named_configured(given, asked):
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


def test_what_is_forgotten_is_forgotten_everywhere(given):
    configured = StaticCredentials({"a.example": BOB})
    store = BackendCredentials(lambda: (given, NoCredentials()), configured)
    given.put("a.example", ALICE)
    store.delete("a.example")
    assert store.get("a.example") is None
    assert configured.get("a.example") is None
