from __future__ import annotations

import base64
import json
import multiprocessing
import os
import stat
import traceback
from contextlib import ExitStack

import pytest

from oras_adapters.credentials import config_file
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_adapters.descriptor_locks import try_lock_descriptor
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential

SECRET = "s3cr3t-in-the-file"
SECRETS = (SECRET,)


def encoded(username, password):
    return base64.b64encode(f"{username}:{password}".encode()).decode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "config.json"


@pytest.fixture
def store(path):
    return DockerConfigStore(path)


@pytest.fixture
def write(path):
    def write(document):
        text = document if isinstance(document, str) else json.dumps(document)
        path.write_text(text, encoding="utf-8")

    return write


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


# --- Reading ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "registry"),
    [
        ("ghcr.io", "ghcr.io"),
        ("GHCR.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/", "ghcr.io"),
        ("https://ghcr.io/v1/", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("ghcr.io/v2/", "ghcr.io"),
        ("http://localhost:5000", "localhost:5000"),
        ("ghcr.io", "ghcr.io/team/app"),
        ("ghcr.io/team", "ghcr.io/team/app"),
        ("ghcr.io/team/app", "ghcr.io/team/app"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io/library/alpine"),
        ("https://index.docker.io/v1/", "registry-1.docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("docker.io/library", "docker.io/library/alpine"),
    ],
)
def test_every_form_of_key_is_found(store, write, key, registry):
    write(
        {
            "auths": {
                "other.example": {"auth": encoded("no", "no")},
                key: {"auth": encoded("u", "p")},
            }
        }
    )
    assert store.get(registry) == Credential("u", "p")


@pytest.mark.parametrize("key", ["ghcr.io/team/app", "ghcr.io:443", "my.ghcr.io", "ghcr.iox"])
def test_another_registry_is_not_found(store, write, key):
    write({"auths": {key: {"auth": encoded("u", "p")}}})
    assert store.get("ghcr.io") is None
    assert store.get("ghcr.io/team") is None


def test_longest_matching_path_is_used(store, write):
    write(
        {
            "auths": {
                "quay.io": {"auth": encoded("host", "p")},
                "quay.io/team/app": {"auth": encoded("app", "p")},
                "quay.io/team": {"auth": encoded("team", "p")},
            }
        }
    )
    found = [store.get(f"quay.io{path}").username for path in ("/team/app", "/team/x", "/t", "")]
    assert found == ["app", "team", "host", "host"]


@pytest.mark.parametrize(
    ("entry", "credential"),
    [
        ({"auth": encoded("u", "p:with:colons")}, Credential("u", "p:with:colons")),
        ({"auth": encoded("u", "ключ")}, Credential("u", "ключ")),
        ({"auth": encoded("u", "p").rstrip("=")}, Credential("u", "p")),
        ({"auth": encoded("u", "p\0\0\0")}, Credential("u", "p")),
        ({"username": "u", "password": "p"}, Credential("u", "p")),
        ({"auth": encoded("u", "p"), "username": "old"}, Credential("u", "p")),
        (
            {"auth": encoded("0000", ""), "identitytoken": "refresh"},
            Credential("0000", "", "refresh"),
        ),
        ({"identitytoken": "refresh"}, Credential(identity_token="refresh")),
        ({"registrytoken": "bearer"}, Credential(registry_token="bearer")),
        (
            {"auth": None, "email": "a@example.org", "registrytoken": "t"},
            Credential(registry_token="t"),
        ),
    ],
)
def test_entries_are_read(store, write, entry, credential):
    write({"auths": {"ghcr.io": entry}})
    assert store.get("ghcr.io") == credential


def test_entry_without_secrets_is_skipped(store, write):
    # docker leaves such an entry where a helper keeps the password.
    write({"auths": {"ghcr.io": {}, "https://ghcr.io": {"auth": encoded("u", "p")}}})
    assert store.get("ghcr.io") == Credential("u", "p")


@pytest.mark.parametrize(
    "content", [None, "", " \n", "{}", '{"auths": null}', '\ufeff{"auths": {}}']
)
def test_file_without_entries_is_accepted(store, write, path, content):
    if content is not None:
        write(content)
    assert store.get("ghcr.io") is None
    assert store.helper_for("ghcr.io") is None
    store.delete("ghcr.io")
    assert names(path.parent) == ([] if content is None else ["config.json"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (f'{{"auths": {{"ghcr.io": {{"auth": "{SECRET}"', "not JSON (line 1)"),
        (f"<html>{SECRET}", "not JSON"),
        (f'["{SECRET}"]', "not an object"),
        (f'{{"auths": ["{SECRET}"]}}', "'auths'"),
        (f'{{"auths": {{"ghcr.io": "{SECRET}"}}}}', "'ghcr.io'"),
        (f'{{"auths": {{"ghcr.io": {{"auth": "{SECRET}!"}}}}}}', "'ghcr.io'"),
        (f'{{"auths": {{"ghcr.io": {{"auth": ["{SECRET}"]}}}}}}', "'ghcr.io'"),
        (f'{{"auths": {{"ghcr.io": {{"identitytoken": {{"x": "{SECRET}"}}}}}}}}', "'ghcr.io'"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_invalid_entry_is_named_without_its_value(store, write, path, content, reason):
    write(content)
    with pytest.raises(CredentialError) as caught:
        store.get("ghcr.io")
    assert str(path) in str(caught.value)
    assert reason in caught.value.reason
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert path.read_text(encoding="utf-8") == content


def test_invalid_base64_value_is_not_shown(store, write):
    raw = base64.b64encode(SECRET.encode()).decode()  # no colon
    write({"auths": {"ghcr.io": {"auth": raw}}})
    with pytest.raises(CredentialError) as caught:
        store.get("ghcr.io")
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert raw not in shown


def test_base64_with_invalid_characters_is_an_error(store, write):
    write({"auths": {"ghcr.io": {"auth": "!" + encoded("u", "p")}}})
    with pytest.raises(CredentialError):
        store.get("ghcr.io")


def test_invalid_entry_of_another_registry_is_ignored(store, write):
    write({"auths": {"a.example": {"auth": "%%%"}, "b.example": {"auth": encoded("u", "p")}}})
    assert store.get("b.example") == Credential("u", "p")


def test_folder_in_place_of_the_file_is_an_error(tmp_path):
    with pytest.raises(CredentialError):
        DockerConfigStore(tmp_path).get("ghcr.io")


def test_huge_file_is_refused_without_reading_it_whole(store, write, monkeypatch):
    monkeypatch.setattr(config_file, "MAX_CONFIG_SIZE", 100)
    write({"padding": "x" * 200})
    with pytest.raises(CredentialError, match="100 bytes"):
        store.get("ghcr.io")


# --- Writing ------------------------------------------------------------------------------


def test_written_entry_has_docker_s_format(store, path):
    store.put("ghcr.io", Credential("u", "p"))
    store.put("docker.io", Credential("hub", "q", "refresh", "bearer"))
    assert json.loads(path.read_text()) == {
        "auths": {
            "ghcr.io": {"auth": encoded("u", "p")},
            "https://index.docker.io/v1/": {
                "auth": encoded("hub", "q"),
                "identitytoken": "refresh",
                "registrytoken": "bearer",
            },
        }
    }


def test_rest_of_the_file_is_kept(store, write, path):
    document = {
        "HttpHeaders": {"X": "ü"},
        "credHelpers": {"gcr.io": "gcloud"},
        "auths": {
            "other.example": {"auth": "!not read!", "email": "x"},
            "https://ghcr.io/v1/": {"auth": encoded("old", "old"), "email": "kept"},
        },
        "psFormat": "table",
        "number": 12345678901234567890,
    }
    write(document)
    store.put("ghcr.io", Credential("u", "p"))
    after = json.loads(path.read_text())
    assert list(after) == list(document)
    expected = json.loads(json.dumps(document))
    del expected["auths"]["https://ghcr.io/v1/"]
    expected["auths"]["ghcr.io"] = {"email": "kept", "auth": encoded("u", "p")}
    assert after == expected
    store.delete("ghcr.io")
    del expected["auths"]["ghcr.io"]
    assert json.loads(path.read_text()) == expected


def test_registry_and_path_entries_are_deleted_separately(store, write, path):
    entry = {"auth": encoded("u", "p")}
    write({"auths": {"quay.io": entry, "https://quay.io": entry, "quay.io/team": entry}})
    store.delete("quay.io/team")
    assert list(json.loads(path.read_text())["auths"]) == ["quay.io", "https://quay.io"]
    store.put("quay.io/team", Credential("t", "p"))
    store.delete("quay.io")
    assert list(json.loads(path.read_text())["auths"]) == ["quay.io/team"]


def test_delete_of_a_missing_entry_does_not_change_the_file(store, write, path):
    write('{  "auths": {"b.example": {}}}')
    before = path.stat()
    store.delete("a.example")
    assert path.read_text() == '{  "auths": {"b.example": {}}}'
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_new_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "home" / ".docker" / "config.json"
    store = DockerConfigStore(path)
    store.put("ghcr.io", Credential("u", "p"))
    assert mode(path) == 0o600
    assert mode(path.parent) == 0o700
    path.chmod(0o644)
    store.put("ghcr.io", Credential("u", "q"))
    assert mode(path) == 0o600
    assert names(path.parent) == ["config.json", "config.json.lock"]


def test_symbolic_link_is_kept_and_its_target_replaced(tmp_path):
    real = tmp_path / "dotfiles" / "docker.json"
    real.parent.mkdir()
    real.write_text('{"auths": {}, "x": 1}')
    folder = tmp_path / ".docker"
    folder.mkdir()
    link = folder / "config.json"
    link.symlink_to("../dotfiles/docker.json")
    store = DockerConfigStore(link)
    store.put("ghcr.io", Credential("u", "p"))
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {
        "auths": {"ghcr.io": {"auth": encoded("u", "p")}},
        "x": 1,
    }
    assert mode(real) == 0o600
    assert store.get("ghcr.io") == Credential("u", "p")


def test_dangling_link_gets_its_target(tmp_path):
    link = tmp_path / "config.json"
    link.symlink_to(tmp_path / "new" / "config.json")
    DockerConfigStore(link).put("ghcr.io", Credential("u", "p"))
    assert link.is_symlink()
    assert mode(tmp_path / "new" / "config.json") == 0o600


def test_unreadable_file_is_not_overwritten(store, write, path):
    write("no JSON at all")
    with pytest.raises(CredentialError):
        store.put("ghcr.io", Credential("u", "p"))
    assert path.read_text() == "no JSON at all"


def test_failed_write_keeps_the_old_file(store, path, monkeypatch):
    store.put("ghcr.io", Credential("u", "old"))
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(config_file.os, "fsync", full)
    with pytest.raises(CredentialError, match="No space left") as caught:
        store.put("ghcr.io", Credential("u", SECRET))
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert path.read_bytes() == before
    assert names(path.parent) == ["config.json", "config.json.lock"]


def test_temporary_files_of_killed_processes_are_removed(store, path):
    old, young = (path.parent / f".config.json.{name}.tmp" for name in "ab")
    other = path.parent / ".other.json.c.tmp"
    for file in (old, young, other):
        file.write_text(SECRET)
    for file in (old, other):
        os.utime(file, (0, 0))
    store.put("ghcr.io", Credential("u", "p"))
    assert [file.exists() for file in (old, young, other)] == [False, True, True]


def test_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CredentialError):
        DockerConfigStore(tmp_path / "file" / "config.json").put("a.example", Credential("u", "p"))


def test_user_name_with_a_colon_is_refused(store, path):
    with pytest.raises(CredentialError, match="colon"):
        store.put("ghcr.io", Credential("a:b", "p"))
    assert not path.exists()


# --- Locks --------------------------------------------------------------------------------


def _put_many(path, name):
    store = DockerConfigStore(path)
    for number in range(20):
        store.put(f"{name}{number}.example", Credential(name, "p"))


def test_concurrent_writes_of_two_processes_lose_no_entry(path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_put_many, args=(path, name)) for name in ("a", "b")]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(json.loads(path.read_text())["auths"]) == 40


def test_lock_that_is_never_released_is_an_error(store, path, monkeypatch):
    monkeypatch.setattr(config_file, "LOCK_SECONDS", 0.0)
    with (path.parent / "config.json.lock").open("w") as held:
        assert try_lock_descriptor(held.fileno())
        with pytest.raises(CredentialError, match="another process"):
            store.put("ghcr.io", Credential("u", "p"))
    store.put("ghcr.io", Credential("u", "p"))


def test_lock_ends_although_a_forked_child_has_its_file_open(store, monkeypatch):
    with ExitStack() as child:

        def lock(handle):
            child.callback(os.close, os.dup(handle))  # a fork copies descriptors like this
            return try_lock_descriptor(handle)

        monkeypatch.setattr(config_file, "LOCK_SECONDS", 0.0)
        monkeypatch.setattr(config_file, "try_lock_descriptor", lock)
        store.put("ghcr.io", Credential("u", "p"))
        store.put("quay.io", Credential("u", "p"))
    assert store.get("quay.io") == Credential("u", "p")


def test_file_system_without_locks_is_supported(store, monkeypatch):
    def unsupported(_):
        raise OSError(config_file.errno.ENOLCK, "No locks available")

    monkeypatch.setattr(config_file, "try_lock_descriptor", unsupported)
    store.put("ghcr.io", Credential("u", "p"))
    assert store.get("ghcr.io") == Credential("u", "p")


# --- Helpers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "registry", "helper"),
    [
        ({"credsStore": "desktop"}, "ghcr.io", "desktop"),
        ({"credsStore": "wincred"}, "ghcr.io", "wincred"),
        ({"credsStore": "osxkeychain"}, "ghcr.io", "osxkeychain"),
        ({"credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}, "gcr.io/p/a", "gcloud"),
        ({"credsStore": "desktop", "credHelpers": {"gcr.io": "gcloud"}}, "ghcr.io", "desktop"),
        ({"credHelpers": {"gcr.io": "gcloud"}}, "ghcr.io", None),
        ({"credHelpers": {"https://index.docker.io/v1/": "hub"}}, "docker.io", "hub"),
        ({"credHelpers": {"gcr.io": ""}, "credsStore": "desktop"}, "gcr.io", "desktop"),
        ({"credsStore": ""}, "gcr.io", None),
        ({"auths": {"gcr.io": {}}}, "gcr.io", None),
    ],
)
def test_configured_helper_is_returned(store, write, document, registry, helper):
    write(document)
    assert store.helper_for(registry) == helper


@pytest.mark.parametrize(
    "document", [{"credsStore": 1}, {"credHelpers": {"a.example": ["x"]}}, {"credHelpers": 1}]
)
def test_invalid_helper_name_is_an_error(store, write, document):
    write(document)
    with pytest.raises(CredentialError):
        store.helper_for("a.example")


def test_repr_shows_the_file_only(store, path):
    assert repr(store) == f"DockerConfigStore({str(path)!r})"
