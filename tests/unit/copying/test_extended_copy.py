"""Copies that take along what refers to what is copied."""

from __future__ import annotations

import pytest

from oras_core.content.referrers import MAX_REFERRERS, has_annotations, is_of_type
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy_graph
from oras_core.copying.extended import ReferrerFilter, extended_copy, extended_copy_graphs
from oras_core.copying.options import CopyOptions
from oras_core.errors import AccessDeniedError, NotFoundError, SizeLimitError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.packing.manifest import pack_manifest
from oras_core.registry.referrers_list import referrers_tag
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing import faults
from oras_core.testing.contracts.content_access import (
    digests,
    push_artifact,
    push_blob,
    push_document,
    read,
)
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from support.artifacts import repository
from support.targets import EventRecorder, Forwarding

AMD = Platform.parse("linux/amd64")


def layout():
    return OciLayoutStore(MemoryFileTree())


def registry_without_referrers():
    return repository(EmbeddedRegistry(referrers=False))


TARGETS = [MemoryStore, layout, repository, registry_without_referrers]


def attached(target, subject, content, artifact_type="application/vnd.example", **annotations):
    """Push a referrer as other tools do; return its manifest."""
    manifest = pack_manifest(
        [push_blob(target, content)],
        artifact_type=artifact_type,
        subject=subject.descriptor,
        annotations=annotations or None,
    )
    target.push(manifest.config.plain(), BytesSource(media_types.EMPTY_CONFIG))
    push_document(target, manifest)
    return manifest


class Tree:
    """An image with an SBOM and a signature of it, and a signature of the SBOM's signature."""

    def __init__(self, target):
        self.image = push_artifact(target, b"image")
        target.tag(self.image.descriptor, "v1")
        self.sbom = attached(target, self.image, b"sbom", "application/vnd.sbom", tool="x")
        self.signature = attached(target, self.image, b"sig", "application/vnd.sig")
        self.of_sbom = attached(target, self.sbom, b"sig of sbom", "application/vnd.sig")
        self.of_of_sbom = attached(target, self.of_sbom, b"third", "application/vnd.sig")
        self.unrelated = push_artifact(target, b"unrelated")

    @property
    def all(self):
        return [self.image, self.sbom, self.signature, self.of_sbom, self.of_of_sbom]


def there(target, manifests):
    return [manifest for manifest in manifests if target.exists(manifest.descriptor)]


# --- What arrives -------------------------------------------------------------------------


@pytest.mark.parametrize("make_destination", TARGETS)
@pytest.mark.parametrize("make_source", TARGETS)
def test_three_levels_of_referrers_are_copied(make_source, make_destination):
    source, destination = make_source(), make_destination()
    tree = Tree(source)
    root = extended_copy(source, "v1", destination).root
    assert root.digest == destination.resolve("v1").digest == tree.image.digest
    assert there(destination, tree.all) == tree.all
    for manifest in tree.all:
        assert read(destination, manifest.descriptor) == manifest.content
        assert all(destination.exists(layer) for layer in manifest.layers)
    assert not destination.exists(tree.unrelated.descriptor)
    # And they are found as what they are.
    assert digests(destination.referrers(tree.image.descriptor)) == digests(
        [tree.sbom.descriptor, tree.signature.descriptor]
    )
    assert digests(destination.referrers(tree.sbom.descriptor)) == [tree.of_sbom.digest]
    assert digests(destination.referrers(tree.of_sbom.descriptor)) == [tree.of_of_sbom.digest]


@pytest.mark.parametrize(("depth", "count"), [(0, 1), (1, 3), (2, 4), (3, 5), (4, 5), (None, 5)])
def test_the_depth_limits_the_levels_of_referrers(depth, count):
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    extended_copy(source, "v1", destination, referrers=ReferrerFilter(depth=depth))
    assert there(destination, tree.all) == tree.all[:count]


def test_referrers_of_an_excluded_referrer_are_excluded():
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    chosen = ReferrerFilter(is_of_type("application/vnd.sig"))
    extended_copy(source, "v1", destination, referrers=chosen)
    assert there(destination, tree.all) == [tree.image, tree.signature]


@pytest.mark.parametrize(
    ("items", "found"),
    [({"tool": "x"}, True), ({"tool": None}, True), ({"tool": "y"}, False), ({"z": None}, False)],
)
def test_referrers_are_selected_by_annotation(items, found):
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    chosen = ReferrerFilter(has_annotations(items), depth=1)
    extended_copy(source, "v1", destination, referrers=chosen)
    assert there(destination, tree.all) == [tree.image, *([tree.sbom] if found else [])]


