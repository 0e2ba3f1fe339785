"""OCI layouts that are damaged, large, or used by several processes."""

from __future__ import annotations

import gzip
from collections import Counter
from threading import Event, Thread

import pytest

from oras_core.cancellation import CancelToken
from oras_core.content.sources import BytesSource, spool
from oras_core.copying.copy import copy, copy_graph
from oras_core.copying.extended import extended_copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import CancelledError, ContentError, NotFoundError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.packing.ingestion import Describer
from oras_core.registry.referrers_list import referrers_tag
from oras_core.stores.layout.archive import pack_layout, unpack_layout
from oras_core.stores.layout.store import OciLayoutStore, blob_path
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
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.backup import backup
from oras_core.verbs.mirror import mirror
from oras_core.verbs.verify import verify
from support.artifacts import repository

SECONDS = 20.0
LARGE = 1 << 30
SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


@pytest.fixture
def tree():
    return MemoryFileTree()


@pytest.fixture
def store(tree):
    return OciLayoutStore(tree)


def write(tree, path, content):
    with tree.create(sanitize_path(str(path))) as file:
        file.write(content)
        file.commit()


def files(tree):
    return {
        str(entry.path): read_file(tree, entry.path)
        for entry in tree.entries(sanitize_path("blobs/sha256"))
    }


def read_file(tree, path):
    return tree.open(path).read()


# --- Manifests of unknown types ------------------------------------------------------------


def foreign_manifest(store, layer, media_type=SCHEMA_1):
    content = b'{"fsLayers":[{"blobSum":"%s"}]}' % str(layer.digest).encode()
    manifest = Descriptor.of(content, media_type)
    store.push(manifest, BytesSource(content))
    store.tag(manifest, "v1")
    return manifest


@pytest.mark.parametrize("media_type", [SCHEMA_1, "application/vnd.example.v9"])
@pytest.mark.parametrize("keep", ["listed", "tagged"])
def test_collection_refuses_a_manifest_that_it_cannot_read(tree, store, media_type, keep):
    layer = push_blob(store, b"layer")
    foreign_manifest(store, layer, media_type)
    before = files(tree)
    with pytest.raises(UnsupportedError, match=media_type.replace("+", r"\+")):
        store.collect_garbage(keep=keep)
    assert files(tree) == before


def test_collection_follows_a_manifest_with_the_help_of_the_caller(store):
    layer, garbage = push_blob(store, b"layer"), push_blob(store, b"garbage")
    foreign_manifest(store, layer)
    collected = store.collect_garbage(find_successors=lambda _, __: [layer])
    assert collected.digests == (garbage.digest,)


def test_a_foreign_manifest_in_an_index_is_refused(store):
    layer = push_blob(store, b"layer")
    content = b'{"fsLayers":[{"blobSum":"%s"}]}' % str(layer.digest).encode()
    entry = Descriptor.of(content, SCHEMA_1)
    store.push(entry, BytesSource(content))
    index = push_document(store, codec.encode_index(manifests=[entry]))
    with pytest.raises(UnsupportedError, match="prettyjws"):
        store.collect_garbage()
    with pytest.raises(UnsupportedError, match="prettyjws"):
        copy_graph(store, index, MemoryStore())


@pytest.mark.parametrize("run", [copy, extended_copy])
def test_a_copy_of_a_manifest_that_cannot_be_read_is_an_error(store, run):
    foreign_manifest(store, push_blob(store, b"layer"))
    with pytest.raises(UnsupportedError, match="prettyjws"):
        run(store, "v1", MemoryStore())
    with pytest.raises(UnsupportedError, match="prettyjws"):
        mirror(store, MemoryStore())


def test_a_copy_follows_a_manifest_with_the_help_of_the_caller(store):
    layer = push_blob(store, b"layer")
    manifest = foreign_manifest(store, layer)
    destination = OciLayoutStore(MemoryFileTree())

    def find(_, descriptor):
        return [layer] if descriptor.digest == manifest.digest else []

    copy(store, "v1", destination, options=CopyOptions(find_successors=find))
    assert read(destination, layer) == b"layer"


def test_artifact_manifests_are_followed(store):
    layer = push_blob(store, b"payload")
    kind = "application/vnd.oci.artifact.manifest.v1+json"
    content = (
        b'{"mediaType":"%s","artifactType":"application/vnd.example","blobs":'
        b'[{"mediaType":"%s","digest":"%s","size":7}]}'
    ) % (kind.encode(), LAYER.encode(), str(layer.digest).encode())
    manifest = Descriptor.of(content, kind)
    store.push(manifest, BytesSource(content))
    store.tag(manifest, "v1")
    assert store.collect_garbage().digests == ()
    destination = MemoryStore()
    copy(store, "v1", destination)
    assert destination.exists(layer)


