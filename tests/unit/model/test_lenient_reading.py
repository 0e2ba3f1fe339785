"""Documents of other clients: Go's zero values are read as absent, and never written."""

from __future__ import annotations

import json

import pytest

from oras_core.errors import InvalidManifestError
from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.codec import decode, encode_index, encode_manifest
from oras_core.model.descriptor import Descriptor
from support.wire_documents import LEAF, index, layer, manifest


def only_layer(**members):
    return decode(manifest(layers=[{**LEAF, **members}])).layers[0]


@pytest.mark.parametrize(
    "members",
    [
        {"platform": {}},
        {"platform": None},
        {"platform": {"os": "", "architecture": ""}},
        {"platform": {"architecture": "amd64"}},
        {"platform": {"os": "linux"}},
        {"platform": {"os": None, "architecture": "amd64"}},
        {"artifactType": ""},
        {"artifactType": None},
        {"urls": None},
        {"annotations": None},
        {"annotations": {}},
        {"data": None},
    ],
    ids=json.dumps,
)
def test_an_empty_member_of_a_descriptor_is_absent(members):
    assert only_layer(**members) == only_layer()


def test_empty_members_of_a_platform_are_absent():
    named = {"os": "linux", "architecture": "amd64"}
    empty = {"variant": "", "os.version": "", "os.features": None}
    assert only_layer(platform={**named, **empty}) == only_layer(platform=named)


def test_a_null_annotation_is_an_empty_string():
    assert only_layer(annotations={"a": None, "b": "c"}).annotations == {"a": "", "b": "c"}
    assert decode(manifest(annotations={"a": None})).annotations == Annotations({"a": ""})


def test_an_index_with_an_empty_platform_is_readable():
    decoded = decode(index(manifests=[{**LEAF, "platform": {}}]))
    assert [entry.platform for entry in decoded.manifests] == [None]


@pytest.mark.parametrize(
    ("content", "location"),
    [
        (layer(platform={"os": 1, "architecture": "amd64"}), "layers[1].platform.os"),
        (layer(platform="linux"), "layers[1].platform"),
        (layer(platform=[]), "layers[1].platform"),
        (layer(artifactType=0), "layers[1].artifactType"),
        (layer(artifactType=" "), "layers[1]"),
        (layer(annotations={"a": 1}), "layers[1].annotations"),
        (layer(annotations={"a": False}), "layers[1].annotations"),
        (layer(mediaType=""), "layers[1]"),
        (layer(size=None), "layers[1].size"),
        (layer(digest=""), "layers[1].digest"),
    ],
)
def test_wrong_values_are_refused_as_before(content, location):
    with pytest.raises(InvalidManifestError) as caught:
        decode(content)
    assert caught.value.location == location


def test_leniently_read_document_is_written_strictly():
    entry = {**LEAF, "artifactType": "", "platform": {}, "annotations": {"a": None}, "urls": None}
    written = json.loads(encode_index(manifests=decode(index(manifests=[entry])).manifests).content)
    assert written["manifests"] == [
        {
            "mediaType": LEAF["mediaType"],
            "digest": LEAF["digest"],
            "size": LEAF["size"],
            "annotations": {"a": ""},
        }
    ]


# --- Artifact manifests -------------------------------------------------------------------


@pytest.fixture(params=media_types.ARTIFACT_MANIFESTS)
def artifact(request):
    return {
        "mediaType": request.param,
        "artifactType": "application/vnd.example.sbom",
        "blobs": [LEAF],
        "subject": {**LEAF, "mediaType": media_types.OCI_MANIFEST},
        "annotations": {"a": "b"},
    }


def encoded(document):
    return json.dumps(document).encode()


def test_an_artifact_manifest_is_a_manifest_whose_layers_are_its_blobs(artifact):
    decoded = decode(encoded(artifact), artifact["mediaType"])
    leaf = decode(manifest(layers=[LEAF])).layers[0]
    assert decoded.layers == decoded.blobs == (leaf,)
    assert decoded.successors == (decoded.subject, leaf)
    assert (decoded.artifact_type, decoded.annotations) == (artifact["artifactType"], {"a": "b"})
    assert decoded.descriptor.has_successors
    assert decoded.is_artifact


def test_artifact_manifest_has_no_config(artifact):
    decoded = decode(encoded(artifact))
    assert (decoded.config.media_type, decoded.config.data) == (media_types.OCI_EMPTY, b"{}")
    assert decoded.config not in decoded.successors
    del artifact["artifactType"]
    assert decode(encoded(artifact)).effective_artifact_type is None


@pytest.mark.parametrize("blobs", [None, []])
def test_artifact_manifest_can_have_no_blobs(artifact, blobs):
    assert decode(encoded({**artifact, "blobs": blobs})).layers == ()
    del artifact["blobs"]
    assert decode(encoded(artifact)).layers == ()


@pytest.mark.parametrize("member", ["layers", "config", "manifests"])
def test_members_of_other_documents_make_it_ambiguous(artifact, member):
    with pytest.raises(InvalidManifestError, match="ambiguous"):
        decode(encoded({**artifact, member: []}))


@pytest.mark.parametrize("document", [manifest(blobs=[]), index(blobs=[])])
def test_blobs_make_other_documents_ambiguous(document):
    with pytest.raises(InvalidManifestError, match="ambiguous"):
        decode(document)


def test_a_malformed_blob_is_reported_with_its_place(artifact):
    with pytest.raises(InvalidManifestError) as caught:
        decode(encoded({**artifact, "blobs": [LEAF, {**LEAF, "size": "1"}]}))
    assert caught.value.location == "blobs[1].size"


def test_descriptor_of_an_artifact_manifest_has_successors():
    for media_type in media_types.ARTIFACT_MANIFESTS:
        assert Descriptor.of(b"{}", media_type).is_manifest


@pytest.mark.parametrize("media_type", media_types.ARTIFACT_MANIFESTS)
def test_artifact_manifest_is_never_written(media_type):
    with pytest.raises(InvalidManifestError, match="read and not written"):
        encode_manifest(config=Descriptor.of(b"{}", "a/b"), layers=[], media_type=media_type)
