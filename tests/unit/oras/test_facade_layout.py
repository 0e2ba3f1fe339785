"""`oras.layout`: what makes a layout, and the way between it and a registry."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import oras
from oras import schemas
from oras.client import OrasClient
from oras.layout import Layout, NewLayout, NewLayoutFromRegistry
from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import BytesSource
from oras_core.errors import (
    DigestMismatchError,
    InvalidDigestError,
    InvalidManifestError,
    InvalidReferenceError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_access import push_artifact, push_blob, push_document
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.world_client import inhabit

VALID = {"oci-layout": {"imageLayoutVersion": "1.0.0"}, "index.json": {"schemaVersion": 2}}


def lay(path, files=VALID, *, blobs=True):
    path.mkdir()
    if blobs:
        (path / "blobs").mkdir()
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / name).write_text(text)
    return str(path)


# --- Validation ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"oci-layout": {"imageLayoutVersion": "1.0.0", "other": 1}},
        {"index.json": {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "x": {}}},
    ],
)
def test_valid_layout_is_opened(tmp_path, changes):
    path = lay(tmp_path / "layout", {**VALID, **changes})
    assert NewLayout(path).validate() == path
    assert Layout.is_oci_layout(path) is True


WRONG = [
    ("oci-layout", "{no", "'oci-layout' is not valid JSON"),
    ("oci-layout", [], "'oci-layout' must contain a JSON object"),
    ("oci-layout", {}, "'oci-layout' must contain 'imageLayoutVersion' property"),
    ("oci-layout", {"imageLayoutVersion": 1.0}, "must be the string '1.0.0', got: 1.0"),
    ("oci-layout", {"imageLayoutVersion": "1.1.0"}, "'1.0.0', got: '1.1.0'"),
    ("index.json", "", "'index.json' is not valid JSON"),
    ("index.json", "[" * 100_000, "'index.json' is not valid JSON"),
    ("index.json", "x", "'index.json' is not valid JSON"),
    ("index.json", "null", "'index.json' must contain a JSON object"),
    ("index.json", {}, "'index.json' must contain 'schemaVersion' property"),
    ("index.json", {"schemaVersion": 1}, "schemaVersion must be 2, got: 1"),
    ("index.json", {"schemaVersion": 2, "mediaType": "x"}, f"'{media_types.OCI_INDEX}', got: 'x'"),
]


@pytest.mark.parametrize(("name", "content", "message"), WRONG)
def test_invalid_layout_is_an_error(tmp_path, name, content, message):
    path = lay(tmp_path / "layout", {**VALID, name: content})
    with pytest.raises(ValueError, match=re.escape(message)):
        Layout(path)
    assert Layout.is_oci_layout(path) is False


@pytest.mark.parametrize("name", ["oci-layout", "index.json", "blobs"])
def test_missing_layout_file_is_named(tmp_path, name):
    path = lay(tmp_path / "layout")
    lost = tmp_path / "layout" / name
    shutil.rmtree(lost) if lost.is_dir() else lost.unlink()
    with pytest.raises(FileNotFoundError, match=f"'{name}' not found in") as caught:
        Layout(path)
    assert path in str(caught.value)
    assert not Layout.is_oci_layout(path)


def test_path_that_is_not_a_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="Path does not exist: "):
        Layout(str(tmp_path / "missing"))
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(ValueError, match="Path is not a directory: "):
        Layout(str(file))
    path = lay(tmp_path / "layout", blobs=False)
    (tmp_path / "layout" / "blobs").write_text("x")
    with pytest.raises(ValueError, match="'blobs' must be a directory, not a file"):
        Layout(path)


def test_tilde_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    path = lay(tmp_path / "layout")
    assert Layout("~/layout").validate() == path


def test_layout_is_an_attribute_of_the_package():
    assert oras.layout.Layout is Layout
    assert schemas.index


# --- Content ------------------------------------------------------------------------------


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "layout")


@pytest.fixture
def store(path):
    return OciLayoutStore(LocalFileTree(path, create=True))


def artifact(store, tag, *layers, subject=None):
    manifest = push_artifact(store, *layers, subject=subject)
    store.tag(manifest.descriptor, tag)
    return manifest


def test_blobs_of_a_manifest_are_listed_in_order(path, store):
    manifest = artifact(store, "latest", b"a", b"b", b"a")
    a, b, _ = (str(layer.digest) for layer in manifest.layers)
    config = str(manifest.config.digest)
    assert Layout(path).get_ordered_blobs() == [a, b, config, str(manifest.digest)]


def test_blobs_of_an_index_are_listed_in_order(path, store):
    first, second = push_artifact(store, b"a", b"shared"), push_artifact(store, b"shared")
    inner = codec.encode_index(manifests=[second.descriptor])
    push_document(store, inner)
    outer = codec.encode_index(manifests=[first.descriptor, inner.descriptor, first.descriptor])
    store.tag(push_document(store, outer), "v1")
    a, shared = (str(layer.digest) for layer in first.layers)
    assert Layout(path).get_ordered_blobs("v1") == [
        a,
        shared,
        str(first.config.digest),
        str(first.digest),
        str(second.digest),
        str(inner.digest),
        str(outer.digest),
    ]


def test_docker_manifests_are_listed(path, store):
    config, layer = push_blob(store, b"{}"), push_blob(store, b"layer")
    manifest = codec.encode_manifest(
        config=config, layers=[layer], media_type=media_types.DOCKER_MANIFEST
    )
    store.tag(push_document(store, manifest), "latest")
    assert len(Layout(path).get_ordered_blobs()) == 3


def test_missing_tag_or_blob_is_an_error(path, store):
    manifest = artifact(store, "latest", b"layer")
    layout = Layout(path)
    with pytest.raises(ValueError, match="Tag 'nonexistent' not found in index"):
        layout.get_ordered_blobs("nonexistent")
    layout.digest_to_blob_path(str(manifest.digest)).unlink()
    with pytest.raises(
        FileNotFoundError, match=f"Blob not found: the manifest of tag 'latest' in {path}"
    ):
        layout.get_ordered_blobs()
    with pytest.raises(FileNotFoundError, match="Path does not exist: "):
        Layout(path + "-missing", validate=False).get_ordered_blobs()


def test_malformed_manifest_is_a_value_error(path, store):
    index = f'{{"schemaVersion": 2, "manifests": [], "mediaType": "{media_types.DOCKER_MANIFEST}"}}'
    store.push(Descriptor.of(b"{}", "a/b"), BytesSource(b"{}"))
    Path(path, "index.json").write_text(index)
    with pytest.raises(InvalidManifestError) as caught:
        Layout(path, validate=False).get_ordered_blobs()
    assert isinstance(caught.value, ValueError)


def test_blobs_are_found_by_digest(path, store):
    blob = push_blob(store, b"blob")
    layout = Layout(path)
    assert layout.digest_to_blob_path(str(blob.digest)).read_bytes() == b"blob"
    assert layout.blob_exists(str(blob.digest)) is True
    assert layout.blob_exists(f"sha256:{'0' * 64}") is False
    for malformed in ("sha256:0000", "sha256:../../../etc/passwd", "", "sha256"):
        assert layout.blob_exists(malformed) is False
        with pytest.raises(InvalidDigestError):
            layout.digest_to_blob_path(malformed)


# --- From and to a registry ---------------------------------------------------------------


@pytest.fixture
def registry(monkeypatch):
    transport = EmbeddedRegistry()
    inhabit(monkeypatch, transport)
    return transport


@pytest.fixture
def client(registry):
    return OrasClient()


def test_push_and_pull_of_a_layout_round_trips(path, store, client, tmp_path):
    manifest = artifact(store, "mine", b"a", b"b")
    layout = Layout(path)
    response = layout.push_to_registry(client, "r.example/app:v1", tag="mine")
    assert (response.status_code, response.ok) == (201, True)
    assert response.headers["Docker-Content-Digest"] == str(manifest.digest)
    assert client.get_tags("r.example/app") == ["v1"]
    back = NewLayoutFromRegistry(str(tmp_path / "a" / "back"), client, "r.example/app:v1", "again")
    back.validate()
    assert back.get_ordered_blobs("again") == layout.get_ordered_blobs("mine")
    for digest in back.get_ordered_blobs("again"):
        ours, theirs = (one.digest_to_blob_path(digest) for one in (layout, back))
        assert ours.read_bytes() == theirs.read_bytes()
    index = json.loads((tmp_path / "a" / "back" / "index.json").read_text())
    (entry,) = index["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "again"}


def test_pull_keeps_existing_tags(path, store, client):
    artifact(store, "old", b"old")
    artifact(store, "latest", b"latest")
    layout = Layout(path)
    layout.push_to_registry(client, "r.example/app:v1", tag="old")
    layout.pull_from_registry(client, "r.example/app:v1")
    assert sorted(store.tags()) == ["latest", "old"]
    assert layout.get_ordered_blobs() == layout.get_ordered_blobs("old")


def test_pull_by_digest(path, store, client, tmp_path):
    manifest = artifact(store, "latest", b"a")
    Layout(path).push_to_registry(client, "r.example/app:v1")
    back = NewLayoutFromRegistry(str(tmp_path / "b"), client, f"r.example/app@{manifest.digest}")
    assert back.get_ordered_blobs()[-1] == str(manifest.digest)


def test_subject_of_an_artifact_is_not_transferred(path, store, client, tmp_path):
    absent = Descriptor.of(b"{}", media_types.OCI_MANIFEST)
    attached = artifact(store, "latest", b"signature", subject=absent)
    Layout(path).push_to_registry(client, "r.example/app:v1")
    back = NewLayoutFromRegistry(str(tmp_path / "b"), client, "r.example/app:v1")
    assert back.get_ordered_blobs()[-1] == str(attached.digest)


def test_push_in_chunks(path, store, client, registry):
    artifact(store, "latest", b"twelve bytes")
    layout = Layout(path)
    layout.push_to_registry(client, "r.example/app:v1", do_chunked=True, chunk_size=5)
    assert [request.method for request in registry.requests].count("PATCH") >= 3


def test_existing_blobs_are_not_transferred_again(path, store, client, registry):
    artifact(store, "latest", b"a", b"b")
    layout = Layout(path)
    layout.push_to_registry(client, "r.example/app:v1")
    before = len(registry.requests)
    layout.push_to_registry(client, "r.example/app:v2")
    assert client.get_tags("r.example/app") == ["v1", "v2"]
    assert not any("/blobs/" in request.path for request in registry.requests[before:])


@pytest.mark.parametrize("target", ["", "app", "r.example/app", "r.example/app:"])
def test_push_without_a_tag_is_refused(path, store, client, registry, target):
    artifact(store, "latest", b"a")
    with pytest.raises(ValueError, match="Target must include a tag in format") as caught:
        Layout(path).push_to_registry(client, target)
    assert str(caught.value).endswith(f"got: {target}")
    assert registry.requests == ()


def test_push_to_a_different_digest_is_refused(path, store, client, registry):
    manifest = artifact(store, "latest", b"a")
    with pytest.raises(DigestMismatchError):
        Layout(path).push_to_registry(client, f"r.example/app@sha256:{'0' * 64}")
    assert registry.requests == ()
    Layout(path).push_to_registry(client, f"r.example/app@{manifest.digest}")
    assert client.get_manifest(f"r.example/app@{manifest.digest}")["layers"]
    assert client.get_tags("r.example/app") == []


def test_push_of_a_missing_blob_is_an_error(path, store, client, registry):
    manifest = artifact(store, "latest", b"a")
    layout = Layout(path)
    layout.digest_to_blob_path(str(manifest.layers[0].digest)).unlink()
    with pytest.raises(FileNotFoundError, match="Blob not found: "):
        layout.push_to_registry(client, "r.example/app:v1")
    assert registry.requests == ()


def test_changed_blob_is_not_pushed(path, store, client):
    manifest = artifact(store, "latest", b"content")
    layout = Layout(path)
    layout.digest_to_blob_path(str(manifest.layers[0].digest)).write_bytes(b"CONTENT")
    with pytest.raises(DigestMismatchError):
        layout.push_to_registry(client, "r.example/app:v1")
    with pytest.raises(ValueError, match="404"):
        client.get_manifest("r.example/app:v1")


def test_pull_of_a_missing_artifact_makes_no_folder(client, tmp_path):
    path = tmp_path / "layout"
    for target, error in (("", "does not match"), ("r.example/app:v1", "404")):
        with pytest.raises(ValueError, match=error):
            NewLayoutFromRegistry(str(path), client, target)
    with pytest.raises(InvalidReferenceError):
        NewLayoutFromRegistry(str(path), client, "r.example/app:v1", tag="no tag")
    assert not path.exists()


def test_new_layout_needs_an_empty_folder(client, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(FileExistsError, match="Directory is not empty: "):
        NewLayoutFromRegistry(str(tmp_path), client, "r.example/app:v1")
    with pytest.raises(ValueError, match="Path exists and is not a directory: "):
        NewLayoutFromRegistry(str(tmp_path / "file"), client, "r.example/app:v1")