# --- Copies and collections ----------------------------------------------------------------


def test_a_blob_that_a_copy_has_found_is_not_collected(tree, store):
    source = MemoryStore()
    manifest = push_artifact(source, b"shared", b"other")
    source.tag(manifest.descriptor, "v1")
    push_blob(store, b"shared")
    refused = []

    class Collecting(MemoryStore):
        def fetch(self, descriptor):
            # Between the first lookup and the last tag another store tries to collect.
            with pytest.raises(UnsupportedError):
                OciLayoutStore(tree).collect_garbage()
            refused.append(descriptor)
            return source.fetch(descriptor)

        resolve = source.resolve

    copy(Collecting(), "v1", store)
    assert refused
    copy(OciLayoutStore(tree), "v1", MemoryStore())


def test_an_entry_is_not_lost_if_the_revision_does_not_change(tree):
    class Coarse:
        """A folder whose clock and inodes do not tell two writes apart."""

        def __init__(self):
            for name in (
                "entries", "open", "create", "create_directory", "make_directory",
                "make_symlink", "remove", "try_lock",
            ):  # fmt: skip
                setattr(self, name, getattr(tree, name))

        def entry(self, path):
            found = tree.entry(path)
            if found is None or str(path) != "index.json":
                return found
            return type(found)(found.path, found.kind, size=0, revision="same")

    one, two = OciLayoutStore(Coarse()), OciLayoutStore(Coarse())
    manifests = [push_artifact(one, b"0")]
    for number, each in enumerate([two, one, two], start=1):
        manifests.append(push_artifact(each, b"%d" % number))
    assert digests(OciLayoutStore(tree).roots()) == digests(manifests)


def test_a_digest_that_is_a_layer_and_a_manifest_arrives_as_both():
    for make in (MemoryStore, lambda: OciLayoutStore(MemoryFileTree())):
        source, destination = MemoryStore(), make()
        inner = push_artifact(source, b"inner")
        layer = Descriptor(LAYER, inner.digest, len(inner.content))
        outer = codec.encode_manifest(config=inner.config, layers=[layer])
        push_document(source, outer)
        index = codec.encode_index(manifests=[inner.descriptor, outer.descriptor])
        source.tag(push_document(source, index), "v1")
        copy(source, "v1", destination)
        found = destination.resolve(str(inner.digest))
        assert found.media_type == media_types.OCI_MANIFEST
        assert destination.exists(inner.descriptor)
        assert digests(destination.predecessors(inner.layers[0])) == [inner.digest]


# --- Cancellation --------------------------------------------------------------------------


def ends_when_cancelled(action):
    token, errors, started = CancelToken(), [], Event()

    def run():
        with token.scope():
            started.set()
            try:
                action()
            except CancelledError as error:
                errors.append(error)

    thread = Thread(target=run)
    thread.start()
    assert started.wait(SECONDS)
    token.cancel()
    thread.join(SECONDS)
    assert not thread.is_alive()
    assert errors


@pytest.mark.parametrize("name", [".oras-content.lock", ".oras-index.lock"])
def test_a_push_that_waits_for_a_lock_is_cancelled(tree, store, name):
    held = tree.try_lock(sanitize_path(name))
    ends_when_cancelled(lambda: push_artifact(store, b"layer"))
    held.release()
    push_artifact(store, b"layer")


@pytest.mark.parametrize("keep", ["listed", "tagged"])
def test_a_collection_is_cancelled(tree, store, keep):
    push_artifact(store, b"layer")
    push_blob(store, b"garbage")
    before = files(tree)
    token = CancelToken()
    token.cancel()
    with token.scope(), pytest.raises(CancelledError):
        store.collect_garbage(keep=keep)
    assert files(tree) == before


class CancellingTree(MemoryFileTree):
    """Cancels a token at one of the calls of `open` or `remove` for blobs, and counts them."""

    def __init__(self):
        super().__init__()
        self.token = CancelToken()
        self.cancel_at = {}
        self.calls = Counter()

    def _note(self, called, path):
        if path.parts[0] == "blobs":
            self.calls[called] += 1
            if self.calls[called] == self.cancel_at.get(called):
                self.token.cancel()

    def open(self, path):
        self._note("open", path)
        return super().open(path)

    def remove(self, path):
        self._note("remove", path)
        super().remove(path)


