from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidManifestError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.packing.manifest import created_at, empty_config, pack_manifest
from support import strategies

LAYER = Descriptor.of(b"layer", "text/plain", annotations={"a": "1"})
CONFIG = Descriptor.of(b'{"a": 1}', "application/vnd.example.config+json")
SUBJECT = Descriptor(
    media_types.OCI_MANIFEST, LAYER.digest, 7, annotations={"a": "1"}, artifact_type="a/b"
)


def document(manifest):
    return json.loads(manifest.content)


def test_empty_config_r22():
    config = empty_config()
    assert str(config.digest) == (
        "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    assert (config.size, config.data) == (2, b"{}")
    assert config.media_type == "application/vnd.oci.empty.v1+json"


def test_smallest_artifact():
    """The image spec has the empty descriptor as the layer of an artifact without content."""
    manifest = pack_manifest([])
    empty = {
        "mediaType": "application/vnd.oci.empty.v1+json",
        "digest": str(empty_config().digest),
        "size": 2,
        "data": "e30=",
    }
    assert document(manifest) == {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.unknown.artifact.v1",
        "config": empty,
        "layers": [empty],
    }


def test_artifact_of_a_config_has_no_layer_unless_it_has_a_type():
    assert pack_manifest([], config=CONFIG).layers == ()
    typed = pack_manifest([], config=CONFIG, artifact_type="application/vnd.example")
    assert typed.layers == (empty_config(),)


def test_artifact_with_every_member():
    manifest = pack_manifest(
        [LAYER, LAYER],
        artifact_type="application/vnd.example",
        config=CONFIG,
        subject=SUBJECT,
        annotations={"b": "2"},
    )
    assert manifest.config == CONFIG
    assert manifest.layers == (LAYER, LAYER)
    assert manifest.artifact_type == "application/vnd.example"
    assert manifest.annotations == {"b": "2"}
    # Media type, digest and size are all that names a subject.
    assert manifest.subject == SUBJECT.plain()
    assert codec.decode(manifest.content) == manifest


def test_artifact_type_is_set_for_an_empty_config():
    assert pack_manifest([], config=CONFIG).artifact_type is None
    assert pack_manifest([], config=CONFIG).effective_artifact_type == CONFIG.media_type
    own_empty = Descriptor.of(b"{}", media_types.OCI_EMPTY, annotations={"a": "1"})
    manifest = pack_manifest([], config=own_empty)
    assert manifest.artifact_type == media_types.UNKNOWN_ARTIFACT
    assert manifest.config == own_empty


def test_no_annotations_are_added():
    # A time of creation would give every push another digest.
    assert "annotations" not in document(pack_manifest([LAYER]))
    assert pack_manifest([LAYER]).digest == pack_manifest([LAYER]).digest


def test_image_spec_1_0():
    manifest = pack_manifest([LAYER], version="1.0")
    assert set(document(manifest)) == {"schemaVersion", "mediaType", "config", "layers"}
    assert manifest.config == Descriptor.of(b"{}", media_types.UNKNOWN_CONFIG)
    typed = pack_manifest([LAYER], version="1.0", artifact_type="application/vnd.example")
    assert typed.artifact_type is None
    assert typed.effective_artifact_type == "application/vnd.example"
    own = pack_manifest([LAYER], version="1.0", config=CONFIG, annotations={"a": "1"})
    assert (own.config, own.annotations) == (CONFIG, {"a": "1"})


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"subject": SUBJECT}, "has no subject"),
        ({"config": CONFIG, "artifact_type": "a/b"}, "has no artifactType"),
    ],
)
def test_members_unknown_to_image_spec_1_0_are_refused(arguments, reason):
    with pytest.raises(InvalidManifestError, match=reason):
        pack_manifest([LAYER], version="1.0", **arguments)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
@pytest.mark.parametrize("artifact_type", ["", "example", "a/b/c", "a b/c", "a/b;c=d", "a/b\n"])
def test_a_new_artifact_type_follows_rfc_6838(version, artifact_type):
    with pytest.raises(InvalidManifestError) as caught:
        pack_manifest([], artifact_type=artifact_type, version=version)
    assert caught.value.location == "artifactType"


@given(
    st.lists(strategies.descriptors, max_size=3),
    st.none() | strategies.media_types,
    st.none() | strategies.descriptors,
    st.none() | strategies.descriptors,
    strategies.annotations,
)
def test_packed_manifest_is_decoded(layers, artifact_type, config, subject, annotations):
    manifest = pack_manifest(
        layers,
        artifact_type=artifact_type,
        config=config,
        subject=subject,
        annotations=annotations,
    )
    assert codec.decode(manifest.content) == manifest
    without = (empty_config(),) if manifest.artifact_type else ()
    assert manifest.layers == (tuple(layers) or without)
    assert manifest.subject == (subject and subject.plain())
    assert manifest.effective_artifact_type


# --- When it was made ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "1970-01-01T00:00:00Z"), (1_700_000_000, "2023-11-14T22:13:20Z")],
)
def test_created_time_is_written_by_rfc_3339(seconds, text):
    assert created_at(seconds) == {"org.opencontainers.image.created": text}


def test_invalid_date_is_refused():
    with pytest.raises(InvalidManifestError, match="not a valid date"):
        created_at(10**20)


def test_manifest_has_no_time_by_default():
    assert pack_manifest([]) == pack_manifest([])
    assert b"created" not in pack_manifest([]).content
