from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidManifestError
from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.codec import (
    decode,
    decode_index,
    decode_manifest,
    encode_index,
    encode_manifest,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.platform import Platform
from support import strategies
from support.wire_documents import LEAF, MISSING, ZEROS, index, layer, manifest

DESCRIPTOR = Descriptor("text/plain", Digest.parse(ZEROS), 3)


# --- Reading what is right ----------------------------------------------------------------


def test_a_manifest_with_all_members():
    content = manifest(
        artifactType="application/vnd.example+type",
        subject={**LEAF, "mediaType": media_types.OCI_MANIFEST},
        annotations={"b": "1", "a": ""},
        layers=[
            {
                **LEAF,
                "urls": ["https://elsewhere.example/x"],
                "annotations": {"c": "d"},
                "artifactType": "e/f",
                "platform": {
                    "os": "linux",
                    "architecture": "arm",
                    "variant": "v7",
                    "os.version": "1",
                    "os.features": ["x", "y"],
                },
            }
        ],
    )
    decoded = decode(content)
    assert decoded == Manifest(
        media_type=media_types.OCI_MANIFEST,
        config=DESCRIPTOR,
        layers=(
            Descriptor(
                "text/plain",
                Digest.parse(ZEROS),
                3,
                urls=("https://elsewhere.example/x",),
                annotations={"c": "d"},
                artifact_type="e/f",
                platform=Platform("linux", "arm", "v7", "1", ("x", "y")),
            ),
        ),
        subject=Descriptor(media_types.OCI_MANIFEST, Digest.parse(ZEROS), 3),
        artifact_type="application/vnd.example+type",
        annotations=Annotations({"a": "", "b": "1"}),
        content=content,
    )


def test_the_bytes_are_kept_as_received():
    content = b"\n " + manifest() + b"\r\n"
    decoded = decode(content)
    assert decoded.content == content
    assert decoded.digest == Digest.of(content)
    assert decoded.descriptor == Descriptor.of(content, media_types.OCI_MANIFEST)


def test_an_index_and_its_descriptor():
    content = index(artifactType="a/b")
    decoded = decode_index(content)
    assert decoded.manifests == (DESCRIPTOR,)
    assert decoded.descriptor == Descriptor(
        media_types.OCI_INDEX, Digest.of(content), len(content), artifact_type="a/b"
    )


def test_successors_start_with_the_subject():
    subject = {**LEAF, "size": 1}
    config = {**LEAF, "size": 2}
    found = decode(manifest(subject=subject, config=config)).successors
    assert [descriptor.size for descriptor in found] == [1, 2, 3]
    found = decode(index(subject=subject)).successors
    assert [descriptor.size for descriptor in found] == [1, 3]


@pytest.mark.parametrize(
    ("content", "kind", "media_type"),
    [
        (manifest(), Manifest, media_types.OCI_MANIFEST),
        (manifest(mediaType=media_types.DOCKER_MANIFEST), Manifest, media_types.DOCKER_MANIFEST),
        (index(), Index, media_types.OCI_INDEX),
        (
            index(mediaType=media_types.DOCKER_MANIFEST_LIST),
            Index,
            media_types.DOCKER_MANIFEST_LIST,
        ),
    ],
)
@pytest.mark.parametrize("announced", [True, False])
def test_four_manifest_types_are_decoded(content, kind, media_type, announced):
    decoded = decode(content, media_type if announced else None)
    assert type(decoded) is kind
    assert decoded.media_type == media_type
    if kind is Manifest:
        assert decoded.is_docker is (media_type == media_types.DOCKER_MANIFEST)


@pytest.mark.parametrize("absent", [MISSING, None, ""])
@pytest.mark.parametrize(
    ("content", "announced", "media_type"),
    [
        (manifest, None, media_types.OCI_MANIFEST),
        (manifest, media_types.OCI_MANIFEST, media_types.OCI_MANIFEST),
        (manifest, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        (index, None, media_types.OCI_INDEX),
        (index, media_types.DOCKER_MANIFEST_LIST, media_types.DOCKER_MANIFEST_LIST),
    ],
)
def test_missing_media_type_is_taken_from_the_announcement_or_the_members(
    content, announced, media_type, absent
):
    assert decode(content(mediaType=absent), announced).media_type == media_type


@pytest.mark.parametrize(
    ("document", "attribute", "value"),
    [
        (manifest(layers=None), "layers", ()),
        (manifest(layers=[]), "layers", ()),
        (manifest(annotations=None), "annotations", {}),
        (manifest(subject=None), "subject", None),
        (manifest(artifactType=None), "artifact_type", None),
        (manifest(artifactType=""), "artifact_type", None),
        (index(manifests=None), "manifests", ()),
        (index(annotations=None), "annotations", {}),
    ],
)
def test_null_members_are_read_as_absent(document, attribute, value):
    assert getattr(decode(document), attribute) == value


@pytest.mark.parametrize(
    "member", ["urls", "annotations", "data", "artifactType", "platform", "somethingNew"]
)
def test_null_members_of_a_descriptor_are_absent(member):
    assert decode(layer(**{member: None})).layers == (DESCRIPTOR, DESCRIPTOR)


def test_null_members_of_a_platform_are_absent():
    platform = {"os": "linux", "architecture": "x", "os.features": None, "variant": None}
    assert decode(layer(platform=platform)).layers[1].platform == Platform("linux", "x")


def test_unknown_members_are_ignored():
    decoded = decode(manifest(something={"new": [1, None]}, config={**LEAF, "newer": 1.5}))
    assert decoded.config == DESCRIPTOR


def test_text_of_every_kind_round_trips():
    decoded = decode(manifest(annotations={"schlüssel": "値\n\u0000\u2028🎂"}))
    assert decoded.annotations == {"schlüssel": "値\n\u0000\u2028🎂"}


def test_embedded_data():
    data = base64.b64encode(b"{}").decode()
    digest = str(Digest.of(b"{}"))
    decoded = decode(layer(digest=digest, size=2, data=data))
    assert decoded.layers[1].data == b"{}"
    empty = decode(layer(digest=str(Digest.of(b"")), size=0, data=""))
    assert empty.layers[1].data == b""


def test_artifact_type_defaults_to_the_config_s_media_type_r30():
    assert decode_manifest(manifest()).effective_artifact_type == "text/plain"
    assert decode_manifest(manifest(artifactType="a/b")).effective_artifact_type == "a/b"


# --- Writing ------------------------------------------------------------------------------


def test_canonical_bytes_of_a_manifest():
    encoded = encode_manifest(
        config=Descriptor("a/config", Digest.of(b"{}"), 2, data=b"{}"),
        layers=[
            Descriptor(
                "a/layer",
                Digest.parse(ZEROS),
                7,
                urls=("u",),
                annotations={"z": "1", "a": "é"},
                artifact_type="x/y",
                platform=Platform("linux", "arm", "v7", "1", ("f",)),
            )
        ],
        subject=DESCRIPTOR,
        artifact_type="b/type",
        annotations={"k2": "v", "k1": "v"},
    )
    assert encoded.content.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"artifactType":"b/type",'
        '"config":{"mediaType":"a/config",'
        '"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",'
        '"size":2,"data":"e30="},'
        '"layers":[{"mediaType":"a/layer","digest":"' + ZEROS + '","size":7,"urls":["u"],'
        '"annotations":{"a":"é","z":"1"},'
        '"platform":{"architecture":"arm","os":"linux","os.version":"1","os.features":["f"],'
        '"variant":"v7"},"artifactType":"x/y"}],'
        '"subject":{"mediaType":"text/plain","digest":"' + ZEROS + '","size":3},'
        '"annotations":{"k1":"v","k2":"v"}}'
    )


def test_index_has_the_bytes_that_go_oras_writes():
    """Recorded from `oras manifest index create`, version 1.3.3."""
    digests = {
        "amd64": "c4c73f8d766ad5aefb4173f3e4c5742d8625039b06a4bf21376a2668d27164cd",
        "arm64": "062abacd3c1bd6a03f556dc697a3e279bf0c7f57ed9cf46726fa2481d7f138b9",
    }
    images = [
        Descriptor(
            "application/vnd.oci.image.manifest.v1+json",
            Digest("sha256", encoded),
            544,
            artifact_type="a/b",
            platform=Platform("linux", architecture),
        )
        for architecture, encoded in digests.items()
    ]
    encoded = encode_index(manifests=images, artifact_type="a/c", annotations={"k": "v"})
    recorded = "406d484f2077f5fd3e4c5c1c1eee8f7b21b325afb6214c6738f0c975be2c737c"
    assert encoded.digest == Digest("sha256", recorded)


def test_canonical_bytes_of_the_smallest_manifest_and_index():
    leaf = '{"mediaType":"text/plain","digest":"' + ZEROS + '","size":3}'
    assert encode_manifest(config=DESCRIPTOR, layers=[]).content.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
        '"config":' + leaf + ',"layers":[]}'
    )
    assert encode_index(manifests=[DESCRIPTOR]).content.decode() == (
        '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json",'
        '"manifests":[' + leaf + "]}"
    )


