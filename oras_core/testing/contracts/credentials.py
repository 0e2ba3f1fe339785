"""The contract of `oras_core.ports.credentials.CredentialStore`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential, CredentialStore

__all__ = ["CredentialStoreContract"]

_REGISTRY = "registry.example:5000"
_ALICE = Credential("alice", "open sesame")
_BOB = Credential("bob", "swordfish")


class CredentialStoreContract:
    """What every writable store of credentials does.

    Subclass it as `Test…` and give it a pytest fixture `store`, which returns an empty store.
    Each method is one promise of the port.
    """

    def test_nothing_is_known_at_first(self, store: CredentialStore) -> None:
        """A registry without a credential is no error."""
        assert store.get(_REGISTRY) is None
        assert store.get(f"{_REGISTRY}/team/app") is None
        assert store.get("docker.io") is None

    def test_what_is_put_is_found(self, store: CredentialStore) -> None:
        """A user name and a password come back as they went in."""
        store.put(_REGISTRY, _ALICE)
        assert store.get(_REGISTRY) == _ALICE

    def test_a_repository_gets_the_credential_of_its_registry(self, store: CredentialStore) -> None:
        """A store by host answers for every path under it."""
        store.put(_REGISTRY, _ALICE)
        assert store.get(f"{_REGISTRY}/team/app") == _ALICE

    def test_a_later_credential_replaces_an_earlier_one(self, store: CredentialStore) -> None:
        """Nothing of the earlier one is mixed in."""
        store.put(_REGISTRY, _ALICE)
        store.put(_REGISTRY, _BOB)
        assert store.get(_REGISTRY) == _BOB

    def test_registries_are_kept_apart(self, store: CredentialStore) -> None:
        """Neither another port nor a longer name is the same registry."""
        store.put(_REGISTRY, _ALICE)
        store.put("registry.example", _BOB)
        assert store.get(_REGISTRY) == _ALICE
        assert store.get("registry.example") == _BOB
        assert store.get("registry.example:5001") is None
        assert store.get("my.registry.example") is None
        assert store.get("registry.example.org") is None

    def test_docker_hub_is_kept_under_its_name(self, store: CredentialStore) -> None:
        """Whatever key the store writes, `docker.io` is what the library calls it."""
        store.put("docker.io", _ALICE)
        assert store.get("docker.io") == _ALICE
        assert store.get("docker.io/library/alpine") == _ALICE
        store.delete("docker.io")
        assert store.get("docker.io") is None

    def test_what_is_deleted_is_gone(self, store: CredentialStore) -> None:
        """Others stay."""
        store.put(_REGISTRY, _ALICE)
        store.put("other.example", _BOB)
        store.delete(_REGISTRY)
        assert store.get(_REGISTRY) is None
        assert store.get("other.example") == _BOB

    def test_deleting_what_is_not_there_is_no_error(self, store: CredentialStore) -> None:
        """Twice is the same as once."""
        store.delete(_REGISTRY)
        store.put(_REGISTRY, _ALICE)
        store.delete(_REGISTRY)
        store.delete(_REGISTRY)
        assert store.get(_REGISTRY) is None

    def test_any_password_survives(self, store: CredentialStore) -> None:
        """Colons, quotes, letters of any alphabet, and thousands of characters."""
        for password in ("a:b:c", '"\\{}', "пароль 密码", " inner space ", "x" * 2048):
            store.put(_REGISTRY, Credential("alice", password))
            assert store.get(_REGISTRY) == Credential("alice", password)

    def test_an_identity_token_is_kept(self, store: CredentialStore) -> None:
        """It comes back as an identity token, and not as a password."""
        store.put(_REGISTRY, Credential(identity_token="refresh me"))
        found = store.get(_REGISTRY)
        assert found is not None
        assert found.identity_token == "refresh me"
        assert not found.has_basic

    def test_a_registry_token_is_kept_or_refused(self, store: CredentialStore) -> None:
        """A store without room for it says so; it does not lose it silently."""
        credential = Credential(registry_token="as it is")
        try:
            store.put(_REGISTRY, credential)
        except CredentialError:
            return
        assert store.get(_REGISTRY) == credential

    def test_threads_do_not_disturb_one_another(self, store: CredentialStore) -> None:
        """Credentials that are put at the same time are all kept."""
        registries = [f"host{number}.example" for number in range(12)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda name: store.put(name, Credential(name, "secret")), registries))
        for name in registries:
            assert store.get(name) == Credential(name, "secret")

    def test_no_secret_shows(self, store: CredentialStore) -> None:
        """Neither the store nor a credential shows it in its repr."""
        store.put(_REGISTRY, _ALICE)
        assert _ALICE.password not in repr(store)
        assert _ALICE.password not in repr(store.get(_REGISTRY))