def cancelled_at(called, prepare, action):
    """Cancel an action at its third call, and return how many calls there are in all."""
    tree = CancellingTree()
    store = OciLayoutStore(tree)
    with store.receiving() as receiver:
        prepared = prepare(receiver)
    tree.calls.clear()
    tree.cancel_at = {called: 3}
    with tree.token.scope(), pytest.raises(CancelledError):
        action(OciLayoutStore(tree), prepared)
    return tree.calls[called]


def push_many(receiver):
    parts = [push_artifact(receiver, b"%d" % number).descriptor for number in range(20)]
    return push_document(receiver, codec.encode_index(manifests=parts))


@pytest.mark.parametrize("keep", ["listed", "tagged"])
def test_a_collection_that_reads_is_cancelled(keep):
    def push_untagged(receiver):
        for number in range(20):
            push_artifact(receiver, b"%d" % number)

    calls = cancelled_at("open", push_untagged, lambda store, _: store.collect_garbage(keep=keep))
    assert calls == 3


def test_a_collection_that_removes_is_cancelled():
    def push_garbage(receiver):
        for number in range(20):
            push_blob(receiver, b"%d" % number)

    calls = cancelled_at("remove", push_garbage, lambda store, _: store.collect_garbage())
    assert calls == 3


def test_a_deletion_that_reads_is_cancelled():
    calls = cancelled_at("open", push_many, lambda store, index: store.delete(index))
    assert calls == 3


def test_a_deletion_is_cancelled(tree, store):
    index = push_document(
        store, codec.encode_index(manifests=[push_artifact(store, b"a").descriptor])
    )
    token = CancelToken()
    token.cancel()
    with token.scope(), pytest.raises(CancelledError):
        OciLayoutStore(tree).delete(index)
    assert store.exists(index)


def test_spooling_an_endless_stream_is_cancelled(tree):
    token = CancelToken()

    def endless():
        yield b"first"
        token.cancel()
        while True:
            yield b"more"

    with token.scope(), pytest.raises(CancelledError):
        spool(endless(), tree)


def test_a_slow_push_does_not_delay_another_one():
    asked, answer, done = Event(), Event(), Event()

    class Slow(MemoryStore):
        def ingest(self, source, media_type):
            raise AssertionError(source, media_type)

        def fetch_reference(self, reference):
            asked.set()
            assert answer.wait(SECONDS)
            raise NotFoundError(reference, "the registry")

    slow = Thread(target=lambda: Describer(Slow(), "v1", CancelToken()).packed_sender(LARGE))
    slow.start()
    assert asked.wait(SECONDS)

    class Fast(Slow):
        def fetch_reference(self, reference):
            done.set()
            raise NotFoundError(reference, "the registry")

    fast = Thread(target=lambda: Describer(Fast(), "v1", CancelToken()).packed_sender(LARGE))
    fast.start()
    try:
        assert done.wait(SECONDS)
    finally:
        answer.set()
        slow.join()
        fast.join()


# --- Referrers and limits ------------------------------------------------------------------


def test_copying_referrers_to_a_registry_without_the_api_writes_each_list_once():
    source, server = MemoryStore(), EmbeddedRegistry(referrers=False)
    subject = push_artifact(source, b"subject")
    source.tag(subject.descriptor, "v1")
    for number in range(30):
        push_artifact(source, b"%d" % number, subject=subject.descriptor)
    destination = repository(server)
    extended_copy(source, "v1", destination)
    assert len(list(destination.referrers(subject.descriptor))) == 30
    tag = referrers_tag(subject.digest)
    written = [sent for sent in server.requests if sent.method == "PUT" and tag in sent.path]
    read_back = [sent for sent in server.requests if sent.method == "GET" and tag in sent.path]
    assert len(written) == 1
    assert len(read_back) < 10
    paths = [sent.path for sent in server.requests if sent.method == "PUT"]
    # A client that sees the tag finds the referrers.
    assert paths[-1].endswith("/v1")


def test_limits_hold_for_each_artifact_of_a_mirror(monkeypatch):
    monkeypatch.setattr("oras_core.copying.referrer_search.MAX_REFERRERS", 5)
    source, destination = MemoryStore(), MemoryStore()
    for number in range(4):
        image = push_artifact(source, b"%d" % number)
        source.tag(image.descriptor, f"v{number}")
        for of_image in range(4):
            push_artifact(source, b"%d of %d" % (of_image, number), subject=image.descriptor)
    mirror(source, destination)
    for number in range(4):
        assert len(list(destination.referrers(destination.resolve(f"v{number}")))) == 4


