from __future__ import annotations

import hashlib
import pickle

import pytest
from hypothesis import given

from oras_core.errors import InvalidDescriptorError
from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.platform import Platform
from support import strategies

TITLE = "org.opencontainers.image.title"
ZEROS = Digest("sha256", "0" * 64)


def test_descriptor_of_bytes():
    descriptor = Descriptor.of(b"hello", "text/plain", annotations={TITLE: "a.txt"})
    assert descriptor.media_type == "text/plain"
    assert str(descriptor.digest) == "sha256:" + hashlib.sha256(b"hello").hexdigest()
    assert descriptor.size == 5
    assert descriptor.title == "a.txt"
    assert str(descriptor) == f"{descriptor.digest} ('a.txt')"
    assert str(descriptor.plain()) == str(descriptor.digest)


def test_descriptor_defaults():
    descriptor = Descriptor("a/b", ZEROS, 0)
    assert descriptor.annotations == Annotations()
    assert descriptor.title is None
    assert descriptor.urls == ()
    assert descriptor.data is descriptor.artifact_type is descriptor.platform is None


def test_annotations_can_be_any_mapping():
    descriptor = Descriptor("a/b", ZEROS, 0, annotations={"a": "1"})
    assert isinstance(descriptor.annotations, Annotations)
    assert Descriptor("a/b", ZEROS, 0, annotations=None).annotations == {}


@pytest.mark.parametrize("size", [0, 2**63 - 1])
def test_a_size_is_an_int64(size):
    assert Descriptor("a/b", ZEROS, size).size == size


@pytest.mark.parametrize("size", [-1, 2**63, 10**30])
def test_invalid_size_is_refused(size):
    with pytest.raises(InvalidDescriptorError, match="size is not between"):
        Descriptor("a/b", ZEROS, size)


@pytest.mark.parametrize("media_type", ["a/b", "org.dinosaur.tool.data", "x" * 255, "a/b;c=d"])
def test_media_types_in_use_are_accepted(media_type):
    assert Descriptor(media_type, ZEROS, 0, artifact_type=media_type).media_type == media_type


@pytest.mark.parametrize(
    "text", ["", " ", "a b", "a/b\n", "a/b\x1b[2J", "ä/b", "x" * 256, "a/b\r\nX: y"]
)
def test_invalid_media_type_is_refused(text):
    with pytest.raises(InvalidDescriptorError, match="mediaType"):
        Descriptor(text, ZEROS, 0)
    with pytest.raises(InvalidDescriptorError, match="artifactType"):
        Descriptor("a/b", ZEROS, 0, artifact_type=text)


def test_embedded_data_must_match_its_descriptor():
    digest = Digest.of(b"{}")
    assert Descriptor("a/b", digest, 2, data=b"{}").data == b"{}"
    with pytest.raises(InvalidDescriptorError, match="data has 3 bytes, size says 2"):
        Descriptor("a/b", digest, 2, data=b"{ }")
    with pytest.raises(InvalidDescriptorError, match="data has another digest"):
        Descriptor("a/b", digest, 2, data=b"[]")


def test_a_representation_has_the_fields_that_are_set():
    digest = Digest.of(b"")
    shown = repr(Descriptor("a/b", digest, 0, annotations={"k": "v"}))
    fields = f"digest=Digest.parse('{digest}'), size=0, annotations=Annotations({{'k': 'v'}})"
    assert shown == f"Descriptor(media_type='a/b', {fields})"


def test_repr_hides_embedded_data():
    assert "data" not in repr(Descriptor("a/b", Digest.of(b"pw"), 2, data=b"pw"))


@pytest.mark.parametrize(
    ("media_type", "is_manifest", "is_index"),
    [
        (media_types.OCI_MANIFEST, True, False),
        (media_types.DOCKER_MANIFEST, True, False),
        (media_types.OCI_INDEX, False, True),
        (media_types.DOCKER_MANIFEST_LIST, False, True),
        (media_types.OCI_LAYER_TAR, False, False),
        (media_types.OCI_MANIFEST.upper(), False, False),
        ("application/vnd.docker.distribution.manifest.v1+json", False, False),
    ],
)
def test_manifests_and_indexes_have_successors(media_type, is_manifest, is_index):
    descriptor = Descriptor(media_type, ZEROS, 0)
    assert descriptor.is_manifest is is_manifest
    assert descriptor.is_index is is_index
    assert descriptor.has_successors is (is_manifest or is_index)


def test_with_annotations_adds_annotations():
    descriptor = Descriptor("a/b", ZEROS, 0, annotations={"a": "1", "b": "1"})
    assert descriptor.with_annotations({"b": "2"}).annotations == {"a": "1", "b": "2"}
    assert descriptor.annotations == {"a": "1", "b": "1"}


def test_plain_descriptors_of_the_same_blob_are_equal():
    descriptor = Descriptor(
        "a/b",
        Digest.of(b"x"),
        1,
        urls=("https://elsewhere.example/x",),
        annotations={"a": "1"},
        data=b"x",
        artifact_type="c/d",
        platform=Platform("linux", "amd64"),
    )
    assert descriptor.plain() == Descriptor("a/b", Digest.of(b"x"), 1)


@given(strategies.descriptors)
def test_descriptors_are_values(descriptor):
    again = pickle.loads(pickle.dumps(descriptor))
    assert again == descriptor
    assert hash(again) == hash(descriptor)


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        ("application/vnd.oci.image.manifest.v1+json", True),
        ("a/b", True),
        ("a" * 127 + "/" + "b" * 127, True),
        ("a" * 128 + "/b", False),
        ("a/" + "b" * 128, False),
        ("a", False),
        ("a/b/c", False),
        ("/b", False),
        ("a/", False),
        ("a/b ", False),
        ("a/b;c=d", False),
        ("a/b\n", False),
        ("+a/b", False),
        ("", False),
    ],
)
def test_media_types_of_rfc_6838(text, accepted):
    assert media_types.is_media_type(text) is accepted
