from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidManifestError, SizeLimitError
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

ZEROS = "sha256:" + "0" * 64
LEAF = {"mediaType": "text/plain", "digest": ZEROS, "size": 3}
DESCRIPTOR = Descriptor("text/plain", Digest.parse(ZEROS), 3)

MISSING = object()


def wire(document, **changes):
    changed = {**document, **changes}
    return json.dumps({k: v for k, v in changed.items() if v is not MISSING}).encode()


def manifest(**changes):
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": LEAF,
        "layers": [LEAF],
    }
    return wire(document, **changes)


def index(**changes):
    document = {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": [LEAF]}
    return wire(document, **changes)


def layer(**changes):
    return manifest(layers=[LEAF, json.loads(wire(LEAF, **changes))])


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
        media_types.OCI_MANIFEST,
        DESCRIPTOR,
        (
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
        Descriptor(media_types.OCI_MANIFEST, Digest.parse(ZEROS), 3),
        "application/vnd.example+type",
        Annotations({"a": "", "b": "1"}),
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


def test_successors_begin_with_the_subject():
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
def test_the_four_types(content, kind, media_type, announced):
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
def test_without_media_type_the_announcement_or_the_members_decide(
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
def test_null_is_what_go_writes_for_nothing(document, attribute, value):
    assert getattr(decode(document), attribute) == value


@pytest.mark.parametrize(
    "member", ["urls", "annotations", "data", "artifactType", "platform", "somethingNew"]
)
def test_null_in_a_descriptor_is_nothing(member):
    assert decode(layer(**{member: None})).layers == (DESCRIPTOR, DESCRIPTOR)


def test_null_in_a_platform_is_nothing():
    platform = {"os": "linux", "architecture": "x", "os.features": None, "variant": None}
    assert decode(layer(platform=platform)).layers[1].platform == Platform("linux", "x")


def test_unknown_members_are_ignored():
    decoded = decode(manifest(something={"new": [1, None]}, config={**LEAF, "newer": 1.5}))
    assert decoded.config == DESCRIPTOR


def test_text_of_all_kinds():
    decoded = decode(manifest(annotations={"schlüssel": "値\n\u0000\u2028🎂"}))
    assert decoded.annotations == {"schlüssel": "値\n\u0000\u2028🎂"}


def test_embedded_data():
    data = base64.b64encode(b"{}").decode()
    digest = str(Digest.of(b"{}"))
    decoded = decode(layer(digest=digest, size=2, data=data))
    assert decoded.layers[1].data == b"{}"
    empty = decode(layer(digest=str(Digest.of(b"")), size=0, data=""))
    assert empty.layers[1].data == b""


def test_the_artifact_type_is_the_config_s_where_there_is_none_r30():
    assert decode_manifest(manifest()).effective_artifact_type == "text/plain"
    assert decode_manifest(manifest(artifactType="a/b")).effective_artifact_type == "a/b"


# --- Refusing what is wrong ---------------------------------------------------------------

OTHER = base64.b64encode(b"xyz").decode()
PLATFORM = {"os": "linux", "architecture": "x"}


@pytest.mark.parametrize(
    ("content", "location", "reason"),
    [
        # Not an object of JSON.
        (b"", "", "it is not JSON"),
        (b"{", "", "it is not JSON"),
        (b"<html>", "", "it is not JSON"),
        (manifest() + b"{}", "", "it is not JSON"),
        (manifest()[:-1] + b",}", "", "it is not JSON"),
        (b"\xef\xbb\xbf" + manifest(), "", "it is not JSON"),
        (manifest().decode().encode("utf-16"), "", "it is not JSON"),
        (manifest().replace(b"text/plain", b"text/\xff"), "", "it is not JSON"),
        (manifest().replace(b"3", b"03"), "", "it is not JSON"),
        (manifest().replace(b"3", b"NaN"), "", "NaN is not JSON"),
        (manifest().replace(b"3", b"-Infinity"), "", "-Infinity is not JSON"),
        (manifest().replace(b"3", b"3" * 5000), "", "it is not JSON"),
        (b"[]", "", "expected an object, found an array"),
        (b"null", "", "expected an object, found null"),
        (b'"x"', "", "expected an object, found a string"),
        (b"true", "", "expected an object, found a boolean"),
        (b"1", "", "expected an object, found an integer"),
        (b"1.5", "", "expected an object, found a fraction"),
        # Deep, with and without an end.
        (b"[" * 200_000, "", "nested too deeply"),
        (b'{"a":' * 200_000, "", "nested too deeply"),
        (manifest()[:-1] + b',"x":' + b"[" * 99_999 + b"]" * 99_999 + b"}", "", "nested too"),
        # Keys that occur twice: which one counts differs between readers.
        (manifest()[:-1] + b',"layers":[]}', "", "the key 'layers' occurs twice"),
        (manifest().replace(b'"size"', b'"size": 4, "size"'), "", "the key 'size' occurs twice"),
        (b'{"x": {"\\u0061": 1, "a": 2}}', "", "the key 'a' occurs twice"),
        # Members of the whole.
        (b"{}", "", "schemaVersion is missing"),
        (manifest(schemaVersion=MISSING), "", "schemaVersion is missing"),
        (manifest(schemaVersion=None), "schemaVersion", "expected an integer, found null"),
        (manifest(schemaVersion="2"), "schemaVersion", "expected an integer, found a string"),
        (manifest(schemaVersion=2.0), "schemaVersion", "expected an integer, found a fraction"),
        (manifest(schemaVersion=True), "schemaVersion", "expected an integer, found a boolean"),
        (manifest(schemaVersion=1), "schemaVersion", "1 is not supported, only 2"),
        (index(schemaVersion=3), "schemaVersion", "3 is not supported, only 2"),
        (manifest(config=MISSING), "", "config is missing"),
        (manifest(config=None), "config", "expected an object, found null"),
        (manifest(config=[]), "config", "expected an object, found an array"),
        (manifest(layers=MISSING), "", "layers is missing"),
        (manifest(layers={}), "layers", "expected an array, found an object"),
        (manifest(layers=LEAF), "layers", "expected an array, found an object"),
        (manifest(layers="x"), "layers", "expected an array, found a string"),
        (manifest(layers=[LEAF, None]), "layers[1]", "expected an object, found null"),
        (index(manifests=MISSING), "", "manifests is missing"),
        (index(manifests=[LEAF, LEAF, []]), "manifests[2]", "expected an object, found an array"),
        (manifest(mediaType=2), "mediaType", "expected a string, found an integer"),
        (manifest(mediaType="text/plain"), "mediaType", "is neither an image manifest nor"),
        (
            manifest(mediaType="application/vnd.docker.distribution.manifest.v1+prettyjws"),
            "mediaType",
            "is neither an image manifest nor",
        ),
        (manifest(artifactType=[]), "artifactType", "expected a string, found an array"),
        (manifest(artifactType="a b"), "artifactType", "visible ASCII"),
        (index(artifactType="a/b\n"), "artifactType", "visible ASCII"),
        (manifest(annotations=[]), "annotations", "expected an object of strings, found an array"),
        (manifest(annotations={"a": 1}), "annotations", "its value 1 is not a string"),
        (manifest(annotations={"a": None}), "annotations", "its value None is not a string"),
        (manifest(annotations={"": "a"}), "annotations", "a key is a string that is not empty"),
        (manifest(subject="x"), "subject", "expected an object, found a string"),
        (manifest(subject={}), "subject", "mediaType is missing"),
        # Members of a descriptor.
        (layer(mediaType=MISSING), "layers[1]", "mediaType is missing"),
        (layer(digest=MISSING), "layers[1]", "digest is missing"),
        (layer(size=MISSING), "layers[1]", "size is missing"),
        (layer(mediaType=None), "layers[1].mediaType", "expected a string, found null"),
        (layer(mediaType=""), "layers[1]", "mediaType is not"),
        (layer(mediaType="a\nb"), "layers[1]", "mediaType is not"),
        (layer(digest=None), "layers[1].digest", "a digest is a string"),
        (layer(digest=""), "layers[1].digest", "expected ALGORITHM:HEX"),
        (layer(digest=ZEROS.upper()), "layers[1].digest", "algorithm 'SHA256' is not one of"),
        (layer(digest="md5:" + "0" * 32), "layers[1].digest", "algorithm 'md5' is not one of"),
        (layer(digest=ZEROS[:-1]), "layers[1].digest", "64 lower-case hexadecimal digits"),
        (layer(digest="sha256:" + "A" * 64), "layers[1].digest", "64 lower-case"),
        (layer(size="3"), "layers[1].size", "expected an integer, found a string"),
        (layer(size=3.0), "layers[1].size", "expected an integer, found a fraction"),
        (layer(size=True), "layers[1].size", "expected an integer, found a boolean"),
        (layer(size=None), "layers[1].size", "expected an integer, found null"),
        (layer(size=-1), "layers[1]", "size is not between 0 and 2^63 - 1"),
        (layer(size=2**63), "layers[1]", "size is not between 0 and 2^63 - 1"),
        (layer(urls="x"), "layers[1].urls", "expected an array, found a string"),
        (layer(urls=["x", 1]), "layers[1].urls[1]", "expected a string, found an integer"),
        (layer(annotations={"a": 1}), "layers[1].annotations", "its value 1 is not a string"),
        (layer(annotations="x"), "layers[1].annotations", "expected an object of strings"),
        (layer(artifactType=1), "layers[1].artifactType", "expected a string"),
        (layer(artifactType="a b"), "layers[1]", "artifactType is not"),
        (layer(data=[120]), "layers[1].data", "expected a string of base64, found an array"),
        (layer(data="eHl"), "layers[1].data", "padding"),
        (layer(data="eHl6 "), "layers[1].data", "ase64"),
        (layer(data="\u00ff"), "layers[1].data", "ASCII"),
        (layer(data="eHl6eA=="), "layers[1]", "data has 4 bytes, size says 3"),
        (layer(data=OTHER), "layers[1]", "data has another digest"),
        (layer(platform="linux/amd64"), "layers[1].platform", "expected an object"),
        (layer(platform={"os": "linux"}), "layers[1].platform", "architecture is missing"),
        (layer(platform={**PLATFORM, "os": 1}), "layers[1].platform.os", "expected a string"),
        (
            layer(platform={**PLATFORM, "os.version": 1}),
            "layers[1].platform.os.version",
            "expected a string",
        ),
        (
            layer(platform={**PLATFORM, "os.features": ["x", {}]}),
            "layers[1].platform.os.features[1]",
            "expected a string, found an object",
        ),
        (
            index(manifests=[LEAF, {**LEAF, "platform": {"os": "linux"}}]),
            "manifests[1].platform",
            "architecture is missing",
        ),
        (manifest(config={**LEAF, "size": "3"}), "config.size", "expected an integer"),
        (manifest(subject={**LEAF, "digest": "x"}), "subject.digest", "ALGORITHM:HEX"),
    ],
)
def test_what_is_wrong_is_refused_with_its_place(content, location, reason):
    with pytest.raises(InvalidManifestError) as caught:
        decode(content)
    assert caught.value.location == location
    assert reason in caught.value.reason
    assert str(caught.value).startswith(
        f"invalid manifest at {location}: " if location else "invalid manifest: "
    )


@pytest.mark.parametrize(
    ("content", "announced", "reason"),
    [
        # CVE-2021-41190: what two readers could take for two things.
        (manifest(manifests=[LEAF]), None, "it is ambiguous"),
        (manifest(manifests=[]), media_types.OCI_MANIFEST, "it is ambiguous"),
        (manifest(manifests=None), media_types.OCI_MANIFEST, "it is ambiguous"),
        (index(layers=[LEAF]), media_types.OCI_INDEX, "it is ambiguous"),
        (index(config=LEAF), None, "it is ambiguous"),
        (index(config=None), None, "it is ambiguous"),
        (manifest(manifests=[], mediaType=MISSING), None, "it is ambiguous"),
        (manifest(), media_types.OCI_INDEX, "it was announced as"),
        (manifest(), media_types.DOCKER_MANIFEST, "it was announced as"),
        (index(), media_types.OCI_MANIFEST, "it was announced as"),
        (index(), media_types.DOCKER_MANIFEST_LIST, "it was announced as"),
        (index(), "application/json", "it was announced as"),
        (manifest(mediaType=media_types.OCI_INDEX), None, "manifests is missing"),
        (index(mediaType=media_types.OCI_MANIFEST), None, "config is missing"),
        (manifest(mediaType=MISSING), media_types.OCI_INDEX, "manifests is missing"),
        (index(mediaType=MISSING), media_types.OCI_MANIFEST, "config is missing"),
        (manifest(mediaType=MISSING), "text/html", "is neither an image manifest nor"),
    ],
)
def test_a_document_is_one_thing_cve_2021_41190(content, announced, reason):
    with pytest.raises(InvalidManifestError, match=reason):
        decode(content, announced)


def test_the_kind_may_be_demanded():
    assert isinstance(decode_manifest(manifest()), Manifest)
    assert isinstance(decode_index(index()), Index)
    with pytest.raises(InvalidManifestError, match="expected an image manifest"):
        decode_manifest(index())
    with pytest.raises(InvalidManifestError, match="expected an image index"):
        decode_index(manifest())


def test_a_manifest_of_the_largest_size_is_read_and_no_larger_one():
    content = manifest() + b" " * (MAX_MANIFEST_SIZE - len(manifest()))
    assert decode(content).content == content
    with pytest.raises(SizeLimitError) as caught:
        decode(content + b" ")
    assert caught.value.limit == MAX_MANIFEST_SIZE == 4 * 1024 * 1024


def test_another_limit():
    content = manifest()
    assert decode(content, limit=len(content))
    for read in (decode, decode_manifest, decode_index):
        with pytest.raises(SizeLimitError):
            read(content, limit=len(content) - 1)


def test_a_message_shows_control_characters_harmlessly():
    with pytest.raises(InvalidManifestError) as caught:
        decode(manifest(mediaType="\x1b[2J\n"))
    assert "\x1b" not in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_manifest_or_an_error(content):
    with pytest.raises(InvalidManifestError):
        decode(content)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | strategies.texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strategies.texts, inner),
    max_leaves=5,
)
_MEMBERS = ["schemaVersion", "mediaType", "config", "layers", "manifests", "subject"]


@given(st.dictionaries(st.sampled_from([*_MEMBERS, "annotations", "artifactType"]), _json))
def test_any_members_are_a_manifest_or_an_error(changes):
    for document in (manifest, index):
        try:
            decoded = decode(document(**changes))
        except InvalidManifestError:
            continue
        assert isinstance(decoded, Manifest | Index)
        assert decoded.descriptor.digest == decoded.digest


@given(st.dictionaries(st.sampled_from(["mediaType", "digest", "size", "urls", "data"]), _json))
def test_any_descriptor_is_one_or_an_error(changes):
    try:
        decoded = decode(layer(**changes))
    except InvalidManifestError:
        return
    assert isinstance(decoded.layers[1], Descriptor)


# --- Writing ------------------------------------------------------------------------------


def test_the_canonical_bytes_of_a_manifest():
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
        '"annotations":{"a":"é","z":"1"},"artifactType":"x/y",'
        '"platform":{"os":"linux","architecture":"arm","variant":"v7","os.version":"1",'
        '"os.features":["f"]}}],'
        '"subject":{"mediaType":"text/plain","digest":"' + ZEROS + '","size":3},'
        '"annotations":{"k1":"v","k2":"v"}}'
    )


