"""Files with credentials stay what they are for the system and for other users."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading

import pytest

from oras_adapters.credentials import config_file
from oras_adapters.credentials.docker_config import DockerConfigStore
from oras_core.errors import CredentialError
from oras_core.ports.credentials import Credential

ALICE = Credential("alice", "open sesame")
OTHER = 12345
AUTHS = json.dumps({"auths": {"r.example": {"auth": "YWxpY2U6b3BlbiBzZXNhbWU="}}})
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"other": 1}')
    path.chmod(0o600)
    return path


def put(path):
    DockerConfigStore(path).put("r.example", ALICE)
    assert DockerConfigStore(path).get("r.example") == ALICE


def owner(path):
    return path.stat().st_uid, path.stat().st_gid


@root_only
def test_login_as_root_keeps_owner_and_group(path):
    os.chown(path, OTHER, OTHER + 1)
    put(path)
    assert owner(path) == (OTHER, OTHER + 1)


@root_only
def test_files_made_by_root_belong_to_the_owner_of_the_folder(tmp_path):
    os.chown(tmp_path, OTHER, OTHER)
    path = tmp_path / ".docker" / "config.json"
    put(path)
    for made in (path, path.parent, path.with_name("config.json.lock")):
        assert owner(made) == (OTHER, OTHER)


@pytest.mark.parametrize(
    ("before", "after"), [(0o600, 0o600), (0o640, 0o640), (0o660, 0o660), (0o644, 0o600)]
)
def test_mode_is_kept_unless_the_file_is_world_readable(path, before, after):
    path.chmod(before)
    put(path)
    assert stat.S_IMODE(path.stat().st_mode) == after


def test_hard_links_are_kept(path):
    twin = path.with_name("twin.json")
    twin.hardlink_to(path)
    put(path)
    assert twin.samefile(path)
    assert DockerConfigStore(twin).get("r.example") == ALICE


def test_extended_attributes_are_kept(path):
    try:
        os.setxattr(path, "user.note", b"kept")
    except OSError:
        pytest.skip("the file system has no extended attributes")
    put(path)
    assert os.getxattr(path, "user.note") == b"kept"


def test_file_is_overwritten_in_place_if_its_attributes_cannot_be_copied(path, monkeypatch):
    before = path.stat().st_ino

    def refused(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(config_file, "_attributes", lambda _: ["user.note"])
    monkeypatch.setattr(config_file.os, "getxattr", lambda *_: b"", raising=False)
    monkeypatch.setattr(config_file.os, "setxattr", refused, raising=False)
    put(path)
    assert path.stat().st_ino == before
    assert json.loads(path.read_text())["other"] == 1
    assert sorted(one.name for one in path.parent.iterdir()) == ["config.json", "config.json.lock"]


@pytest.mark.parametrize("code", [1, 13, 16, 30])
def test_file_in_a_read_only_folder_is_overwritten_in_place(path, monkeypatch, code):
    def refused(*_, **__):
        raise OSError(code, "refused")

    monkeypatch.setattr(config_file.tempfile, "mkstemp", refused)
    put(path)


def test_lock_file_of_another_user_does_not_prevent_a_login(path, monkeypatch):
    opening = os.open

    def refused(name, *arguments):
        if str(name).endswith(".lock"):
            raise PermissionError(13, "Permission denied")
        return opening(name, *arguments)

    monkeypatch.setattr(config_file.os, "open", refused)
    put(path)


# --- Pipes --------------------------------------------------------------------------------


def test_pipe_is_read_once(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    store = DockerConfigStore(pipe)

    def write():
        with pipe.open("w") as file:
            file.write(AUTHS)

    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    writer = threading.Thread(target=write)
    writer.start()
    writer.join(20)
    try:
        assert [store.get("r.example") for _ in range(3)] == [ALICE] * 3
        assert store.helper_for("r.example") is None
    finally:
        os.close(reader)


def test_pipe_without_a_writer_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(config_file, "PIPE_SECONDS", 0.05)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    keeper = os.open(pipe, os.O_RDWR)
    try:
        with pytest.raises(CredentialError, match="writer"):
            DockerConfigStore(pipe).get("r.example")
    finally:
        os.close(keeper)


def test_process_substitution_is_read_once():
    script = (
        "import sys; from oras_adapters.credentials.docker_config import DockerConfigStore\n"
        "store = DockerConfigStore(sys.argv[1])\n"
        "print([store.get('r.example').password for _ in range(2)])"
    )
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "$1" <(printf \'%s\' "$2")', "bash", script, AUTHS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.strip() == "['open sesame', 'open sesame']", done.stderr


def test_pipe_is_never_written(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(CredentialError, match="not a regular file"):
        DockerConfigStore(pipe).put("r.example", ALICE)


# --- Files that the user may not read -----------------------------------------------------


@pytest.fixture
def unreadable(path, monkeypatch):
    opening = os.open

    def refused(name, *arguments):
        if os.fspath(name) == os.fspath(path):
            raise PermissionError(13, "Permission denied")
        return opening(name, *arguments)

    monkeypatch.setattr(config_file.os, "open", refused)
    return path


def test_unreadable_file_is_skipped_with_a_warning(unreadable, caplog):
    store = DockerConfigStore(unreadable)
    assert [store.get("r.example"), store.get("s.example")] == [None, None]
    assert store.helper_for("r.example") is None
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert str(unreadable) in warning.getMessage()
    assert "Permission denied" in warning.getMessage()


@pytest.mark.parametrize(
    "change", [lambda store: store.put("r.example", ALICE), lambda store: store.delete("r.example")]
)
def test_unreadable_file_is_an_error_for_a_login(unreadable, change):
    with pytest.raises(CredentialError, match="Permission denied"):
        change(DockerConfigStore(unreadable))
    assert json.loads(unreadable.read_text()) == {"other": 1}


def test_home_that_is_not_a_folder_has_no_credentials(tmp_path):
    (tmp_path / "home").write_text("")
    assert DockerConfigStore(tmp_path / "home" / ".docker" / "config.json").get("r.example") is None


# --- Replacing one credential -------------------------------------------------------------


def test_credential_is_replaced_in_its_own_entry_only(path):
    store = DockerConfigStore(path)
    old, new = Credential(identity_token="one"), Credential(identity_token="two")
    store.put("r.example", ALICE)
    store.put("r.example/team", old)
    store.replace("r.example/team/app", old, new)
    assert store.get("r.example/team/app") == new
    assert store.get("r.example") == ALICE
    store.replace("r.example/team/app", old, Credential(identity_token="three"))
    assert store.get("r.example/team/app") == new
