from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidManifestError, SizeLimitError
from oras_core.model import media_types
from oras_core.model.codec import decode, decode_index, decode_manifest
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from support import strategies
from support.wire_documents import LEAF, MISSING, ZEROS, index, layer, manifest

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
            index(manifests=[LEAF, {**LEAF, "platform": {"os": 1, "architecture": "x"}}]),
            "manifests[1].platform.os",
            "expected a string",
        ),
        (manifest(config={**LEAF, "size": "3"}), "config.size", "expected an integer"),
        (manifest(subject={**LEAF, "digest": "x"}), "subject.digest", "ALGORITHM:HEX"),
    ],
)
def test_invalid_member_is_refused_with_its_location(content, location, reason):
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
def test_ambiguous_document_is_refused_cve_2021_41190(content, announced, reason):
    with pytest.raises(InvalidManifestError, match=reason):
        decode(content, announced)


def test_required_kind_is_checked():
    assert isinstance(decode_manifest(manifest()), Manifest)
    assert isinstance(decode_index(index()), Index)
    with pytest.raises(InvalidManifestError, match="expected an image manifest"):
        decode_manifest(index())
    with pytest.raises(InvalidManifestError, match="expected an image index"):
        decode_index(manifest())


def test_manifest_size_limit_is_inclusive():
    content = manifest() + b" " * (MAX_MANIFEST_SIZE - len(manifest()))
    assert decode(content).content == content
    with pytest.raises(SizeLimitError) as caught:
        decode(content + b" ")
    assert caught.value.limit == MAX_MANIFEST_SIZE == 4 * 1024 * 1024


def test_size_limit_can_be_changed():
    content = manifest()
    assert decode(content, limit=len(content))
    for read in (decode, decode_manifest, decode_index):
        with pytest.raises(SizeLimitError):
            read(content, limit=len(content) - 1)


def test_message_escapes_control_characters():
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
