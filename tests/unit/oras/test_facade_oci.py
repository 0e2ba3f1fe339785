from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oras.defaults
import oras.oci
import oras.schemas
from oras_core.errors import InvalidAnnotationError, InvalidDescriptorError


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_bytes(b'{"a": 1}')
    return str(path)


# --- the user guide's examples ------------------------------------------------------------


def test_empty_config_is_created():
    conf, config_file = oras.oci.ManifestConfig()
    assert conf == {
        "mediaType": "application/vnd.unknown.config.v1+json",
        "size": 0,
        "digest": "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    assert config_file == os.devnull


def test_config_is_created_from_a_file(config):
    conf, config_file = oras.oci.ManifestConfig(config)
    assert conf == {
        "mediaType": "application/vnd.unknown.config.v1+json",
        "size": 8,
        "digest": sha256(b'{"a": 1}'),
    }
    assert config_file == config


def test_layers_and_manifest_are_created(tmp_path):
    blobs = [tmp_path / "one", tmp_path / "two"]
    layers = []
    for blob in blobs:
        blob.write_text(blob.name)
        layer = oras.oci.NewLayer(blob, is_dir=False, media_type="org.dinosaur.tools.blobish")
        layer["annotations"] = {oras.defaults.annotation_title: os.path.basename(blob)}
        layers.append(layer)
    assert layers[0] == {
        "mediaType": "org.dinosaur.tools.blobish",
        "size": 3,
        "digest": sha256(b"one"),
        "annotations": {"org.opencontainers.image.title": "one"},
    }
    conf, _ = oras.oci.ManifestConfig()
    manifest = oras.oci.NewManifest()
    manifest["layers"] = layers
    manifest["annotations"] = {"org.dinosaur.tool.food": "avocado"}
    manifest["config"] = conf
    assert manifest == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": conf,
        "layers": layers,
        "annotations": {"org.dinosaur.tool.food": "avocado"},
    }


# --- beyond -------------------------------------------------------------------------------


def test_missing_config_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"absent\.json does not exist"):
        oras.oci.ManifestConfig(str(tmp_path / "absent.json"))


def test_config_has_the_requested_media_type(config):
    assert oras.oci.ManifestConfig(config, "application/x.y+json")[0]["mediaType"] == (
        "application/x.y+json"
    )


@pytest.mark.parametrize(
    "media_type", ["application/x.y+json", "application/vnd.oci.image.config.v1+json"]
)
def test_empty_config_of_a_known_media_type_is_json(media_type):
    conf, path = oras.oci.ManifestConfig(media_type=media_type)
    assert conf == {"mediaType": media_type, "size": 2, "digest": oras.defaults.blank_config_hash}
    assert path is None


def test_config_media_type_must_be_a_string():
    with pytest.raises(ValueError, match="mediaType is not a string"):
        oras.oci.ManifestConfig(media_type=1)


@pytest.mark.parametrize(
    ("given_type", "is_dir", "expected"),
    [
        (None, False, oras.defaults.default_blob_media_type),
        (None, True, oras.defaults.default_blob_dir_media_type),
        ("x/y", True, "x/y"),
    ],
)
def test_layer_has_a_default_media_type(config, given_type, is_dir, expected):
    layer = oras.oci.Layer(config, given_type, is_dir)
    assert layer.media_type == expected
    assert oras.oci.NewLayer(config, given_type, is_dir) == layer.to_dict()
    assert layer.blob_path == config


def test_layer_needs_a_file_and_a_string_media_type(config, tmp_path):
    with pytest.raises(FileNotFoundError):
        oras.oci.NewLayer(str(tmp_path / "absent"))
    with pytest.raises(InvalidDescriptorError):
        oras.oci.NewLayer(config, media_type=7)


def test_new_manifests_share_no_mutable_values():
    before = copy.deepcopy(oras.oci.EmptyManifest)
    manifest = oras.oci.NewManifest()
    manifest["layers"].append({})
    manifest["annotations"]["a"] = "b"
    assert oras.oci.NewManifest() == oras.oci.EmptyManifest == before
    assert list(before) == ["schemaVersion", "mediaType", "config", "layers", "annotations"]