# --- Damage --------------------------------------------------------------------------------


def damage(tree, digest):
    path = blob_path(digest)
    content = read_file(tree, path)
    write(tree, path, bytes(len(content)))


@pytest.mark.parametrize("part", ["layer", "manifest"])
def test_a_damaged_blob_is_repaired_by_a_verifying_copy(tree, store, part):
    source = MemoryStore()
    manifest = push_artifact(source, b"layer")
    source.tag(manifest.descriptor, "v1")
    copy(source, "v1", store)
    damaged = manifest.layers[0] if part == "layer" else manifest.descriptor
    damage(tree, damaged.digest)
    copied = copy(source, "v1", OciLayoutStore(tree, verify=True))
    assert damaged.digest in {descriptor.digest for descriptor in copied.moved}
    copy(OciLayoutStore(tree), "v1", MemoryStore())


def test_backup_repairs_an_earlier_backup(tree):
    source = MemoryStore()
    manifest = push_artifact(source, b"layer")
    source.tag(manifest.descriptor, "v1")
    backup(source, tree)
    damage(tree, manifest.layers[0].digest)
    backup(source, tree)
    assert digests(verify(OciLayoutStore(tree)).damaged) == [manifest.layers[0].digest]
    backup(source, tree, verify=True)
    assert verify(OciLayoutStore(tree)).damaged == ()


def test_verify_tells_intact_damaged_and_missing_blobs(tree, store):
    manifest = push_artifact(store, b"damaged", b"missing", b"intact")
    damage(tree, manifest.layers[0].digest)
    tree.remove(blob_path(manifest.layers[1].digest))
    found = verify(OciLayoutStore(tree))
    assert digests(found.damaged) == [manifest.layers[0].digest]
    assert digests(found.missing) == [manifest.layers[1].digest]
    assert manifest.layers[2].digest in digests(found.intact)


def test_a_damaged_manifest_does_not_hide_the_others(tree, store):
    damaged, intact = push_artifact(store, b"damaged"), push_artifact(store, b"intact")
    damage(tree, damaged.digest)
    opened = OciLayoutStore(tree)
    assert opened.exists(intact.descriptor)
    assert not opened.exists(damaged.descriptor)
    with pytest.raises(ContentError):
        opened.collect_garbage()


def test_a_tag_whose_manifest_is_missing_is_left_out_and_reported(tree, store, caplog):
    for name in ("gone", "kept"):
        store.tag(push_artifact(store, name.encode()).descriptor, name)
    untagged = push_artifact(store, b"untagged")
    tree.remove(blob_path(store.resolve("gone").digest))
    tree.remove(blob_path(untagged.digest))
    destination = MemoryStore()
    result = mirror(OciLayoutStore(tree), destination)
    assert list(destination.tags()) == list(result.tags) == ["kept"]
    assert "gone" in result.left_out
    assert str(untagged.digest) in result.left_out
    assert "left out gone" in caplog.text


# --- Results -------------------------------------------------------------------------------


def test_a_copy_returns_what_it_moved_and_skipped():
    source, destination = MemoryStore(), MemoryStore()
    manifest = push_artifact(source, b"present", b"new")
    source.tag(manifest.descriptor, "v1")
    push_blob(destination, b"present")
    copied = copy(source, "v1", destination)
    assert copied.root.digest == manifest.digest
    moved = {descriptor.digest for descriptor in copied.moved}
    assert moved == {manifest.digest, manifest.config.digest, manifest.layers[1].digest}
    assert digests(copied.skipped) == [manifest.layers[0].digest]
    assert copied.mounted == ()
    assert copied.bytes == len(manifest.content) + manifest.config.size + len(b"new")


# --- Archives ------------------------------------------------------------------------------


def test_an_archive_compressed_by_gzip_is_read(tree, store):
    manifest = push_artifact(store, b"layer")
    store.tag(manifest.descriptor, "v1")
    packed = bytearray()
    pack_layout(tree, packed.extend)
    unpacked = MemoryFileTree()
    unpack_layout(BytesSource(gzip.compress(bytes(packed))).open(), unpacked)
    copy(OciLayoutStore(unpacked), "v1", MemoryStore())