_artifact_types = st.none() | strategies.media_types
_subjects = st.none() | strategies.descriptors
_lists = st.lists(strategies.descriptors, max_size=3)

manifests = st.builds(
    encode_manifest,
    config=strategies.descriptors,
    layers=_lists,
    subject=_subjects,
    artifact_type=_artifact_types,
    annotations=strategies.annotations,
    media_type=st.sampled_from(media_types.IMAGE_MANIFESTS),
)
indexes = st.builds(
    encode_index,
    manifests=_lists,
    subject=_subjects,
    artifact_type=_artifact_types,
    annotations=strategies.annotations,
    media_type=st.sampled_from(media_types.INDEXES),
)


@given(manifests | indexes)
def test_encoded_manifest_round_trips(document):
    assert decode(document.content) == document
    assert decode(document.content, document.media_type) == document
    assert document.descriptor.size == len(document.content)


@given(st.data(), strategies.annotations, strategies.annotations)
def test_equal_values_give_equal_bytes(data, of_manifest, of_layer):
    def shuffled(items):
        return dict(data.draw(st.permutations(list(items.items()))))

    def encoded(of_manifest, of_layer):
        layers = [DESCRIPTOR.with_annotations(of_layer)]
        return (
            encode_manifest(config=DESCRIPTOR, layers=layers, annotations=of_manifest).content,
            encode_index(manifests=layers, annotations=of_manifest).content,
        )

    assert encoded(shuffled(of_manifest), shuffled(of_layer)) == encoded(of_manifest, of_layer)


