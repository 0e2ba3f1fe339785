"""OCI layouts as one tar file."""

from __future__ import annotations

import io
import json
import tarfile
from threading import Event, Thread

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.copying.copy import copy
from oras_core.errors import (
    AlreadyExistsError,
    ContentError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    UnsafeArchiveError,
)
from oras_core.model.limits import Limits
from oras_core.model.paths import sanitize_path
from oras_core.stores.layout.archive import archived_layout, pack_layout, unpack_layout
from oras_core.stores.layout.store import OciLayoutStore, blob_path
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import digests, push_artifact, push_blob, read
from oras_core.testing.memory_files import MemoryFileTree
from support.artifacts import all_files
from support.tar_archives import hardlink, member, symlink, tar

PATH = sanitize_path("sub/image.tar")


@pytest.fixture
def tree():
    return MemoryFileTree()


@pytest.fixture
def manifest(tree):
    """An artifact in the layout in `tree`, under the name v1."""
    store = OciLayoutStore(tree)
    manifest = push_artifact(store, b"one", b"two" * 1000, b"")
    store.tag(manifest.descriptor, "v1")
    return manifest


def packed(tree):
    pieces = []
    pack_layout(tree, pieces.append)
    return b"".join(pieces)


def unpacked(content, **options):
    tree = MemoryFileTree()
    unpack_layout(io.BytesIO(content), tree, **options)
    return tree


def tar_of(members):
    return tar(*(member(name, content) for name, content in members))


def members_of(content):
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return [
            (member.name, archive.extractfile(member).read() if member.isfile() else b"")
            for member in archive
        ]


# --- There and back -----------------------------------------------------------------------


def test_packed_layout_round_trips(tree, manifest):
    there = unpacked(packed(tree))
    assert all_files(there) == all_files(tree)
    store = OciLayoutStore(there)
    assert store.resolve("v1").digest == manifest.digest
    copy(store, "v1", MemoryStore())


def test_the_same_layout_gives_the_same_bytes(tree, manifest):
    assert packed(tree) == packed(tree) == packed(unpacked(packed(tree)))


def test_other_programs_read_it(tree, manifest):
    names = [name for name, _ in members_of(packed(tree))]
    assert names[:4] == ["oci-layout", "index.json", "blobs", "blobs/sha256"]
    assert dict(members_of(packed(tree)))[str(blob_path(manifest.digest))] == manifest.content


def test_an_archive_has_no_unreferenced_blobs(tree, manifest):
    garbage = push_blob(OciLayoutStore(tree), b"garbage")
    assert str(blob_path(garbage.digest)) not in dict(members_of(packed(tree)))


def test_an_archive_may_lack_referenced_blobs(tree, manifest):
    tree.remove(blob_path(manifest.layers[0].digest))
    there = OciLayoutStore(unpacked(packed(tree)))
    assert not there.exists(manifest.layers[0])
    assert there.exists(manifest.layers[1])


def test_a_damaged_blob_is_not_packed(tree, manifest):
    with tree.create(blob_path(manifest.layers[0].digest)) as file:
        file.write(b"eno")
        file.commit()
    with pytest.raises(DigestMismatchError):
        packed(tree)


def test_a_folder_without_a_layout_is_not_packed(tree):
    with pytest.raises(NotFoundError, match="an OCI image layout"):
        packed(tree)


# --- Hostile archives ---------------------------------------------------------------------


def test_members_can_be_in_any_order_among_other_members(tree, manifest):
    members = members_of(packed(tree))[::-1]
    foreign = [("manifest.json", b"[]"), ("../../etc/passwd", b"x"), ("blobs/sha256/short", b"x")]
    there = unpacked(tar_of([*foreign, *members]))
    assert all_files(there) == all_files(tree)


def test_names_may_begin_with_a_dot(tree, manifest):
    members = [(f"./{name}", content) for name, content in members_of(packed(tree))]
    assert all_files(unpacked(tar_of(members))) == all_files(tree)


@pytest.mark.parametrize("missing", ["oci-layout", "index.json"])
def test_an_archive_without_a_layout_is_refused(tree, manifest, missing):
    members = [found for found in members_of(packed(tree)) if found[0] != missing]
    with pytest.raises(UnsafeArchiveError, match=f"{missing} is missing"):
        unpacked(tar_of(members))


@pytest.mark.parametrize("twice", ["oci-layout", "index.json"])
def test_a_file_that_occurs_twice_is_refused(tree, manifest, twice):
    members = members_of(packed(tree))
    with pytest.raises(UnsafeArchiveError, match="occurs twice"):
        unpacked(tar_of([*members, (twice, b"{}")]))