def test_annotations_come_from_a_file_a_dictionary_or_none(tmp_path):
    sections = {"$manifest": {"a": "1"}, "$config": {"b": "2"}, "file": {"c": "3"}}
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(sections))
    for source in (str(path), path, sections):
        assert oras.oci.Annotations(source).lookup == sections
    for nothing in (None, {}, ""):
        assert oras.oci.Annotations(nothing).lookup == {}


def test_annotations_are_found_by_section_and_by_absolute_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    annotations = oras.oci.Annotations({str(tmp_path / "file"): {"a": "1"}})
    annotations.add("$manifest", "b", "2")
    annotations.add("$manifest", "c", "3")
    assert annotations.get_annotations("file") == {"a": "1"}
    assert annotations.get_annotations("$manifest") == {"b": "2", "c": "3"}
    assert annotations.get_annotations("other") == {}


def test_get_annotations_returns_a_copy():
    source = {"$manifest": {"a": "1"}}
    annotations = oras.oci.Annotations(source)
    annotations.get_annotations("$manifest")["a"] = "changed"
    source["$manifest"]["a"] = "changed"
    assert annotations.get_annotations("$manifest") == {"a": "1"}


def test_missing_annotation_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"Annotation file .*absent does not exist\."):
        oras.oci.Annotations(str(tmp_path / "absent"))


@pytest.mark.parametrize("content", ["[]", "{", '{"a": 1}', '{"a": {"b": 1}}'])
def test_invalid_annotation_file_is_refused(tmp_path, content):
    path = tmp_path / "annotations.json"
    path.write_text(content)
    with pytest.raises(InvalidAnnotationError):
        oras.oci.Annotations(str(path))


def test_subject_of_a_new_manifest_equals_oras_py_s():
    subject = oras.oci.Subject.from_manifest(oras.oci.NewManifest())
    assert dataclasses.asdict(subject) == {
        "mediaType": oras.defaults.default_manifest_media_type,
        "digest": "sha256:7a6f84d8c73a71bf9417c13f721ed102f74afac9e481f89e5a72d28954e7d0c5",
        "size": 126,
    }


def test_subject_of_a_received_manifest_has_the_digest_of_its_bytes():
    content = b'{ "schemaVersion":2 }\n'
    manifest = oras.oci.ReceivedManifest(content)
    assert manifest == {"schemaVersion": 2}
    subject = oras.oci.Subject.from_manifest(manifest)
    assert (subject.digest, subject.size) == (sha256(content), len(content))
    assert subject.mediaType == oras.defaults.default_manifest_media_type
    manifest["annotations"] = {}
    assert oras.oci.Subject.from_manifest(manifest).digest == sha256(json.dumps(manifest).encode())


@given(st.binary(max_size=100_000))
def test_layer_has_the_size_and_digest_of_its_file(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("layer") / "blob"
    path.write_bytes(content)
    layer = oras.oci.NewLayer(str(path))
    assert (layer["size"], layer["digest"]) == (len(content), sha256(content))


def test_blank_digests_are_those_of_empty_bytes_and_of_an_empty_object():
    assert oras.defaults.blank_hash == sha256(b"")
    assert oras.defaults.blank_config_hash == sha256(b"{}")


def test_schemas_are_plain_json():
    names = [name for name in vars(oras.schemas) if not name.startswith("_")]
    for name in names:
        value = getattr(oras.schemas, name)
        if isinstance(value, dict):
            assert json.loads(json.dumps(value)) == value
    assert oras.schemas.manifest["required"] == ["schemaVersion", "config", "layers"]
    assert oras.schemas.index["properties"]["manifests"]["items"] == oras.schemas.manifestRef
    assert oras.schemas.layer["properties"] == oras.schemas.layerProperties["properties"]
