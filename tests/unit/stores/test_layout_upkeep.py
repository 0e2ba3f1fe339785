"""What an OCI layout removes, and how several stores share one."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Thread

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy
from oras_core.errors import (
    CancelledError,
    ContentError,
    NotFoundError,
    SizeMismatchError,
    UnsupportedError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.stores.layout.locks import LayoutLocks
from oras_core.stores.layout.store import CollectedGarbage, OciLayoutStore, blob_path
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import (
    LAYER,
    digests,
    push_artifact,
    push_blob,
    push_document,
    read,
)
from oras_core.testing.memory_files import MemoryFileTree
from support.processes import python_running, run_python

PATIENCE = 30.0


@pytest.fixture(params=["memory", "disk"])
def tree(request, tmp_path):
    if request.param == "memory":
        return MemoryFileTree()
    return LocalFileTree(tmp_path / "layout", create=True)


@pytest.fixture
def store(tree):
    return OciLayoutStore(tree)


class NoLocks:
    """A folder in which processes cannot take turns."""

    def __init__(self, tree):
        for name in (
            "entry", "entries", "open", "create", "create_directory", "make_directory",
            "make_symlink", "remove",
        ):  # fmt: skip
            setattr(self, name, getattr(tree, name))


def put(tree, path, content):
    with tree.create(sanitize_path(path)) as file:
        file.write(content)
        file.commit()


def blobs_of(tree):
    try:
        entries = tree.entries(sanitize_path("blobs/sha256"))
    except NotFoundError:
        return set()
    return {entry.path.name for entry in entries}


def hexes(*descriptors):
    return {descriptor.digest.encoded for descriptor in descriptors}


# --- Deleting -----------------------------------------------------------------------------


def test_the_manifests_of_a_deleted_index_stay(tree, store):
    parts = [push_artifact(store, content).descriptor for content in (b"a", b"b")]
    store.tag(parts[0], "part")
    index = push_document(store, codec.encode_index(manifests=parts))
    store.delete(index)
    for opened in (store, OciLayoutStore(tree)):
        assert all(opened.exists(part) for part in parts)
        assert opened.resolve(str(parts[1].digest)).digest == parts[1].digest
        assert opened.resolve("part").digest == parts[0].digest
    assert digests(store.roots()) == digests(parts)


def test_parts_of_another_index_are_not_listed(store):
    part = push_artifact(store, b"a").descriptor
    one = push_document(store, codec.encode_index(manifests=[part]))
    two = push_document(store, codec.encode_index(manifests=[part], annotations={"n": "2"}))
    store.delete(one)
    assert digests(store.roots()) == [two.digest]


def test_a_manifest_whose_file_was_removed_has_no_name(tree, store):
    part = push_artifact(store, b"a").descriptor
    push_document(store, codec.encode_index(manifests=[part]))
    store.delete(part)
    with pytest.raises(NotFoundError):
        store.resolve(str(part.digest))
    assert not store.exists(part)


# --- Collecting garbage -------------------------------------------------------------------


def test_unreferenced_blobs_are_removed(tree):
    store = OciLayoutStore(tree)
    loose = push_blob(store, b"loose")
    gone = push_artifact(store, b"gone", b"shared")
    stays = push_artifact(store, b"stays", b"shared")
    store.delete(gone.descriptor)
    wanted = hexes(*stays.layers, stays.config, stays.descriptor)
    store = None  # what was pushed into it would stay as long as it is in use
    collected = OciLayoutStore(tree).collect_garbage()
    assert set(collected.digests) == {gone.layers[0].digest, loose.digest}
    assert collected.size == len(b"gone") + len(b"loose")
    assert blobs_of(tree) == wanted


def test_reachable_blobs_stay(tree, store):
    image = push_artifact(store, b"image")
    index = push_document(store, codec.encode_index(manifests=[image.descriptor]))
    store.tag(push_document(store, codec.encode_index(manifests=[index])), "v1")
    signature = push_artifact(store, b"signature", subject=image.descriptor)
    push_artifact(store, b"untagged")
    assert store.collect_garbage() == CollectedGarbage((), 0)
    assert digests(store.referrers(image.descriptor)) == [signature.digest]


def test_collection_may_keep_tagged_artifacts_and_their_referrers_only(tree, store):
    image = push_artifact(store, b"image")
    old = push_artifact(store, b"old")
    of_old = push_artifact(store, b"signature of old", subject=old.descriptor)
    signature = push_artifact(store, b"signature", subject=image.descriptor)
    of_signature = push_artifact(store, b"third", subject=signature.descriptor)
    store.tag(old.descriptor, "v1")
    store.tag(image.descriptor, "v1")
    collected = store.collect_garbage(keep="tagged")
    kept = [image, signature, of_signature]
    for opened in (store, OciLayoutStore(tree)):
        assert all(opened.exists(manifest.descriptor) for manifest in kept)
        assert not opened.exists(old.descriptor)
        assert not opened.exists(of_old.descriptor)
        assert digests(opened.roots()) == digests(manifest.descriptor for manifest in kept)
        assert read(opened, image.layers[0]) == b"image"
    assert {old.digest, of_old.digest, old.layers[0].digest} <= set(collected.digests)
    assert image.config.digest not in collected.digests


def test_names_that_are_not_tags_keep_their_manifest(tree, store):
    manifest = push_artifact(store, b"layer")
    store.tag(manifest.descriptor, "v1")
    put(tree, "index.json", content_of(tree, "index.json").replace(b'"v1"', b'"docker.io/a:v1"'))
    store.collect_garbage(keep="tagged")
    assert store.exists(manifest.descriptor)


def content_of(tree, path):
    stream = tree.open(sanitize_path(path))
    try:
        return stream.read()
    finally:
        stream.close()


def test_files_not_named_by_a_digest_stay(tree, store):
    push_artifact(store, b"layer")
    put(tree, "blobs/sha256/notes.txt", b"notes")
    put(tree, "blobs/other/" + "0" * 64, b"other")
    put(tree, "README", b"readme")
    assert store.collect_garbage().digests == ()
    assert "notes.txt" in blobs_of(tree)


def test_garbage_of_every_digest_algorithm_is_removed(tree, store):
    push_artifact(store, b"layer")
    put(tree, "blobs/sha512/" + "0" * 128, b"garbage")
    assert [str(digest) for digest in store.collect_garbage().digests] == ["sha512:" + "0" * 128]


def test_nothing_is_removed_from_a_damaged_layout(tree, store):
    manifest = push_artifact(store, b"layer")
    put(tree, "blobs/sha256/" + "0" * 64, b"garbage")
    put(tree, str(blob_path(manifest.digest)), manifest.content.replace(b"layer", b"LAYER"))
    before = blobs_of(tree)
    with pytest.raises(ContentError):
        OciLayoutStore(tree).collect_garbage()
    assert blobs_of(tree) == before


def test_a_layout_may_lack_referenced_blobs(tree, store):
    manifest = push_artifact(store, b"layer")
    index = codec.encode_index(manifests=[manifest.descriptor])
    push_document(store, index)
    store.delete(manifest.descriptor)
    store.collect_garbage()
    assert blobs_of(tree) == hexes(index.descriptor)


def test_an_empty_folder_has_no_garbage(tree):
    assert OciLayoutStore(tree).collect_garbage().digests == ()


# --- While a copy is running ---------------------------------------------------------------


def test_blobs_of_a_running_copy_stay_until_their_manifest_is_listed(tree, store):
    with OciLayoutStore(tree).receiving() as receiver:
        blob = push_blob(receiver, b"layer")
        with pytest.raises(UnsupportedError, match="a copy into the layout or another collection"):
            store.collect_garbage()
        manifest = push_artifact(receiver, b"layer")
    assert store.collect_garbage().digests == ()
    assert store.exists(blob)
    assert store.exists(manifest.descriptor)


def test_a_blob_that_a_running_copy_has_found_stays(tree, store):
    push_blob(store, b"shared")
    with store.receiving() as receiver:
        assert receiver.exists(Descriptor.of(b"shared", LAYER))
        with pytest.raises(UnsupportedError):
            OciLayoutStore(tree).collect_garbage()
        push_artifact(receiver, b"shared")
    assert store.collect_garbage().digests == ()


def test_blobs_pushed_outside_a_copy_are_garbage(store):
    blob = push_blob(store, b"without a manifest")
    assert store.collect_garbage().digests == (blob.digest,)


def test_a_failed_push_does_not_exclude_collection(tree, store):
    other = OciLayoutStore(tree)
    with pytest.raises(SizeMismatchError), other.receiving() as receiver:
        receiver.push(Descriptor.of(b"blob", LAYER), BytesSource(b"blo"))
    assert store.collect_garbage().digests == ()


def test_manifests_of_a_failed_copy_are_listed(tree, store):
    source = MemoryStore()
    manifest = push_artifact(source, b"complete")
    with pytest.raises(NotFoundError), store.receiving() as receiver:
        copy_both(source, manifest, receiver)
    assert digests(OciLayoutStore(tree).roots()) == [manifest.digest]


def copy_both(source, manifest, receiver):
    copy(source, str(manifest.digest), receiver)
    copy(source, "missing", receiver)


def test_a_tagged_blob_stays(tree, store):
    with OciLayoutStore(tree).receiving() as receiver:
        receiver.tag(push_blob(receiver, b"a blob with a name"), "v1")
    assert store.collect_garbage(keep="tagged").digests == ()


def test_a_manifest_finished_by_another_store_does_not_exclude_collection(tree, store):
    one, two = OciLayoutStore(tree), OciLayoutStore(tree)
    push_blob(one, b"layer")
    push_artifact(two, b"layer")
    push_artifact(one, b"layer")
    assert store.collect_garbage().digests == ()


def test_one_collector_at_a_time(tree, store):
    collecting, go_on = Event(), Event()

    class Slow(NoLocks):
        def __init__(self, tree):
            super().__init__(tree)
            self.try_lock = tree.try_lock
            self.entries = self._entries

        def _entries(self, path=None):
            collecting.set()
            assert go_on.wait(PATIENCE)
            return tree.entries(path)

    push_artifact(store, b"layer")
    thread = Thread(target=OciLayoutStore(Slow(tree)).collect_garbage)
    thread.start()
    try:
        assert collecting.wait(PATIENCE)
        with pytest.raises(UnsupportedError, match="another collection is running"):
            store.collect_garbage()
    finally:
        go_on.set()
        thread.join()


def test_collection_works_in_a_folder_without_locks(tree):
    store = OciLayoutStore(NoLocks(tree))
    with store.receiving() as receiver:
        push_blob(receiver, b"layer")
        with pytest.raises(UnsupportedError):
            store.collect_garbage()
        manifest = push_artifact(receiver, b"layer")
    garbage = push_blob(OciLayoutStore(NoLocks(tree)), b"garbage")
    assert store.collect_garbage().digests == (garbage.digest,)
    assert store.exists(manifest.descriptor)


def test_copies_and_collections_run_concurrently(tree):
    source = MemoryStore()
    for number in range(20):
        manifest = push_artifact(source, b"%d" % number, b"shared")
        source.tag(manifest.descriptor, f"v{number}")

    def copy_some(numbers):
        for number in numbers:
            copy(source, f"v{number}", OciLayoutStore(tree))

    def collect():
        for _ in range(20):
            try:
                OciLayoutStore(tree).collect_garbage()
            except UnsupportedError:
                continue

    with ThreadPoolExecutor(5) as pool:
        running = [pool.submit(copy_some, range(start, 20, 4)) for start in range(4)]
        running.append(pool.submit(collect))
        for future in running:
            future.result()
    store = OciLayoutStore(tree)
    assert len(list(store.tags())) == 20
    for number in range(20):
        copy(store, f"v{number}", MemoryStore())


# --- Several processes --------------------------------------------------------------------

WRITER = """
import sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_access import push_artifact
store = OciLayoutStore(LocalFileTree(sys.argv[1]))
for number in range(15):
    manifest = push_artifact(store, f"{sys.argv[2]} {number}".encode())
    store.tag(manifest.descriptor, f"{sys.argv[2]}-{number}")