def test_the_canonical_bytes_of_the_least_manifest_and_index():
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
    media_type=st.sampled_from(media_types.MANIFESTS),
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
def test_what_was_written_is_read_back(document):
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


def test_an_empty_artifact_type_is_none():
    encoded = encode_manifest(config=DESCRIPTOR, layers=[], artifact_type="")
    assert encoded.artifact_type is None
    assert b"artifactType" not in encoded.content


def test_what_could_not_be_read_back_is_not_written():
    with pytest.raises(InvalidManifestError, match="not Unicode"):
        encode_manifest(config=DESCRIPTOR, layers=[], annotations={"a": "\ud800"})
    with pytest.raises(InvalidManifestError, match="not Unicode"):
        encode_index(manifests=[DESCRIPTOR.with_annotations({"a": "\udfff"})])
    with pytest.raises(InvalidManifestError, match="visible ASCII"):
        encode_manifest(config=DESCRIPTOR, layers=[], artifact_type="a b")
    with pytest.raises(InvalidManifestError, match="visible ASCII"):
        encode_index(manifests=[], artifact_type="\n")


def test_more_than_registries_accept_is_not_written():
    with pytest.raises(InvalidManifestError, match="registries accept 4194304"):
        encode_manifest(config=DESCRIPTOR, layers=[], annotations={"a": "x" * MAX_MANIFEST_SIZE})


# --- Choosing from an index ---------------------------------------------------------------


def test_selecting_by_platform():
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
    assert "which offers linux/amd64, linux/arm64/v8" in str(caught.value)
    with pytest.raises(LookupError, match="which offers no platform"):
        decode_index(index()).select(Platform.parse("linux/amd64"))