@pytest.mark.parametrize("change", [bytes.upper, lambda content: content + b"x"])
def test_a_blob_that_does_not_match_is_refused(tree, manifest, change):
    name = str(blob_path(manifest.layers[0].digest))
    members = [
        (found, change(content) if found == name else content)
        for found, content in members_of(packed(tree))
    ]
    there = MemoryFileTree()
    with pytest.raises(ContentError):
        unpack_layout(io.BytesIO(tar_of(members)), there)
    assert "index.json" not in all_files(there)
    assert name not in all_files(there)


@pytest.mark.parametrize("kept", [0, 100, 700, 2000])
def test_a_truncated_archive_leaves_no_layout(tree, manifest, kept):
    there = MemoryFileTree()
    with pytest.raises(UnsafeArchiveError):
        unpack_layout(io.BytesIO(packed(tree)[:kept]), there)
    assert not {"index.json", "oci-layout"} & set(all_files(there))


def test_links_are_skipped(tree, manifest):
    members = [member(*found) for found in members_of(packed(tree))]
    planted = "blobs/sha256/" + "0" * 64
    there = unpacked(tar(symlink(planted, "/etc/passwd"), hardlink("x", "index.json"), *members))
    assert all_files(there) == all_files(tree)
    assert there.entry(sanitize_path(planted)) is None


def test_an_archive_beyond_the_limits_is_refused(tree, manifest):
    with pytest.raises(SizeLimitError, match="3 members"):
        unpacked(packed(tree), limits=Limits(archive_members=3))
    with pytest.raises(SizeLimitError, match="1000 bytes"):
        unpacked(packed(tree), limits=Limits(archive_bytes=1000))


def test_a_large_marker_is_not_held_in_memory():
    with pytest.raises(SizeLimitError, match="oci-layout"):
        unpacked(tar_of([("oci-layout", bytes(70_000))]))


def test_a_layout_is_not_overwritten(tree, manifest):
    with pytest.raises(AlreadyExistsError):
        unpack_layout(io.BytesIO(packed(tree)), tree)


def test_another_version_is_refused_when_it_is_read(tree, manifest):
    members = [
        (name, json.dumps({"imageLayoutVersion": "2.0.0"}).encode() if i == 0 else content)
        for i, (name, content) in enumerate(members_of(packed(tree)))
    ]
    with pytest.raises(InvalidManifestError, match=r"2\.0\.0"):
        OciLayoutStore(unpacked(tar_of(members))).resolve("v1")


# --- As a target --------------------------------------------------------------------------


@pytest.fixture(params=["memory", "disk"])
def folder(request, tmp_path):
    return MemoryFileTree() if request.param == "memory" else LocalFileTree(tmp_path)


def test_archive_is_created_and_extended(folder):
    manifests = []
    for number in range(3):
        with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
            assert len(list(store.tags())) == number
            manifest = push_artifact(store, b"%d" % number)
            store.tag(manifest.descriptor, f"v{number}")
            manifests.append(manifest.descriptor)
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        assert digests(store.resolve(tag) for tag in store.tags()) == digests(manifests)
        assert read(store, manifests[0])


def test_an_archive_that_did_not_change_stays_as_it_is(folder):
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        push_artifact(store, b"one")
    before = folder.entry(PATH)
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        push_artifact(store, b"one")
    assert folder.entry(PATH) == before


def test_no_archive_is_made_without_a_write(folder):
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        assert list(store.tags()) == []
    assert folder.entry(PATH) is None


def test_after_an_exception_the_old_archive_stays(folder):
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        push_artifact(store, b"one")
    before = folder.entry(PATH)

    def fail():
        with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
            push_artifact(store, b"two")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert folder.entry(PATH) == before


def test_two_writers_of_one_archive_are_serialised(folder):
    inside, go_on = Event(), Event()

    def change(content, begin):
        with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
            begin()
            manifest = push_artifact(store, content)
            store.tag(manifest.descriptor, content.decode())

    def first():
        inside.set()
        assert go_on.wait(30)

    threads = [Thread(target=change, args=(b"one", first))]
    threads[0].start()
    assert inside.wait(30)
    threads.append(Thread(target=change, args=(b"two", lambda: None)))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    with archived_layout(folder, PATH, scratch=MemoryFileTree()) as store:
        assert list(store.tags()) == ["one", "two"]
