"""Programs upload an empty config in several ways; each gives an artifact that can be pulled."""

from __future__ import annotations

import os

import pytest

import oras.client
import oras.defaults
import oras.oci
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import ContentError
from oras_core.model.digest import Digest
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing import EmbeddedRegistry

MEDIA_TYPES = [
    None,
    oras.defaults.unknown_config_media_type,
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.example.config",
]


@pytest.fixture
def registry():
    return EmbeddedRegistry()


@pytest.fixture
def client(registry):
    with RegistryServer(registry) as server:
        yield oras.client.OrasClient(hostname=server.address)


def empty_file(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
@pytest.mark.parametrize("habit", ["as returned", "None", "null device", "file", "empty file"])
@pytest.mark.parametrize("method", ["upload_blob", "put_upload", "chunked_upload"])
def test_every_way_to_upload_an_empty_config_works(
    client, registry, tmp_path, media_type, habit, method
):
    conf, returned = oras.oci.ManifestConfig(media_type=media_type)
    path = {
        "as returned": returned,
        "None": None,
        "null device": os.devnull,
        "file": empty_file(tmp_path, b"{}"),
        "empty file": empty_file(tmp_path, b"") if habit == "empty file" else None,
    }[habit]
    assert getattr(client, method)(path, client.get_container("a/b"), conf).ok
    manifest = {**oras.oci.NewManifest(), "config": conf}
    client.upload_manifest(manifest, "a/b:v1")
    assert client.pull("a/b:v1", outdir=str(tmp_path / "out")) == []
    core = RemoteRegistry(client.hostname, registry).repository("a/b")
    descriptor = core.describe_blob(Digest.parse(conf["digest"]))
    assert descriptor.size == conf["size"]


def test_other_file_must_match_its_descriptor(client, tmp_path):
    conf, _ = oras.oci.ManifestConfig()
    (tmp_path / "other.json").write_text("[]")
    with pytest.raises(ContentError):
        client.upload_blob(str(tmp_path / "other.json"), "a/b", conf)
