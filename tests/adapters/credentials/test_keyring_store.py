"""The keyring, with a backend of the library's own making and with one that keeps a file."""

from __future__ import annotations

import sys

import keyring.backend
import keyring.errors
import pytest

from oras_adapters.credentials.keyring_store import KeyringStore
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential
from oras_core.testing.contracts.credentials import CredentialStoreContract
from support.modules import require_module
from support.processes import run_python

SECRETS = ("open sesame", "swordfish")


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A backend in memory."""

    priority = 1

    def __init__(self):
        super().__init__()
        self.entries = {}

    def get_password(self, service, username):
        return self.entries.get((service, username))

    def set_password(self, service, username, password):
        self.entries[service, username] = password

    def delete_password(self, service, username):
        if self.entries.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not there")


class LockedKeyring(MemoryKeyring):
    def get_password(self, service, username):
        raise keyring.errors.KeyringLocked("open sesame is the master password")

    set_password = delete_password = get_password


class TestContract(CredentialStoreContract):
    @pytest.fixture
    def store(self):
        return KeyringStore(MemoryKeyring())


def test_each_path_has_its_own_entry():
    store = KeyringStore(MemoryKeyring())
    store.put("x.example", Credential("host", "1"))
    store.put("x.example/team", Credential("team", "2"))
    assert store.get("x.example/team/app").username == "team"
    assert store.get("x.example/other").username == "host"


class CountingKeyring(MemoryKeyring):
    def __init__(self):
        super().__init__()
        self.asked = []

    def get_password(self, service, username):
        self.asked.append(username)
        return super().get_password(service, username)


def test_entry_is_cached_until_it_changes_or_is_refused():
    backend = CountingKeyring()
    store = KeyringStore(backend)
    store.put("x.example", Credential("alice", "open sesame"))
    for name in ("x.example", "x.example/team/a", "x.example/team/b", "x.example/team/a"):
        assert store.get(name).username == "alice"
    read = ["x.example", "x.example/team/a", "x.example/team", "x.example/team/b"]
    assert backend.asked == read
    # Somebody else changes it: the registry refuses the old password.
    KeyringStore(backend).put("x.example", Credential("bob", "swordfish"))
    assert store.get("x.example").username == "alice"
    store.refresh("x.example/team/a")
    assert store.get("x.example").username == "bob"
    store.put("x.example", Credential("alice", "open sesame"))
    assert store.get("x.example").username == "alice"
    store.delete("x.example")
    assert store.get("x.example") is None


def test_locked_keyring_error_omits_the_backend_s_message():
    with pytest.raises(CredentialError, match="KeyringLocked") as caught:
        KeyringStore(LockedKeyring()).get("x.example")
    assert "sesame" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_missing_keyring_error_says_what_to_do():
    from keyring.backends.fail import Keyring

    with pytest.raises(CredentialError, match=r"credentials\.stores"):
        KeyringStore(Keyring()).get("x.example")


@pytest.mark.parametrize("secret", ["", "[]", "null", "{", '{"username": 1}'])
def test_entry_of_unknown_format_is_an_error(secret):
    backend = MemoryKeyring()
    backend.set_password("oras-sdk", "x.example", secret)
    with pytest.raises(CredentialError, match="unknown format"):
        KeyringStore(backend).get("x.example")


def test_backend_selected_by_keyring_is_used(tmp_path):
    require_module("keyrings.alt")
    program = """
from oras_adapters.credentials.keyring_store import KeyringStore
from oras_core.ports.credentials import Credential
import sys
store = KeyringStore()
if sys.argv[1] == "put":
    store.put("x.example", Credential("alice", "open sesame"))
else:
    print(store.get("x.example").password)
"""
    environment = {
        "PYTHON_KEYRING_BACKEND": "keyrings.alt.file.PlaintextKeyring",
        "XDG_DATA_HOME": str(tmp_path),
    }
    run_python("-c", program, "put", **environment)
    assert run_python("-c", program, "get", **environment) == "open sesame\n"


def test_keyring_is_imported_on_first_use():
    program = "import sys, oras_adapters.factory; print('keyring' in sys.modules)"
    assert run_python("-c", program) == "False\n"
    assert "keyring" in sys.modules