@pytest.mark.parametrize("make", TARGETS)
def test_referrers_of_the_manifests_of_an_index_arrive_too(make):
    source, destination = make(), MemoryStore()
    image = push_artifact(source, b"image")
    entry = Descriptor(image.media_type, image.digest, len(image.content), platform=AMD)
    inner = push_document(source, codec.encode_index(manifests=[entry]))
    outer = push_document(source, codec.encode_index(manifests=[inner]))
    source.tag(outer, "v1")
    signature = attached(source, image, b"sig")
    # A referrer that is an index, of whose manifests one is signed again.
    part = push_artifact(source, b"part")
    listed = codec.encode_index(manifests=[part.descriptor], subject=outer)
    push_document(source, listed)
    of_part = attached(source, part, b"sig of part")
    extended_copy(source, "v1", destination)
    wanted = [image, signature, listed, part, of_part]
    assert there(destination, wanted) == wanted


def test_the_subject_of_a_referrer_is_copied_without_its_other_referrers():
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    source.tag(tree.sbom.descriptor, "sbom")
    extended_copy(source, "sbom", destination)
    assert there(destination, tree.all) == [tree.image, tree.sbom, tree.of_sbom, tree.of_of_sbom]


def test_platform_of_an_index_is_copied_with_its_referrers():
    source, destination = MemoryStore(), MemoryStore()
    image = push_artifact(source, b"image")
    entry = Descriptor(image.media_type, image.digest, len(image.content), platform=AMD)
    index = codec.encode_index(manifests=[entry])
    source.tag(push_document(source, index), "v1")
    signature = attached(source, image, b"sig")
    extended_copy(source, "v1", destination, options=CopyOptions(platform=AMD))
    assert there(destination, [image, signature]) == [image, signature]
    assert not destination.exists(index.descriptor)
    assert destination.resolve("v1").digest == image.digest


def test_predecessors_serve_if_the_source_lists_no_referrers():
    class Finding(Forwarding):
        def predecessors(self, descriptor):
            return self.target.predecessors(descriptor)

    source, destination = Finding(MemoryStore()), MemoryStore()
    tree = Tree(source.target)
    push_document(source, codec.encode_index(manifests=[tree.image.descriptor]))
    extended_copy(source, "v1", destination)
    assert there(destination, tree.all) == tree.all


def test_a_source_that_cannot_list_referrers_is_an_error():
    source = Forwarding(MemoryStore())
    Tree(source.target)
    with pytest.raises(UnsupportedError, match="list the referrers of"):
        extended_copy(source, "v1", MemoryStore())
    extended_copy(source, "v1", MemoryStore(), referrers=ReferrerFilter(depth=0))


def test_tags_of_an_extended_copy():
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    extended_copy(source, str(tree.image.digest), destination)
    assert list(destination.tags()) == []
    extended_copy(source, str(tree.image.digest), destination, further_tags=["a", "b"])
    extended_copy(source, "v1", destination, "c")
    assert list(destination.tags()) == ["a", "b", "c"]


def test_several_roots_are_copied_with_their_referrers():
    source, destination = MemoryStore(), MemoryStore()
    tree = Tree(source)
    extended_copy_graphs(source, [tree.image.descriptor, tree.unrelated.descriptor], destination)
    wanted = [*tree.all, tree.unrelated]
    assert there(destination, wanted) == wanted


# --- In which order, how often ------------------------------------------------------------


def test_the_tag_is_created_last():
    class Watching(Forwarding):
        def __init__(self, target):
            super().__init__(target)
            self.done = []

        def push(self, descriptor, source):
            super().push(descriptor, source)
            self.done.append(descriptor.digest)

        def tag(self, descriptor, reference):
            super().tag(descriptor, reference)
            self.done.append(reference)

    source, destination = MemoryStore(), Watching(MemoryStore())
    tree = Tree(source)
    extended_copy(source, "v1", destination)
    assert destination.done[-1] == "v1"
    assert {manifest.digest for manifest in tree.all} < set(destination.done)


def test_every_blob_is_reported_once():
    source, seen = MemoryStore(), EventRecorder()
    tree = Tree(source)
    extended_copy(source, "v1", MemoryStore(), options=CopyOptions(listener=seen))
    for manifest in tree.all:
        kinds = [event[0] for event in seen.of(manifest.descriptor)]
        assert kinds == ["started", "advanced", "finished"]


def test_copy_within_one_registry_transfers_no_blob_bytes():
    server = EmbeddedRegistry()
    source, destination = repository(server, "a"), repository(server, "b")
    tree = Tree(source)
    before = len(server.requests)
    extended_copy(source, "v1", destination)
    requests = server.requests[before:]
    blobs = [sent for sent in requests if "/blobs/" in sent.path and sent.method != "HEAD"]
    assert {(sent.method, sent.status) for sent in blobs} == {("POST", 201)}
    assert all("mount=" in sent.query for sent in blobs)
    # Each blob once: five layers, and the empty config that all share.
    assert len(blobs) == 6
    assert there(destination, tree.all) == tree.all


@pytest.mark.parametrize("referrers", [True, False])
def test_a_second_run_moves_nothing(referrers):
    server = EmbeddedRegistry(referrers=referrers)
    source, destination = MemoryStore(), repository(server)
    tree = Tree(source)
    extended_copy(source, "v1", destination)
    before, seen = len(server.requests), EventRecorder()
    extended_copy(source, "v1", destination, options=CopyOptions(listener=seen))
    sent = {sent.method for sent in server.requests[before:]}
    assert sent <= {"GET", "HEAD"}
    assert {kind for kind, *_ in seen.events} == {"skipped"}
    assert {event[1] for event in seen.events} >= {manifest.digest for manifest in tree.all}


