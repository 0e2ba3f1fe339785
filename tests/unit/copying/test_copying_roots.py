"""What a copy takes for its root: one of several, one for a platform, under several names."""

from __future__ import annotations

import json

import pytest

from oras_core.content.platforms import platform_of, select_manifest
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy, copy_graph
from oras_core.copying.extended import ReferrerFilter, extended_copy_graphs
from oras_core.copying.options import CopyOptions
from oras_core.errors import CopyError, InvalidManifestError, NotFoundError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.stores.memory import MemoryStore
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import (
    digests,
    push_artifact,
    push_blob,
    push_document,
)
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.pull import pull
from oras_core.verbs.push import push
from support.artifacts import file, repository
from support.targets import EventRecorder, WatchedStore, store_with

AMD, ARM = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
ARM_V6 = Platform.parse("linux/arm/v6")


def image(target, platform, *, config_type=media_types.OCI_IMAGE_CONFIG, **others):
    """Push an image whose config names its platform; return its manifest."""
    members = {"os": platform.os, "architecture": platform.architecture, **others}
    if platform.variant:
        members["variant"] = platform.variant
    content = json.dumps(members).encode()
    config = Descriptor.of(content, config_type)
    target.push(config, BytesSource(content))
    layers = [push_blob(target, f"layer of {platform}".encode())]
    manifest = codec.encode_manifest(config=config, layers=layers)
    push_document(target, manifest)
    return manifest


def entry(document, platform=None):
    descriptor = document.descriptor
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, platform=platform)


def index_of(target, *entries, tag=None):
    index = codec.encode_index(manifests=entries)
    descriptor = push_document(target, index)
    if tag:
        target.tag(descriptor, tag)
    return index


# --- Several roots ------------------------------------------------------------------------


def test_shared_blobs_of_several_graphs_move_once():
    source, destination = WatchedStore(), MemoryStore()
    manifests = [push_artifact(source, b"shared", name) for name in (b"a", b"b", b"c")]
    source.fetched.clear()
    extended_copy_graphs(
        source,
        [manifest.descriptor for manifest in manifests],
        destination,
        referrers=ReferrerFilter(depth=0),
    )
    assert all(destination.exists(manifest.descriptor) for manifest in manifests)
    assert set(source.fetched.values()) == {1}


def test_present_roots_are_skipped():
    source, destination, seen = WatchedStore(), MemoryStore(), EventRecorder()
    there, missing = push_artifact(source, b"a"), push_artifact(source, b"b")
    push_artifact(destination, b"a")
    source.fetched.clear()
    extended_copy_graphs(
        source,
        [there.descriptor, missing.descriptor],
        destination,
        referrers=ReferrerFilter(depth=0),
        options=CopyOptions(listener=seen),
    )
    assert destination.exists(missing.descriptor)
    assert there.digest not in source.fetched
    assert seen.of(there.descriptor) == [("skipped", "exists")]


def test_a_copy_without_roots_does_nothing():
    extended_copy_graphs(MemoryStore(), [], MemoryStore())


# --- A subject that is not there ----------------------------------------------------------


def test_a_subject_that_the_source_lacks_is_left_out():
    source, destination = MemoryStore(), MemoryStore()
    absent = codec.encode_index(manifests=[]).descriptor
    referrer = push_artifact(source, b"a", subject=absent)
    copy_graph(source, referrer.descriptor, destination)
    assert destination.exists(referrer.descriptor)
    assert not destination.exists(absent)


def test_a_subject_that_the_source_has_comes_first():
    source, destination = MemoryStore(), MemoryStore()
    subject = push_artifact(source, b"a")
    referrer = push_artifact(source, b"b", subject=subject.descriptor)
    copy_graph(source, referrer.descriptor, destination)
    assert destination.exists(subject.descriptor)


@pytest.mark.parametrize("is_subject_too", [False, True])
def test_another_successor_that_the_source_lacks_is_an_error(is_subject_too):
    source, destination = MemoryStore(), MemoryStore()
    absent = codec.encode_index(manifests=[]).descriptor.plain()
    if is_subject_too:
        part = entry(push_artifact(source, b"a", subject=absent))
    else:
        part = entry(push_artifact(source, b"a"))
    index = index_of(source, part, absent)
    with pytest.raises(NotFoundError) as caught:
        copy_graph(source, index.descriptor, destination)
    assert any("fetch" in note and "(source)" in note for note in caught.value.__notes__)


def test_a_root_that_the_source_lacks_is_an_error():
    absent = codec.encode_index(manifests=[]).descriptor
    with pytest.raises(NotFoundError):
        copy_graph(MemoryStore(), absent, MemoryStore())


# --- Several names ------------------------------------------------------------------------


