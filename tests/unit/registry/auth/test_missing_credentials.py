"""What a 401 says when no credential was found: for which host, and where it was looked for."""

from __future__ import annotations

import pytest

from oras_core.credentials import (
    ChainedCredentialStore,
    NoCredentials,
    RememberingCredentialStore,
    RoutedCredentialStore,
    StaticCredentials,
    SuccessorCredentialStore,
)
from oras_core.errors import AuthenticationError
from oras_core.ports.credentials import Credential
from oras_core.registry.registry import RemoteRegistry
from oras_core.registry.transports.retries import RetryPolicy
from support.auth_world import BasicSite, BearerSite, Reply, TokenSite, World, basic

ORIGIN, AUTH = "https://r.example", "https://auth.example"
CHALLENGE = 'Bearer realm="https://auth.example/token",service="r.example"'

WORLDS = {
    "password": {ORIGIN: BasicSite("alice", "open sesame")},
    "token server refuses": {
        ORIGIN: BearerSite(CHALLENGE),
        AUTH: TokenSite(basic("alice", "open sesame")),
    },
    "token without access": {ORIGIN: BearerSite(CHALLENGE, valid=set()), AUTH: TokenSite("")},
    "refusal without a body": {ORIGIN: lambda _: Reply(401), AUTH: TokenSite("")},
}


class Named(NoCredentials):
    def __init__(self, *names):
        self.names = names

    def places(self, registry):
        return tuple(f"{name} for {registry}" for name in self.names)


def refused(sites, store):
    registry = RemoteRegistry(
        "r.example", World(sites), credentials=store, retry_policy=RetryPolicy(attempts=1)
    )
    with pytest.raises(AuthenticationError) as caught:
        registry.repository("a").resolve("v1")
    return caught.value


@pytest.mark.parametrize("sites", WORLDS.values(), ids=WORLDS)
def test_the_host_and_the_stores_are_named(sites):
    error = refused(sites, ChainedCredentialStore([Named("one", "two"), StaticCredentials({})]))
    places = "one for r.example/a, two for r.example/a, the given credentials"
    assert error.explanation == f"no credential for r.example was found in {places}"
    assert str(error).endswith(f"; {error.explanation}")
    assert str(error).count("no credential") == 1


@pytest.mark.parametrize("sites", WORLDS.values(), ids=WORLDS)
def test_a_request_without_any_store_says_that_no_credential_was_given(sites):
    assert refused(sites, None).explanation == "no credential for r.example was given"


@pytest.mark.parametrize("sites", WORLDS.values(), ids=WORLDS)
def test_a_credential_that_is_refused_is_not_said_to_be_missing(sites):
    wrong = StaticCredentials({"r.example": Credential("alice", "wrong")})
    registry = RemoteRegistry("r.example", World(sites), credentials=wrong)
    with pytest.raises(AuthenticationError) as caught:
        registry.repository("a").resolve("v1")
    assert caught.value.explanation == ""
    assert "no credential" not in str(caught.value)


@pytest.mark.parametrize(
    ("store", "places"),
    [
        (RememberingCredentialStore(Named("one")), ["one"]),
        (SuccessorCredentialStore(Named("one"), Named("two")), ["one", "two"]),
        (RoutedCredentialStore(lambda _: Named("one")), ["one"]),
        (ChainedCredentialStore([Named("one"), Named("one", "two")]), ["one", "two"]),
    ],
)
def test_combined_stores_name_those_that_they_ask(store, places):
    named = ", ".join(f"{place} for r.example/a" for place in places)
    assert refused(WORLDS["password"], store).explanation.endswith(f"found in {named}")


def test_a_store_that_names_no_place_is_named_by_its_class():
    class MyVault:
        def get(self, registry): ...
        def put(self, registry, credential): ...
        def delete(self, registry): ...

    error = refused(WORLDS["password"], MyVault())
    assert error.explanation == "no credential for r.example was found in MyVault"
