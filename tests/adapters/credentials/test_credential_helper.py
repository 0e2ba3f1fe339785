"""Helper programs: their protocol, and what they do wrong (R12)."""

from __future__ import annotations

import json
import threading
import time

import pytest

from oras_adapters.credentials.credential_helper import CredentialHelperStore
from oras_core.cancellation import CancelToken
from oras_core.errors import CancelledError, CredentialHelperError
from oras_core.ports.credentials import Credential
from oras_core.testing.contracts.credentials import CredentialStoreContract
from support.credential_helpers import make_helper

SECRETS = ("open sesame", "swordfish")


@pytest.fixture
def helpers(tmp_path, monkeypatch):
    """A folder on the PATH for helper programs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return folder


class TestContract(CredentialStoreContract):
    @pytest.fixture
    def store(self, helpers):
        make_helper(helpers, "working")
        return CredentialHelperStore("working")


def test_secrets_and_hosts_are_not_passed_as_arguments(helpers):
    program = make_helper(helpers, "working")
    store = CredentialHelperStore("working")
    store.put("registry.example", Credential("alice", "open sesame"))
    store.get("registry.example")
    store.delete("registry.example")
    log = program.with_name(program.name + ".log").read_text().splitlines()
    assert [json.loads(line) for line in log] == [["store"], ["get"], ["erase"]]


def test_docker_hub_uses_its_legacy_key(helpers):
    make_helper(helpers, "working")
    store = CredentialHelperStore("working")
    store.put("docker.io", Credential("alice", "open sesame"))
    assert store.registries() == {"https://index.docker.io/v1/": "alice"}


def test_identity_token_is_marked_by_its_user_name(helpers):
    make_helper(helpers, "t", 'import sys; print(\'{"Username": "<token>", "Secret": "refresh"}\')')
    assert CredentialHelperStore("t").get("x.example") == Credential(identity_token="refresh")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a b", "a;b", "$(x)", "x\n", "é"])
def test_helper_name_with_invalid_characters_is_refused(name):
    with pytest.raises(CredentialHelperError, match="letters, digits"):
        CredentialHelperStore(name)


def test_missing_program_is_named(helpers):
    with pytest.raises(CredentialHelperError, match=r"docker-credential-absent.*no such program"):
        CredentialHelperStore("absent").get("x.example")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("print('not json')", "not JSON"),
        ("print('[]')", "not a JSON object"),
        ("print('{}')", "no Username and Secret"),
        ("""print('{"Username": "a", "Secret": 1}')""", "no Username and Secret"),
        ("print('[' * 100000)", "not JSON"),
        ("import sys; print('locked'); sys.exit(3)", "status 3: locked"),
        ("import sys; sys.stderr.write('no \\x1b[31mdbus\\n'); sys.exit(1)", r"no \[31mdbus"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "status -9"),
    ],
)
def test_invalid_output_is_an_error_with_the_reason(helpers, body, reason):
    make_helper(helpers, "bad", body)
    with pytest.raises(CredentialHelperError, match=reason) as caught:
        CredentialHelperStore("bad").get("x.example")
    assert caught.value.store == "docker-credential-bad"


def test_hanging_helper_is_terminated(helpers):
    make_helper(helpers, "slow", "import time; print('secret', flush=True); time.sleep(60)")
    with pytest.raises(CredentialHelperError, match=r"more than 0\.5 seconds") as caught:
        CredentialHelperStore("slow", timeout=0.5).get("x.example")
    assert caught.value.__cause__ is None


def test_cancellation_terminates_a_hanging_helper(helpers, tmp_path):
    begun = tmp_path / "begun"
    make_helper(helpers, "slow", f"import time; open({str(begun)!r}, 'w'); time.sleep(60)")
    token = CancelToken()

    def cancel():
        end = time.monotonic() + 20
        while not begun.exists() and time.monotonic() < end:
            time.sleep(0.01)
        token.cancel()

    thread = threading.Thread(target=cancel)
    thread.start()
    start = time.monotonic()
    with token.scope(), pytest.raises(CancelledError):
        CredentialHelperStore("slow").get("x.example")
    thread.join()
    assert time.monotonic() - start < 10


def test_helper_error_that_repeats_the_secret_is_not_shown(helpers):
    make_helper(helpers, "chatty", "import sys; print(sys.stdin.read()); sys.exit(1)")
    with pytest.raises(CredentialHelperError) as caught:
        CredentialHelperStore("chatty").put("x.example", Credential("alice", "open sesame"))
    assert "open sesame" not in str(caught.value)


def test_registry_token_cannot_be_stored(helpers):
    make_helper(helpers, "working")
    with pytest.raises(CredentialHelperError, match="identity tokens only"):
        CredentialHelperStore("working").put("x.example", Credential(registry_token="t"))


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        ("credentials not found in native keychain", "stdout"),
        ("No stored credential for r.example", "stdout"),
        ("No stored credential for https://index.docker.io/v1/", "stderr"),
        ("The specified item could not be found in the keychain.", "stdout"),
        ("Element not found.", "stdout"),
        ("Error: r.example is not in the password store.", "stderr"),
        ("pass store is uninitialized", "stdout"),
        ("Error: password store is empty. Try pass init.", "stderr"),
        ("no credentials server URL", "stdout"),
        ("no such secret", "stderr"),
    ],
)
def test_not_found_messages_of_known_helpers_mean_no_credential(helpers, words, stream):
    make_helper(helpers, "w", f'import sys; print("{words}", file=sys.{stream}); sys.exit(1)')
    assert CredentialHelperStore("w").get("r.example") is None
    CredentialHelperStore("w").delete("r.example")


@pytest.mark.parametrize("words", ["the keychain is locked", "user canceled", "access denied", ""])
def test_other_helper_failures_are_errors(helpers, words):
    make_helper(helpers, "w", f'import sys; print("{words}"); sys.exit(1)')
    with pytest.raises(CredentialHelperError):
        CredentialHelperStore("w").get("r.example")