# --- What goes wrong ----------------------------------------------------------------------


def test_a_referrer_whose_listing_failed_is_listed_by_the_next_run():
    lists = faults.requests_for("PUT", path="/manifests/sha256-")
    server = faults.Refused(EmbeddedRegistry(referrers=False), status=403, when=lists)
    source, destination = MemoryStore(), repository(server)
    tree = Tree(source)
    with pytest.raises(AccessDeniedError):
        extended_copy(source, "v1", destination)
    server.times = 0
    assert list(destination.referrers(tree.image.descriptor)) == []
    extended_copy(source, "v1", destination)
    for manifest in tree.all:
        assert digests(destination.referrers(manifest.descriptor)) == digests(
            source.referrers(manifest.descriptor)
        )


def test_a_failed_listing_is_an_error_of_the_source():
    class Refusing(Forwarding):
        def referrers(self, descriptor, artifact_type=None):
            raise NotFoundError("the list", "here")

    source = Refusing(MemoryStore())
    Tree(source.target)
    with pytest.raises(NotFoundError) as caught:
        extended_copy(source, "v1", MemoryStore())
    assert any(
        "list the referrers" in note and "(source)" in note for note in caught.value.__notes__
    )


def test_an_endless_tree_of_referrers_is_an_error():
    class Inventing(Forwarding):
        def __init__(self, target):
            super().__init__(target)
            self.count = 0

        def referrers(self, descriptor, artifact_type=None):
            for _ in range(1000):
                self.count += 1
                yield Descriptor.of(b"%d" % self.count, media_types.OCI_MANIFEST)

    source = Inventing(MemoryStore())
    Tree(source.target)
    with pytest.raises(SizeLimitError, match=f"{MAX_REFERRERS} referrers"):
        extended_copy(source, "v1", MemoryStore())


# --- Lists that clients maintain ----------------------------------------------------------


def listed_requests(server, tag):
    """The requests for a list: how often it was read and written."""
    sent = [one.method for one in server.requests if one.path.endswith(f"/{tag}")]
    return sent.count("GET"), sent.count("PUT")


@pytest.mark.parametrize("count", [1, 10, 100])
def test_a_list_is_read_and_written_once_for_all_its_referrers(count):
    source = MemoryStore()
    subject = push_artifact(source, b"subject").descriptor.plain()
    source.tag(subject, "v1")
    for number in range(count):
        push_artifact(source, b"%d" % number, subject=subject)
    server = EmbeddedRegistry(referrers=False)
    destination = repository(server)
    extended_copy(source, "v1", destination)
    assert len(list(destination.referrers(subject))) == count
    # Read once more if it is empty, and twice to see whether it stays; then by this test.
    assert listed_requests(server, referrers_tag(subject.digest)) == (5, 1)


def test_lists_of_many_subjects_are_each_written_once():
    source = MemoryStore()
    subjects = [push_artifact(source, b"%d" % n).descriptor.plain() for n in range(40)]
    for subject in subjects:
        for name in (b"signature", b"sbom"):
            push_artifact(source, name + str(subject.digest).encode(), subject=subject)
    server = EmbeddedRegistry(referrers=False)
    destination = repository(server)
    extended_copy_graphs(source, subjects, destination)
    for subject in subjects:
        assert len(list(destination.referrers(subject))) == 2
        assert listed_requests(server, referrers_tag(subject.digest))[1] == 1


def test_the_lists_are_written_before_the_root_gets_its_tag():
    source = MemoryStore()
    subject = push_artifact(source, b"subject").descriptor.plain()
    source.tag(subject, "v1")
    push_artifact(source, b"signature", subject=subject)
    server = EmbeddedRegistry(referrers=False)
    extended_copy(source, "v1", repository(server))
    puts = [one.path.rpartition("/")[2] for one in server.requests if one.method == "PUT"]
    assert puts.index(referrers_tag(subject.digest)) < puts.index("v1")


def test_pushed_referrers_are_listed_after_a_failure():
    source = MemoryStore()
    subject = push_artifact(source, b"subject").descriptor.plain()
    attached = push_artifact(source, b"signature", subject=subject).descriptor.plain()
    destination = repository(EmbeddedRegistry(referrers=False))

    def failing():
        with destination.receiving() as target:
            copy_graph(source, attached, target)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert digests(destination.referrers(subject)) == [attached.digest]


def test_referrer_pushed_outside_a_copy_is_listed_at_once():
    destination = repository(EmbeddedRegistry(referrers=False))
    subject = push_artifact(destination, b"subject").descriptor
    with destination.receiving():
        attached = push_artifact(destination, b"signature", subject=subject).descriptor
        assert digests(destination.referrers(subject)) == [attached.digest]