@pytest.mark.parametrize("make", [MemoryStore, repository])
def test_further_tags_are_created(make):
    source, manifest = store_with(b"one")
    destination = make()
    copy(source, "v1", destination, further_tags=["latest", "stable"])
    assert sorted(destination.tags()) == ["latest", "stable", "v1"]
    assert {destination.resolve(tag).digest for tag in destination.tags()} == {manifest.digest}


def test_further_tags_are_created_for_a_copy_by_digest():
    source, manifest = store_with(b"one")
    destination = MemoryStore()
    copy(source, str(manifest.digest), destination, further_tags=["latest"])
    assert list(destination.tags()) == ["latest"]


def test_a_further_tag_costs_one_request():
    source, root = store_with(b"one")
    watched = WatchedTransport(faults.WithoutParameters(EmbeddedRegistry(), names={"tag"}))
    destination = repository(watched)
    copy(source, "v1", destination, further_tags=["v2", "v3"])
    # Whether the registry takes tags with a digest is tried once.
    tried = f"{root.digest}?tag=v1&tag=v2&tag=v3"
    assert watched.manifest_puts == [tried, "v1", "v2", "v3"]
    copy(source, "v1", destination, further_tags=["v4"])
    assert watched.manifest_puts[4:] == ["v4"]


def test_several_tags_are_one_request_where_the_registry_says_so():
    source, root = store_with(b"one")
    watched = WatchedTransport(EmbeddedRegistry())
    destination = repository(watched)
    for tags in (["v2", "v3"], ["v4", "v5"]):
        copy(source, "v1", destination, further_tags=tags)
    assert {destination.resolve(f"v{n}").digest for n in (1, 2, 3, 4, 5)} == {root.digest}
    assert watched.manifest_puts == [
        f"{root.digest}?tag=v1&tag=v2&tag=v3",
        f"{root.digest}?tag=v4&tag=v5",
    ]


@pytest.mark.parametrize("status", [400, 404, 405, 414])
def test_more_tags_than_a_request_may_have_are_put_one_by_one(status):
    source, root = store_with(b"one")

    def has_several_tags(request):
        return request.url.count("tag=") > 1

    server = faults.Refused(EmbeddedRegistry(), status=status, when=has_several_tags)
    destination = repository(server)
    copy(source, "v1", destination, further_tags=["v2", "v3"])
    assert {destination.resolve(tag).digest for tag in ("v1", "v2", "v3")} == {root.digest}


class WatchedTransport:
    """Notes which manifests are put."""

    def __init__(self, transport):
        self.transport = transport
        self.manifest_puts = []

    def send(self, request):
        if request.method == "PUT" and "/manifests/" in request.url:
            self.manifest_puts.append(request.url.rpartition("/")[2])
        return self.transport.send(request)


def test_a_push_creates_several_tags():
    target = repository()
    root = push(
        target,
        "v1",
        [file("a", b"a")],
        scratch=MemoryFileTree(),
        further_tags=["v1.0", "latest"],
    )
    assert sorted(target.tags()) == ["latest", "v1", "v1.0"]
    assert target.resolve("latest").digest == root.digest


def test_a_push_without_a_tag_is_found_by_digest():
    target = repository()
    root = push(target, None, [file("a", b"a")], scratch=MemoryFileTree())
    assert list(target.tags()) == []
    assert target.resolve(str(root.digest)).digest == root.digest


class Storage:
    """Holds content and knows no names."""

    def __init__(self):
        store = MemoryStore()
        self.exists, self.fetch, self.push = store.exists, store.fetch, store.push


def test_tags_need_a_target():
    source, manifest = store_with(b"one")
    with pytest.raises(CopyError, match="not a Target"):
        copy_graph(source, manifest.descriptor, Storage(), reference="v1")


# --- For a platform -----------------------------------------------------------------------


def copied_for(source, platform, tag="v1"):
    destination = MemoryStore()
    root = copy(source, tag, destination, options=CopyOptions(platform=platform)).root
    assert destination.resolve(tag).digest == root.digest
    return destination, root


def test_only_the_manifest_of_the_platform_is_copied():
    source = MemoryStore()
    amd, arm = image(source, AMD), image(source, ARM)
    index = index_of(source, entry(amd, AMD), entry(arm, ARM), tag="v1")
    destination, root = copied_for(source, ARM)
    assert root.digest == arm.digest
    assert not destination.exists(index.descriptor)
    assert not destination.exists(amd.descriptor)


def test_the_default_variant_is_selected():
    source = MemoryStore()
    arm = image(source, ARM, variant="v8")
    v6 = image(source, ARM_V6)
    index_of(source, entry(v6, ARM_V6), entry(arm, Platform("linux", "arm64", "v8")), tag="v1")
    assert copied_for(source, ARM)[1].digest == arm.digest
    assert copied_for(source, ARM_V6)[1].digest == v6.digest
    with pytest.raises(NotFoundError, match=r"linux/arm/v6, linux/arm64/v8"):
        copied_for(source, Platform.parse("linux/arm"))


