"""The options of the client, such as progress and credentials; logging in and out."""

from __future__ import annotations

import json
import logging

import pytest

from oras_adapters import Client, RegistryServer, Settings, compose
from oras_adapters.client.progress import watch_for
from oras_core import BytesSource, File
from oras_core.errors import AuthenticationError, InvalidConfigurationError, InvalidInputError
from oras_core.model import media_types
from oras_core.packing.manifest import pack_manifest
from oras_core.ports import Credential, ProgressListener
from oras_core.stores.memory import MemoryStore
from oras_core.testing import EmbeddedRegistry
from oras_core.testing.contracts.content_access import push_blob, push_document
from support.artifacts import layer
from support.clients import FACES, HOST, embedded_client
from support.modules import require_module
from support.tar_archives import directory, member, tgz

FILES = [File("a", BytesSource(b"a"))]


@pytest.fixture
def private(tmp_path, monkeypatch):
    """A registry that knows alice, and an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    with RegistryServer(EmbeddedRegistry(users={"alice": "secret"})) as server:
        yield server.address


def test_progress_is_logged_without_a_terminal(caplog):
    with (
        caplog.at_level(logging.INFO, "oras_adapters.progress"),
        embedded_client("blocking", progress=True) as client,
    ):
        client.push(f"{HOST}/a:v1", FILES)
    assert "3 of 3 blobs done" in caplog.text


def test_concurrent_operations_share_one_progress_display(monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    require_module("rich")
    watch = watch_for(True)
    with watch.watching() as first, watch.watching() as second:
        assert first is second
    with watch.watching() as third:
        assert third is not first


@pytest.mark.parametrize("progress", [None, False])
def test_progress_is_off_by_default(progress):
    with watch_for(progress).watching() as listener:
        assert type(listener) is ProgressListener


@pytest.mark.parametrize("face", FACES)
def test_login_stores_an_accepted_credential_and_logout_deletes_it(private, tmp_path, face):
    file = tmp_path / ".docker" / "config.json"
    with FACES[face]() as client:
        with pytest.raises(AuthenticationError) as caught:
            client.push(f"{private}/a:v1", FILES)
        assert f"client.login('{private}', USER, PASSWORD)" in caught.value.__notes__[-1]
        with pytest.raises(AuthenticationError):
            client.login(private, "alice", "wrong")
        assert not file.exists()
        client.login(private, "alice", "secret")
        client.push(f"{private}/a:v1", FILES)
        assert client.logout(private) is True
        assert client.logout(private) is False
        assert json.loads(file.read_text())["auths"] == {}
        with pytest.raises(AuthenticationError):
            client.resolve(f"{private}/a:v1")
        with pytest.raises(InvalidInputError, match="a user name and a password"):
            client.login(private, "alice")


@pytest.mark.parametrize("credential", [("alice", "secret"), Credential("alice", "secret")])
def test_credentials_are_set_per_registry(private, credential):
    with Client(credentials={private: credential}) as client:
        client.push(f"{private}/a:v1", FILES)
    assert "secret" not in repr(client)


@pytest.mark.parametrize("timeout", [5, (1, 5)])
def test_timeout_is_one_number_or_two(timeout):
    network = Settings().with_timeout(timeout).network
    assert network.read_timeout == 5
    assert network.connect_timeout == (5 if timeout == 5 else 1)


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": 0},
        {"timeout": (1, -1)},
        {"concurrency": 0},
        {"concurrency": "4"},
        {"progress": "yes"},
        {"settings": {"network": {}}},
        {"credentials": {"registry.test": "s3"}},
        {"credentials": {"registry.test": ("alice", "s3cret", "more")}},
    ],
    ids=repr,
)
def test_invalid_options_are_refused(options):
    (name,) = options
    with pytest.raises(InvalidConfigurationError, match=name) as caught:
        Client(**{"settings": Settings(), **options})
    assert "s3" not in str(caught.value)


def test_composition_makes_a_client():
    with compose(Settings(), transport=EmbeddedRegistry()) as composition:
        client = composition.client()
        client.push(f"{HOST}/a:v1", FILES)
        assert composition.repository(f"{HOST}/a").resolve("v1") == client.resolve(f"{HOST}/a:v1")


@pytest.mark.parametrize(
    "timeout", ["5", 0, -1, float("nan"), (1,), (1, 2, 3), (None, 5), (5, 0), (), [1, 2]]
)
def test_a_timeout_is_one_or_two_positive_numbers(timeout):
    with pytest.raises(InvalidConfigurationError, match=r"timeout.*seconds above 0"):
        compose(Settings(), timeout=timeout)


@pytest.mark.parametrize("title", [".", "./"])
def test_a_folder_with_the_title_of_a_dot_is_pulled_into_the_folder_itself(title, tmp_path):
    store, content = MemoryStore(), tgz(directory("."), member("a", b"a"), member("d/b", b"b"))
    push_blob(store, content)
    push_blob(store, b"{}")
    manifest = pack_manifest([layer(content, title, **{media_types.ANNOTATION_UNPACK: "true"})])
    push_document(store, manifest)
    store.tag(manifest.descriptor.plain(), "v1")
    out, new = tmp_path / "out", tmp_path / "new"
    with embedded_client("blocking") as client:
        assert client.pull((store, "v1"), out).files == (out,)
        assert (out / "d" / "b").read_bytes() == b"b"
        assert client.pull((store, "v1"), out, overwrite=False).files == ()
        assert client.pull((store, "v1"), new, overwrite=False).files == (new,)
        assert client.read((store, "v1"), "d/b") == b"b"
