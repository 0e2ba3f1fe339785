"""Layouts on disk between this library, real registries and skopeo."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oras.client import OrasClient
from oras.layout import Layout, NewLayoutFromRegistry
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_access import push_artifact, push_document, read

CONFIG = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers"}})


@pytest.fixture
def client():
    return OrasClient()


@pytest.fixture
def target(open_registry, repository_name):
    return f"{open_registry.address}/{repository_name}:v1"


@pytest.fixture
def artifact(tmp_path, monkeypatch):
    """Push options of an artifact that skopeo takes for an image."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "layer.txt").write_text("layer\n")
    (work / "config.json").write_text(CONFIG)
    monkeypatch.chdir(work)
    return {
        "files": ["layer.txt:application/vnd.oci.image.layer.v1.tar"],
        "manifest_config": "config.json:application/vnd.oci.image.config.v1+json",
        "quiet": True,
    }


def digest_of(response):
    return response.headers["Docker-Content-Digest"]


def store_at(path):
    return OciLayoutStore(LocalFileTree(path, create=True))


def test_skopeo_reads_our_layout(client, target, artifact, skopeo, tmp_path):
    digest = digest_of(client.push(target, **artifact))
    layout = NewLayoutFromRegistry(str(tmp_path / "layout"), client, target, tag="mine")
    layout.validate()
    inspected = json.loads(skopeo("inspect", f"oci:{tmp_path / 'layout'}:mine"))
    assert inspected["Digest"] == digest
    skopeo(
        "copy",
        "--preserve-digests",
        f"oci:{tmp_path / 'layout'}:mine",
        f"oci:{tmp_path / 'copy'}:theirs",
    )
    assert Layout(str(tmp_path / "copy")).get_ordered_blobs("theirs")[-1] == digest


def test_layout_of_skopeo_is_read(client, target, artifact, skopeo, tmp_path):
    digest = digest_of(client.push(target, **artifact))
    for tag in ("one", "two"):
        skopeo(
            "copy", "--preserve-digests", f"docker://{target}", f"oci:{tmp_path / 'layout'}:{tag}"
        )
    layout = Layout(str(tmp_path / "layout"))
    again = target.replace(":v1", "/again:v2")
    assert digest_of(layout.push_to_registry(client, again, tag="two")) == digest
    assert client.get_tags(again) == ["v2"]
    assert [Path(path).read_text() for path in client.pull(again)] == ["layer\n"]


def test_skopeo_and_this_library_write_into_one_layout(client, target, artifact, skopeo, tmp_path):
    client.push(target, **artifact)
    layout = Layout(str(tmp_path / "layout"), validate=False)
    layout.pull_from_registry(client, target, tag="ours")
    skopeo("copy", "--preserve-digests", f"docker://{target}", f"oci:{tmp_path / 'layout'}:theirs")
    layout.pull_from_registry(client, target, tag="again")
    store = store_at(tmp_path / "layout")
    assert list(store.tags()) == ["again", "ours", "theirs"]
    skopeo("inspect", f"oci:{tmp_path / 'layout'}:ours")
    skopeo("inspect", f"oci:{tmp_path / 'layout'}:again")


@pytest.mark.parametrize("chunked", [False, True])
def test_index_round_trips_through_a_registry(client, target, skopeo, tmp_path, chunked):
    store = store_at(tmp_path / "layout")
    parts = [
        Descriptor(
            manifest.media_type,
            manifest.digest,
            len(manifest.content),
            platform=Platform("linux", architecture),
        )
        for architecture in ("amd64", "arm64")
        for manifest in [push_artifact(store, b"shared", architecture.encode())]
    ]
    index = codec.encode_index(manifests=parts, media_type=media_types.OCI_INDEX)
    store.tag(push_document(store, index), "latest")
    response = Layout(str(tmp_path / "layout")).push_to_registry(
        client, target, do_chunked=chunked, chunk_size=3
    )
    assert response.status_code == 201
    assert digest_of(response) == str(index.digest)
    back = NewLayoutFromRegistry(
        str(tmp_path / "back"), client, f"{target.rpartition(':')[0]}@{index.digest}"
    )
    there = Layout(str(tmp_path / "layout"))
    assert back.get_ordered_blobs() == there.get_ordered_blobs()
    for digest in back.get_ordered_blobs():
        ours, theirs = back.digest_to_blob_path(digest), there.digest_to_blob_path(digest)
        assert ours.read_bytes() == theirs.read_bytes()
    assert read(store_at(tmp_path / "back"), index.descriptor) == index.content


def test_interrupted_pull_is_resumed(client, target, artifact, tmp_path, open_registry):
    client.push(target, **artifact)
    layout = Layout(str(tmp_path / "layout"), validate=False)
    layout.pull_from_registry(client, target)
    *parts, _ = layout.get_ordered_blobs()
    layout.digest_to_blob_path(layout.get_ordered_blobs()[-1]).unlink()
    with open_registry.recording() as requests:
        layout.pull_from_registry(client, target)
    fetched = [request.path for request in requests if request.method == "GET"]
    assert not any(digest in path for path in fetched for digest in parts)
    assert layout.get_ordered_blobs()[:-1] == parts