def test_an_index_in_an_index_is_looked_into():
    source = MemoryStore()
    amd, arm = image(source, AMD), image(source, ARM)
    inner = index_of(source, entry(arm, ARM))
    index_of(source, entry(amd, AMD), entry(inner), tag="v1")
    assert copied_for(source, ARM)[1].digest == arm.digest


def test_an_index_in_an_index_that_names_its_platform_is_looked_into():
    source = MemoryStore()
    amd, arm = image(source, AMD), image(source, ARM)
    inner = index_of(source, entry(amd, AMD), entry(arm, ARM))
    other = index_of(source, entry(amd, AMD))
    index_of(source, entry(other, AMD), entry(inner, ARM), tag="v1")
    assert copied_for(source, ARM)[1].digest == arm.digest


@pytest.mark.parametrize(
    "config_type", [media_types.OCI_IMAGE_CONFIG, media_types.DOCKER_IMAGE_CONFIG]
)
def test_the_platform_of_the_config_counts_if_the_index_has_none(config_type):
    source = MemoryStore()
    amd = image(source, AMD, config_type=config_type)
    arm = image(source, ARM, config_type=config_type)
    index_of(source, entry(amd), entry(arm), tag="v1")
    assert copied_for(source, ARM)[1].digest == arm.digest


def test_the_platform_of_the_index_precedes_that_of_the_config():
    source = MemoryStore()
    silent, spoken = image(source, AMD), image(source, AMD, comment="spoken")
    index_of(source, entry(silent), entry(spoken, AMD), tag="v1")
    assert copied_for(source, AMD)[1].digest == spoken.digest


def test_the_platform_of_a_single_image_is_checked():
    source = MemoryStore()
    source.tag(image(source, AMD).descriptor, "v1")
    assert copied_for(source, AMD)[1].digest == source.resolve("v1").digest
    with pytest.raises(NotFoundError, match=r"platform linux/arm64 not found in .*linux/amd64"):
        copied_for(source, ARM)


def test_an_artifact_is_for_any_platform():
    source, manifest = store_with(b"one")
    assert copied_for(source, ARM)[1].digest == manifest.digest


def test_a_pull_looks_into_an_index_in_an_index():
    source = MemoryStore()
    arm = image(source, ARM)
    inner = index_of(source, entry(arm, ARM))
    index_of(source, entry(inner), tag="v1")
    assert pull(source, "v1", MemoryFileTree(), platform=ARM).manifest.digest == arm.digest


def test_an_index_that_holds_itself_many_times_is_read_once():
    source = WatchedStore()
    amd = image(source, AMD)
    inner = index_of(source, entry(amd, AMD))
    outer = index_of(source, entry(inner), entry(inner), entry(inner))
    source.fetched.clear()
    with pytest.raises(NotFoundError, match="linux/amd64"):
        select_manifest(source, outer.descriptor, ARM)
    assert source.fetched[inner.digest] == 1


def test_docker_lists_are_indexes_too():
    source = MemoryStore()
    amd, arm = image(source, AMD), image(source, ARM)
    listed = codec.encode_index(
        manifests=[entry(amd, AMD), entry(arm, ARM)], media_type=media_types.DOCKER_MANIFEST_LIST
    )
    source.tag(push_document(source, listed), "v1")
    assert copied_for(source, ARM)[1].digest == arm.digest
    destination = MemoryStore()
    copy(source, "v1", destination)
    assert digests(destination.predecessors(arm.descriptor)) == [listed.digest]


# --- The platform of an image -------------------------------------------------------------


def with_config(target, content, media_type=media_types.OCI_IMAGE_CONFIG):
    config = Descriptor.of(content, media_type)
    target.push(config, BytesSource(content))
    return codec.encode_manifest(config=config, layers=[])


def test_a_platform_is_read_from_the_config():
    target = MemoryStore()
    content = (
        b'{"os": "windows", "architecture": "arm", "variant": "v6", "os.version": "10.0",'
        b' "os.features": ["win32k"], "rootfs": {}}'
    )
    assert platform_of(target, with_config(target, content)) == Platform(
        "windows", "arm", "v6", "10.0", ("win32k",)
    )


@pytest.mark.parametrize("content", [b"{}", b'{"os": "linux"}', b'{"os":"","architecture":""}'])
def test_a_config_may_lack_a_platform(content):
    target = MemoryStore()
    assert platform_of(target, with_config(target, content)) is None


def test_an_artifact_has_no_platform():
    target = MemoryStore()
    content = b'{"os": "linux", "architecture": "amd64"}'
    assert platform_of(target, with_config(target, content, "a/b")) is None


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"os": 1, "architecture": "amd64"}'])
def test_a_malformed_config_is_an_error(content):
    target = MemoryStore()
    with pytest.raises(InvalidManifestError, match="config"):
        platform_of(target, with_config(target, content))
