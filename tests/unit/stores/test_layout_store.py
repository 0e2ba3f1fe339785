from __future__ import annotations

import io
import json
from contextlib import closing

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy
from oras_core.errors import (
    DigestMismatchError,
    InvalidDigestError,
    InvalidManifestError,
    NotFoundError,
    SizeMismatchError,
    UnsafePathError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.stores.layout.store import OciLayoutStore, blob_path
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content import TargetContract
from oras_core.testing.contracts.content_abilities import (
    DeleterContract,
    PredecessorFinderContract,
    ReferrerListerContract,
    TagListerContract,
    UntaggerContract,
)
from oras_core.testing.contracts.content_access import digests, push_artifact, push_document, read
from oras_core.testing.memory_files import MemoryFileTree

REF_NAME = media_types.ANNOTATION_REF_NAME


class TestLayoutInMemory(
    TargetContract,
    TagListerContract,
    UntaggerContract,
    DeleterContract,
    PredecessorFinderContract,
    ReferrerListerContract,
):
    @pytest.fixture
    def target(self):
        return OciLayoutStore(MemoryFileTree())


class TestLayoutOnDisk(
    TargetContract,
    TagListerContract,
    UntaggerContract,
    DeleterContract,
    PredecessorFinderContract,
    ReferrerListerContract,
):
    @pytest.fixture
    def target(self, tmp_path):
        return OciLayoutStore(LocalFileTree(tmp_path / "layout", create=True))


@pytest.fixture
def tree():
    return MemoryFileTree()


@pytest.fixture
def store(tree):
    return OciLayoutStore(tree)


def content_of(tree, path):
    with closing(tree.open(sanitize_path(path))) as stream:
        return stream.read()


def put(tree, path, content):
    with tree.create(sanitize_path(path)) as file:
        file.write(content)
        file.commit()


def index_of(tree):
    return json.loads(content_of(tree, "index.json"))


def entries_of(tree):
    return [
        (entry["digest"], entry.get("annotations", {}).get(REF_NAME))
        for entry in index_of(tree)["manifests"]
    ]


# --- The files ----------------------------------------------------------------------------


def test_read_creates_no_files(tree, store):
    assert list(store.tags()) == []
    assert not store.exists(Descriptor.of(b"blob", "a/b"))
    assert list(tree.entries()) == []


def test_the_first_push_makes_a_layout(tree, store):
    blob = Descriptor.of(b"blob", "a/b")
    store.push(blob, BytesSource(b"blob"))
    assert json.loads(content_of(tree, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}
    assert index_of(tree) == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [],
    }
    assert content_of(tree, f"blobs/sha256/{blob.digest.encoded}") == b"blob"


def test_equal_layouts_have_equal_bytes(tree, store):
    other_tree = MemoryFileTree()
    for target in (store, OciLayoutStore(other_tree)):
        target.tag(push_artifact(target, b"layer").descriptor, "v1")
    assert content_of(tree, "index.json") == content_of(other_tree, "index.json")


@pytest.mark.parametrize(
    ("marker", "place"),
    [
        (b"{", "oci-layout"),
        (b"[]", "oci-layout"),
        (b"{}", "oci-layout"),
        (b'{"imageLayoutVersion": "1.1.0"}', "oci-layout"),
        (b'{"imageLayoutVersion": 1}', "oci-layout"),
    ],
)
def test_a_layout_of_another_version_is_neither_read_nor_written(tree, store, marker, place):
    put(tree, "oci-layout", marker)
    with pytest.raises(InvalidManifestError, match=place):
        list(store.tags())
    with pytest.raises(InvalidManifestError, match=place):
        store.push(Descriptor.of(b"blob", "a/b"), BytesSource(b"blob"))
    assert [str(entry.path) for entry in tree.entries()] == ["oci-layout"]


def test_index_without_the_marker_is_not_a_layout(tree, store):
    put(tree, "index.json", b'{"schemaVersion": 2, "manifests": []}')
    with pytest.raises(InvalidManifestError, match="the file is missing"):
        store.resolve("v1")


@pytest.mark.parametrize(
    "index",
    [
        b"",
        b"[]",
        b'{"schemaVersion": 1, "manifests": []}',
        b'{"schemaVersion": 2}',
        b'{"schemaVersion": 2, "manifests": [{"digest": "sha256:../../x", "size": 1}]}',
        b'{"schemaVersion": 2, "manifests": [], "mediaType": "application/vnd.other"}',
    ],
)
def test_a_broken_index_is_named(tree, store, index):
    put(tree, "oci-layout", b'{"imageLayoutVersion": "1.0.0"}')
    put(tree, "index.json", index)
    with pytest.raises(InvalidManifestError, match=r"index\.json"):
        store.resolve("v1")
    assert content_of(tree, "index.json") == index


def test_unknown_members_of_the_index_stay(tree, store):
    manifest = push_artifact(store, b"layer")
    document = index_of(tree)
    document["org.example"] = {"kept": True}
    document["annotations"] = {"note": "kept"}
    document["manifests"][0]["x-example"] = [1]
    document["manifests"][0]["annotations"] = {"io.containerd.image.name": "kept"}
    put(tree, "index.json", json.dumps(document).encode())
    store.tag(manifest.descriptor, "v1")
    changed = index_of(tree)
    assert changed["org.example"] == {"kept": True}
    assert changed["annotations"] == {"note": "kept"}
    (entry,) = changed["manifests"]
    assert entry["x-example"] == [1]
    assert entry["annotations"] == {"io.containerd.image.name": "kept", REF_NAME: "v1"}


def test_names_of_other_tools_are_found(tree, store):
    manifest = push_artifact(store, b"layer")
    document = index_of(tree)
    document["manifests"][0]["annotations"] = {REF_NAME: "docker.io/library/alpine:3"}
    put(tree, "index.json", json.dumps(document).encode())
    assert store.resolve("docker.io/library/alpine:3").digest == manifest.digest
    assert list(store.tags()) == []


def test_a_change_of_another_store_is_seen(tree, store):
    manifest = push_artifact(store, b"layer")
    other = OciLayoutStore(tree)
    other.tag(manifest.descriptor, "theirs")
    assert store.resolve("theirs").digest == manifest.digest
    store.tag(manifest.descriptor, "ours")
    assert list(other.tags()) == ["ours", "theirs"]


# --- The index ----------------------------------------------------------------------------


def test_a_manifest_is_listed_without_a_tag(tree, store):
    manifest = push_artifact(store, b"layer")
    assert entries_of(tree) == [(str(manifest.digest), None)]
    store.tag(manifest.descriptor, "v1")
    assert entries_of(tree) == [(str(manifest.digest), "v1")]


def test_manifests_of_an_index_are_no_longer_listed(tree, store):
    parts = [push_artifact(store, layer).descriptor for layer in (b"a", b"b", b"c")]
    store.tag(parts[0], "part")
    index = codec.encode_index(manifests=parts)
    push_document(store, index)
    assert entries_of(tree) == [(str(parts[0].digest), "part"), (str(index.digest), None)]
    assert all(store.exists(part) for part in parts)
    assert OciLayoutStore(tree).resolve(str(parts[2].digest)).digest == parts[2].digest


def test_a_manifest_whose_tag_moved_stays_listed(tree, store):
    first, second = push_artifact(store, b"a"), push_artifact(store, b"b")
    store.tag(first.descriptor, "v1")
    store.tag(second.descriptor, "v1")
    assert sorted(entries_of(tree)) == sorted(
        [(str(first.digest), None), (str(second.digest), "v1")]
    )
    store.tag(second.descriptor, "v2")
    store.untag("v1")
    assert sorted(entries_of(tree)) == sorted(
        [(str(first.digest), None), (str(second.digest), "v2")]
    )


def test_name_annotation_is_not_copied_out_of_the_layout(store):
    index = codec.encode_index(manifests=[])
    descriptor = index.descriptor.with_annotations({"note": "x", REF_NAME: "elsewhere"})
    store.push(descriptor, BytesSource(index.content))
    assert list(store.tags()) == []
    store.tag(descriptor, "v1")
    assert dict(store.resolve("v1").annotations) == {"note": "x"}
    target = OciLayoutStore(MemoryFileTree())
    copy(store, "v1", target, "v2")
    assert list(target.tags()) == ["v2"]


def test_tagging_again_writes_nothing(tree, store):
    manifest = push_artifact(store, b"layer")
    store.tag(manifest.descriptor, "v1")
    revision = tree.entry(sanitize_path("index.json")).revision
    store.tag(manifest.descriptor, "v1")
    assert tree.entry(sanitize_path("index.json")).revision == revision


# --- Content ------------------------------------------------------------------------------


def test_changed_bytes_are_an_error_when_read(tree, store):
    manifest = push_artifact(store, b"layer")
    (layer,) = manifest.layers
    put(tree, str(blob_path(layer.digest)), b"LAYER")
    with pytest.raises(DigestMismatchError):
        read(store, layer)
    put(tree, str(blob_path(layer.digest)), b"lay")
    assert not store.exists(layer)
    with pytest.raises(SizeMismatchError):
        read(store, layer)
    store.push(layer, BytesSource(b"layer"))
    assert read(store, layer) == b"layer"


def test_a_link_in_place_of_a_blob_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    store = OciLayoutStore(LocalFileTree(tmp_path / "layout", create=True))
    store.push(Descriptor.of(b"blob", "a/b"), BytesSource(b"blob"))
    planted = Descriptor.of(b"secret", "a/b")
    path = tmp_path / "layout" / str(blob_path(planted.digest))
    path.symlink_to(tmp_path / "secret")
    assert not store.exists(planted)
    with pytest.raises(UnsafePathError):
        store.fetch(planted)


def test_a_manifest_that_no_index_lists_is_pushed_again(tree, store):
    manifest = push_artifact(store, b"layer")
    put(tree, "index.json", b'{"schemaVersion": 2, "manifests": []}')
    assert not store.exists(manifest.descriptor)
    push_document(store, manifest)
    assert entries_of(tree) == [(str(manifest.digest), None)]


def test_a_malformed_manifest_is_refused(tree, store):
    descriptor = Descriptor.of(b"no JSON", media_types.OCI_MANIFEST)
    with pytest.raises(InvalidManifestError):
        store.push(descriptor, BytesSource(b"no JSON"))
    assert tree.entry(blob_path(descriptor.digest)) is None


def test_a_malformed_digest_is_not_a_name(store):
    with pytest.raises(InvalidDigestError):
        store.resolve("sha256:../../etc/passwd")
    with pytest.raises(NotFoundError):
        store.resolve("../../etc/passwd")


def test_an_interrupted_push_leaves_no_file(tmp_path):
    store = OciLayoutStore(LocalFileTree(tmp_path, create=True))
    with pytest.raises(SizeMismatchError):
        store.push(Descriptor.of(b"blob", "a/b"), _Short())
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


class _Short:
    size = 4

    def open(self):
        return io.BytesIO(b"blo")


# --- The graph ----------------------------------------------------------------------------


def test_the_graph_is_read_from_disk_by_another_store(tree, store):
    manifest = push_artifact(store, b"layer")
    attached = push_artifact(store, b"signature", subject=manifest.descriptor)
    opened = OciLayoutStore(tree)
    assert digests(opened.predecessors(manifest.descriptor)) == [attached.digest]
    assert digests(opened.predecessors(manifest.layers[0])) == [manifest.digest]
    assert opened.resolve(str(manifest.layers[0].digest)).plain() == manifest.layers[0].plain()


def test_a_layout_may_lack_referenced_blobs(tree, store):
    parts = [push_artifact(store, layer).descriptor for layer in (b"a", b"b")]
    index = codec.encode_index(manifests=parts)
    push_document(store, index)
    tree.remove(blob_path(parts[0].digest))
    opened = OciLayoutStore(tree)
    assert digests(opened.predecessors(parts[1])) == [index.digest]
    assert not opened.exists(parts[0])


def test_copies_from_and_to_a_layout(store):
    memory = MemoryStore()
    parts = [push_artifact(memory, layer).descriptor for layer in (b"a", b"b")]
    index = codec.encode_index(manifests=parts)
    memory.tag(push_document(memory, index), "v1")
    assert copy(memory, "v1", store).root.digest == index.digest
    back = MemoryStore()
    copy(store, "v1", back, "v2")
    assert read(back, back.resolve("v2")) == index.content
    assert all(back.exists(part) for part in parts)
