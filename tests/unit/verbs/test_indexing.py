"""Indexes: made, read, changed."""

from __future__ import annotations

import json

import pytest

from oras_core.content.sources import BytesSource
from oras_core.errors import InvalidDigestError, NotFoundError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_blob, push_document, read
from oras_core.verbs.index import (
    IndexChange,
    create_index,
    describe_entry,
    read_index,
    update_index,
)

AMD, ARM = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")


KINDS = ("memory", "layout", "registry")


def image(target, platform, tag, *, docker=False, layer=b"layer"):
    content = json.dumps({"os": platform.os, "architecture": platform.architecture}).encode()
    config_type = media_types.DOCKER_IMAGE_CONFIG if docker else media_types.OCI_IMAGE_CONFIG
    config = Descriptor.of(content, config_type)
    target.push(config, BytesSource(content))
    manifest = codec.encode_manifest(
        config=config,
        layers=[push_blob(target, layer)],
        media_type=media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST,
    )
    target.tag(push_document(target, manifest), tag)
    return manifest.descriptor.plain()


def with_platform(descriptor, platform):
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, platform=platform)


# --- Making -------------------------------------------------------------------------------


def test_index_has_the_platforms_of_its_images(target):
    amd, arm = image(target, AMD, "amd"), image(target, ARM, "arm")
    root = create_index(
        target,
        ["amd", str(arm.digest)],
        tags=["v1", "latest"],
        annotations={"key": "value"},
        artifact_type="application/vnd.example",
    )
    assert json.loads(read(target, root)) == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "artifactType": "application/vnd.example",
        "manifests": [
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": str(descriptor.digest),
                "size": descriptor.size,
                "platform": {"os": platform.os, "architecture": platform.architecture},
            }
            for descriptor, platform in ((amd, AMD), (arm, ARM))
        ],
        "annotations": {"key": "value"},
    }
    assert target.resolve("v1").digest == target.resolve("latest").digest == root.digest
    assert read_index(target, "v1").select(ARM).digest == arm.digest


def test_index_without_a_tag_is_found_by_digest(target):
    image(target, AMD, "amd")
    root = create_index(target, ["amd"])
    assert sorted(target.tags()) == ["amd"]
    assert len(read_index(target, str(root.digest)).manifests) == 1


def test_the_same_entries_give_the_same_digest():
    one, two = MemoryStore(), MemoryStore()
    for target in (one, two):
        image(target, AMD, "amd")
    assert create_index(one, ["amd"]) == create_index(two, ["amd", "amd"])


def test_an_artifact_is_listed_with_its_type(target):
    manifest = push_artifact(target, b"layer")
    target.tag(manifest.descriptor, "v1")
    entry = describe_entry(target, "v1", annotations={"key": "value"})
    assert entry.artifact_type == "application/vnd.example"
    assert entry.platform is None
    assert entry.annotations == {"key": "value"}


def test_platform_can_be_given(target):
    amd = image(target, AMD, "amd")
    special = Platform("linux", "amd64", "v3")
    entry = describe_entry(target, "amd", platform=special)
    assert entry == with_platform(amd, special)
    create_index(target, [entry], tags=["v1"])
    assert read_index(target, "v1").manifests == (entry,)


def test_an_index_in_an_index(target):
    image(target, AMD, "amd")
    inner = create_index(target, ["amd"], tags=["inner"])
    create_index(target, ["inner"], tags=["outer"])
    (entry,) = read_index(target, "outer").manifests
    assert (entry.digest, entry.media_type) == (inner.digest, media_types.OCI_INDEX)


def test_index_can_be_attached(target):
    amd = image(target, AMD, "amd")
    root = create_index(target, [], subject=amd, artifact_type="application/vnd.example")
    assert [found.digest for found in target.referrers(amd)] == [root.digest]


def test_missing_manifest_is_not_added(target):
    with pytest.raises(NotFoundError):
        create_index(target, ["v1"])


def test_manifest_is_not_an_index(target):
    image(target, AMD, "amd")
    with pytest.raises(UnsupportedError, match="read amd as an index"):
        read_index(target, "amd")


# --- Changing -----------------------------------------------------------------------------


@pytest.fixture
def index(target):
    entries = [image(target, AMD, "amd"), image(target, ARM, "arm")]
    create_index(target, ["amd", "arm"], tags=["v1"], annotations={"a": "1", "b": "1"})
    return entries


def entries_of(target, reference="v1"):
    return [entry.digest for entry in read_index(target, reference).manifests]


def test_entry_is_added(target, index):
    new = image(target, Platform.parse("linux/s390x"), "new")
    before = target.resolve("v1")
    update_index(target, "v1", IndexChange(add=["new"]))
    assert entries_of(target) == [*(entry.digest for entry in index), new.digest]
    assert entries_of(target, str(before.digest)) == [entry.digest for entry in index]