"""

HALF_DONE = """
import sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_access import push_blob
store = OciLayoutStore(LocalFileTree(sys.argv[1]))
with store.receiving() as receiver:
    push_blob(receiver, b"half done")
    print("pushed", flush=True)
    sys.stdin.read()
"""


KILLED = """
import os, signal, sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_access import push_artifact

class KillingTree(LocalFileTree):
    def create(self, path, *, executable=False):
        file = super().create(path, executable=executable)
        if path.name in sys.argv[2:]:
            file.commit = lambda: os.kill(os.getpid(), signal.SIGKILL)
        return file

push_artifact(OciLayoutStore(KillingTree(sys.argv[1])), b"layer")
"""


@pytest.mark.parametrize("name", ["oci-layout", "index.json", Digest.of(b"layer").encoded])
def test_partial_files_of_a_killed_process_are_removed(tmp_path, name):
    with python_running("-c", KILLED, str(tmp_path), name) as process:
        assert process.wait() == -signal.SIGKILL
    assert len(partial_files(tmp_path)) == 1
    OciLayoutStore(LocalFileTree(tmp_path)).collect_garbage()
    assert partial_files(tmp_path) == []


def partial_files(folder):
    return list(folder.rglob("*.oras-partial"))


def test_the_partial_index_of_a_running_process_stays(tmp_path):
    tree = LocalFileTree(tmp_path)
    store = OciLayoutStore(tree)
    push_artifact(store, b"layer")
    token = CancelToken()
    token.cancel()
    # A registry that serves the layout holds this lock alone while it writes the index.
    with LayoutLocks(tree).changing_index(), tree.create(sanitize_path("index.json")):
        before = partial_files(tmp_path)
        with token.scope(), pytest.raises(CancelledError, match="wait for the lock"):
            store.collect_garbage()
        assert partial_files(tmp_path) == before != []
    token.close()


def test_processes_that_write_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(3) as pool:
        names = ["a", "b", "c"]
        list(pool.map(lambda name: run_python("-c", WRITER, str(tmp_path), name), names))
    store = OciLayoutStore(LocalFileTree(tmp_path))
    assert sorted(store.tags()) == sorted(f"{name}-{n}" for name in names for n in range(15))


def test_a_copy_in_another_process_excludes_collection_until_it_ends(tmp_path):
    store = OciLayoutStore(LocalFileTree(tmp_path))
    blob = Descriptor.of(b"half done", LAYER)
    with python_running("-c", HALF_DONE, str(tmp_path)) as process:
        assert process.stdout.readline() == "pushed\n"
        with pytest.raises(UnsupportedError):
            store.collect_garbage()
        assert store.exists(blob)
    assert store.collect_garbage().digests == (blob.digest,)
