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
    """The contract of every writable credential store.

    Subclass it as `Test…` and give it a pytest fixture `store`, which returns an empty store.
    Each method is one promise of the port.
    """

    def test_an_empty_store_has_no_credential(self, store: CredentialStore) -> None:
        """A registry without a credential gives None."""
        assert store.get(_REGISTRY) is None
        assert store.get(f"{_REGISTRY}/team/app") is None
        assert store.get("docker.io") is None

    def test_a_stored_credential_is_found(self, store: CredentialStore) -> None:
        """The store returns a user name and a password unchanged."""
        store.put(_REGISTRY, _ALICE)
        assert store.get(_REGISTRY) == _ALICE

    def test_a_repository_gets_the_credential_of_its_registry(self, store: CredentialStore) -> None:
        """A store that keeps one credential a host returns it for every path on the host."""
        store.put(_REGISTRY, _ALICE)
        assert store.get(f"{_REGISTRY}/team/app") == _ALICE

    def test_a_later_credential_replaces_an_earlier_one(self, store: CredentialStore) -> None:
        """A new credential replaces all parts of the old one."""
        store.put(_REGISTRY, _ALICE)
        store.put(_REGISTRY, _BOB)
        assert store.get(_REGISTRY) == _BOB

    def test_registries_are_kept_apart(self, store: CredentialStore) -> None:
        """Another port or a longer name is another registry."""
        store.put(_REGISTRY, _ALICE)
        store.put("registry.example", _BOB)
        assert store.get(_REGISTRY) == _ALICE
        assert store.get("registry.example") == _BOB
        assert store.get("registry.example:5001") is None
        assert store.get("my.registry.example") is None
        assert store.get("registry.example.org") is None

    def test_docker_hub_is_found_as_docker_io(self, store: CredentialStore) -> None:
        """The library always looks up `docker.io`, for any key that the store writes."""
        store.put("docker.io", _ALICE)
        assert store.get("docker.io") == _ALICE
        assert store.get("docker.io/library/alpine") == _ALICE
        store.delete("docker.io")
        assert store.get("docker.io") is None

    def test_a_deleted_credential_is_not_found(self, store: CredentialStore) -> None:
        """A deletion keeps the credentials of other registries."""
        store.put(_REGISTRY, _ALICE)
        store.put("other.example", _BOB)
        store.delete(_REGISTRY)
        assert store.get(_REGISTRY) is None
        assert store.get("other.example") == _BOB

    def test_deleting_a_missing_credential_is_no_error(self, store: CredentialStore) -> None:
        """A registry without a credential may be deleted, and deleted twice."""
        store.delete(_REGISTRY)
        store.put(_REGISTRY, _ALICE)
        store.delete(_REGISTRY)
        store.delete(_REGISTRY)
        assert store.get(_REGISTRY) is None

    def test_any_password_is_stored_unchanged(self, store: CredentialStore) -> None:
        """Colons, quotes, any alphabet and thousands of characters are stored unchanged."""
        for password in ("a:b:c", '"\\{}', "пароль 密码", " inner space ", "x" * 2048):
            store.put(_REGISTRY, Credential("alice", password))
            assert store.get(_REGISTRY) == Credential("alice", password)

    def test_an_identity_token_is_kept(self, store: CredentialStore) -> None:
        """The store returns an identity token as an identity token, not as a password."""
        store.put(_REGISTRY, Credential(identity_token="refresh me"))
        found = store.get(_REGISTRY)
        assert found is not None
        assert found.identity_token == "refresh me"
        assert not found.has_basic

    def test_a_registry_token_is_kept_or_refused(self, store: CredentialStore) -> None:
        """A store that cannot keep a token raises an error; it never drops the token silently."""
        credential = Credential(registry_token="as it is")
        try:
            store.put(_REGISTRY, credential)
        except CredentialError:
            return
        assert store.get(_REGISTRY) == credential

    def test_threads_store_credentials_at_once(self, store: CredentialStore) -> None:
        """Credentials that several threads put at once are all kept."""
        registries = [f"host{number}.example" for number in range(12)]
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda name: store.put(name, Credential(name, "secret")), registries))
        for name in registries:
            assert store.get(name) == Credential(name, "secret")

    def test_no_repr_shows_a_password(self, store: CredentialStore) -> None:
        """No repr shows the password."""
        store.put(_REGISTRY, _ALICE)
        assert _ALICE.password not in repr(store)
        assert _ALICE.password not in repr(store.get(_REGISTRY))