@pytest.mark.parametrize("by", ["tag", "digest", "platform"])
def test_entry_is_removed(target, index, by):
    amd, arm = index
    update_index(
        target,
        "v1",
        IndexChange(remove=[{"tag": "amd", "digest": str(amd.digest), "platform": AMD}[by]]),
    )
    assert entries_of(target) == [arm.digest]


def test_an_entry_is_replaced(target, index):
    amd, arm = index
    new = image(target, AMD, "new", layer=b"new")
    update_index(target, "v1", IndexChange(remove=[AMD], add=["new"]))
    assert entries_of(target) == [arm.digest, new.digest]
    assert amd.digest not in entries_of(target)


def test_listed_entry_keeps_its_position_and_gets_the_new_descriptor(target, index):
    amd, arm = index
    special = with_platform(amd, Platform("linux", "amd64", "v3"))
    update_index(target, "v1", IndexChange(add=[special]))
    assert read_index(target, "v1").manifests == (special, with_platform(arm, ARM))


def test_indexes_are_merged(target, index):
    new = image(target, Platform.parse("linux/s390x"), "new")
    create_index(target, ["amd", "new"], tags=["other"])
    update_index(target, "v1", IndexChange(merge=["other"]))
    assert entries_of(target) == [*(entry.digest for entry in index), new.digest]


def test_annotations_are_added(target, index):
    update_index(target, "v1", IndexChange(annotations={"b": "2", "c": "2"}))
    assert read_index(target, "v1").annotations == {"a": "1", "b": "2", "c": "2"}


def test_changed_index_gets_the_given_tags(target, index):
    before = target.resolve("v1")
    changed = update_index(target, "v1", IndexChange(remove=["amd"]), tags=["v2", "v3"])
    assert target.resolve("v1").digest == before.digest
    assert target.resolve("v2").digest == target.resolve("v3").digest == changed.digest
    by_digest = update_index(target, str(before.digest), IndexChange(remove=["arm"]))
    assert sorted(target.tags()) == ["amd", "arm", "v1", "v2", "v3"]
    assert len(entries_of(target, str(by_digest.digest))) == 1


def test_empty_change_keeps_the_index(target, index):
    before = target.resolve("v1")
    assert update_index(target, "v1", IndexChange()).digest == before.digest


def test_artifact_type_and_subject_are_kept(target, index):
    subject = index[0]
    create_index(target, ["arm"], tags=["v2"], subject=subject, artifact_type="a/b")
    update_index(target, "v2", IndexChange(add=["amd"]))
    changed = read_index(target, "v2")
    assert (changed.subject, changed.artifact_type) == (subject, "a/b")


@pytest.mark.parametrize(("given", "expected"), [("c/d", "c/d"), ("", None), (None, "a/b")])
def test_artifact_type_is_changed_removed_or_kept(target, index, given, expected):
    create_index(target, ["arm"], tags=["v2"], artifact_type="a/b")
    update_index(target, "v2", IndexChange(artifact_type=given))
    assert read_index(target, "v2").artifact_type == expected


@pytest.mark.parametrize(
    "unwanted", [Platform.parse("linux/s390x"), "sha256:" + "0" * 64, "other", "missing"]
)
def test_removal_of_an_unlisted_entry_is_an_error(target, index, unwanted):
    image(target, AMD, "other", layer=b"other")
    with pytest.raises(NotFoundError):
        update_index(target, "v1", IndexChange(remove=[unwanted]))


def test_invalid_digest_is_refused(target, index):
    with pytest.raises(InvalidDigestError):
        update_index(target, "v1", IndexChange(remove=["sha256:0"]))


# --- Docker -------------------------------------------------------------------------------


@pytest.fixture
def docker_list(target):
    amd = image(target, AMD, "amd", docker=True)
    arm = image(target, ARM, "arm", docker=True)
    listed = codec.encode_index(
        manifests=[with_platform(amd, AMD)], media_type=media_types.DOCKER_MANIFEST_LIST
    )
    target.tag(push_document(target, listed), "v1")
    return amd, arm


def test_docker_images_are_described(target, docker_list):
    amd, _ = docker_list
    assert describe_entry(target, "amd") == with_platform(amd, AMD)


def test_docker_list_of_docker_images_stays_a_docker_list(target, docker_list):
    changed = update_index(target, "v1", IndexChange(add=["arm"]))
    assert changed.media_type == media_types.DOCKER_MANIFEST_LIST
    assert entries_of(target) == [found.digest for found in docker_list]


def test_a_docker_list_with_another_image_becomes_an_index(target, docker_list):
    image(target, Platform.parse("linux/s390x"), "oci")
    changed = update_index(target, "v1", IndexChange(add=["oci"]))
    assert changed.media_type == media_types.OCI_INDEX