def test_empty_artifact_type_is_absent():
    encoded = encode_manifest(config=DESCRIPTOR, layers=[], artifact_type="")
    assert encoded.artifact_type is None
    assert b"artifactType" not in encoded.content


def test_undecodable_values_are_not_encoded():
    with pytest.raises(InvalidManifestError, match="not valid Unicode"):
        encode_manifest(config=DESCRIPTOR, layers=[], annotations={"a": "\ud800"})
    with pytest.raises(InvalidManifestError, match="not valid Unicode"):
        encode_index(manifests=[DESCRIPTOR.with_annotations({"a": "\udfff"})])
    with pytest.raises(InvalidManifestError, match="visible ASCII"):
        encode_manifest(config=DESCRIPTOR, layers=[], artifact_type="a b")
    with pytest.raises(InvalidManifestError, match="visible ASCII"):
        encode_index(manifests=[], artifact_type="\n")


def test_manifest_larger_than_registries_accept_is_not_encoded():
    with pytest.raises(InvalidManifestError, match="registries accept 4194304"):
        encode_manifest(config=DESCRIPTOR, layers=[], annotations={"a": "x" * MAX_MANIFEST_SIZE})


# --- Choosing from an index ---------------------------------------------------------------


def test_manifest_is_selected_by_platform():
    entries = [
        {**LEAF, "size": number, "platform": platform}
        for number, platform in enumerate(
            [
                None,
                {"os": "linux", "architecture": "amd64"},
                {"os": "linux", "architecture": "arm64", "variant": "v8"},
                {"os": "linux", "architecture": "amd64"},
            ]
        )
    ]
    decoded = decode_index(index(manifests=entries))
    assert decoded.select(Platform.parse("linux/amd64")).size == 1
    assert decoded.select(Platform.parse("linux/arm64")).size == 2
    with pytest.raises(LookupError) as caught:
        decoded.select(Platform.parse("windows/amd64"))
    assert "platform windows/amd64 not found" in str(caught.value)
    assert "which has linux/amd64, linux/arm64/v8" in str(caught.value)
    with pytest.raises(LookupError, match="which has no platform"):
        decode_index(index()).select(Platform.parse("linux/amd64"))
