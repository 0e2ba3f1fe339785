"""Whole repositories: mirrored, backed up, restored."""

from __future__ import annotations

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.content.sources import BytesSource
from oras_core.copying.extended import ReferrerFilter
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.model import codec
from oras_core.model.paths import sanitize_path
from oras_core.registry.referrers_list import referrers_tag
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import digests, push_artifact, push_document, read
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.backup import backup, backup_to_archive, restore, restore_from_archive
from oras_core.verbs.mirror import BATCH, mirror
from support.artifacts import all_files, repository
from support.targets import EventRecorder, Forwarding

PATH = sanitize_path("backup.tar")


def layout():
    return OciLayoutStore(MemoryFileTree())


def registry_without_referrers():
    return repository(EmbeddedRegistry(referrers=False))


TARGETS = [MemoryStore, layout, repository, registry_without_referrers]


class Content:
    """What a repository has: two images, one of them under two tags, an index, signatures."""

    def __init__(self, target):
        self.one = push_artifact(target, b"one", b"shared")
        self.two = push_artifact(target, b"two", b"shared")
        self.index = codec.encode_index(manifests=[self.two.descriptor])
        push_document(target, self.index)
        for tag, document in {"v1": self.one, "latest": self.one, "v2": self.index}.items():
            target.tag(document.descriptor.plain(), tag)
        self.of_one = push_artifact(target, b"of one", subject=self.one.descriptor)
        self.of_two = push_artifact(target, b"of two", subject=self.two.descriptor)
        self.of_that = push_artifact(target, b"of that", subject=self.of_two.descriptor)

    @property
    def documents(self):
        return [self.one, self.two, self.index, self.of_one, self.of_two, self.of_that]

    def check(self, target):
        """Make sure that the target has all of it, and that everything is found."""
        own_tags = {tag: target.resolve(tag).digest for tag in target.tags() if "-" not in tag}
        assert own_tags == {
            "v1": self.one.digest,
            "latest": self.one.digest,
            "v2": self.index.digest,
        }
        for document in self.documents:
            assert read(target, document.descriptor.plain()) == document.content
        for subject, referrer in (
            (self.one, self.of_one), (self.two, self.of_two), (self.of_two, self.of_that)
        ):  # fmt: skip
            assert digests(target.referrers(subject.descriptor)) == [referrer.digest]


# --- Mirroring ----------------------------------------------------------------------------


@pytest.mark.parametrize("make_destination", TARGETS)
@pytest.mark.parametrize("make_source", TARGETS)
def test_every_artifact_is_mirrored(make_source, make_destination):
    source, destination = make_source(), make_destination()
    content = Content(source)
    found = mirror(source, destination)
    content.check(destination)
    assert {tag: named.digest for tag, named in found.tags.items()} == {
        "v1": content.one.digest,
        "latest": content.one.digest,
        "v2": content.index.digest,
    }


@pytest.mark.parametrize("make_source", TARGETS)
def test_a_second_mirror_moves_nothing_and_creates_no_tag(make_source):
    server, source = EmbeddedRegistry(), make_source()
    content = Content(source)
    mirror(source, repository(server))
    before, seen = len(server.requests), EventRecorder()
    mirror(source, repository(server), options=CopyOptions(listener=seen))
    assert {sent.method for sent in server.requests[before:]} <= {"HEAD", "GET"}
    assert {kind for kind, *_ in seen.events} == {"skipped"}
    content.check(repository(server))


def test_a_moved_tag_is_moved_at_the_destination():
    source, destination = MemoryStore(), MemoryStore()
    content = Content(source)
    assert sorted(mirror(source, destination).created) == ["latest", "v1", "v2"]
    source.tag(content.two.descriptor, "latest")
    second = mirror(source, destination)
    assert destination.resolve("latest").digest == content.two.digest
    assert second.created == ("latest",)
    assert (second.moved, second.mounted) == ((), ())
    assert mirror(source, destination).created == ()


def test_a_result_reads_as_its_counts():
    source, destination = MemoryStore(), MemoryStore()
    Content(source)
    first, second = mirror(source, destination), mirror(source, destination)
    counts = f"moved {len(first.moved)} ({first.bytes:,} bytes), skipped 0, mounted 0"
    assert str(first) == f"3 tags, 3 created: {counts}"
    assert str(second).startswith("3 tags, 0 created: moved 0 (0 bytes), skipped ")
    assert repr(first).startswith(f"Mirrored(moved=<{len(first.moved)} descriptors>, ")


def test_other_artifacts_of_the_destination_are_kept():
    source, destination = MemoryStore(), MemoryStore()
    own = push_artifact(destination, b"own")
    destination.tag(own.descriptor, "own")
    Content(source)
    mirror(source, destination)
    assert sorted(destination.tags()) == ["latest", "own", "v1", "v2"]


def test_tags_are_selected():
    source, destination = layout(), MemoryStore()
    content = Content(source)
    push_artifact(source, b"without a tag")
    assert list(mirror(source, destination, includes=lambda tag: tag == "v2").tags) == ["v2"]
    assert list(destination.tags()) == ["v2"]
    assert destination.exists(content.of_that.descriptor)
    assert not destination.exists(content.one.descriptor)


def test_referrers_are_selected():
    source, destination = MemoryStore(), MemoryStore()
    content = Content(source)
    mirror(source, destination, referrers=ReferrerFilter(depth=1))
    assert destination.exists(content.of_two.descriptor)
    assert not destination.exists(content.of_that.descriptor)


def test_a_source_without_referrers_can_be_mirrored_without_them():
    class Listing(Forwarding):
        def tags(self):
            return self.target.tags()

    source, destination = Listing(MemoryStore()), MemoryStore()
    content = Content(source.target)
    with pytest.raises(UnsupportedError):
        mirror(source, destination)
    mirror(source, destination, referrers=ReferrerFilter(depth=0))
    assert destination.exists(content.index.descriptor)


def test_a_mirror_of_more_than_one_batch():
    source, destination = MemoryStore(), MemoryStore()
    for number in range(BATCH + 3):
        source.tag(push_artifact(source, b"%d" % number).descriptor, f"v{number}")
    mirror(source, destination)
    assert sorted(destination.tags()) == sorted(source.tags())


def test_mirror_within_one_registry_transfers_no_blob_bytes():
    server = EmbeddedRegistry()
    content = Content(repository(server, "a"))
    before = len(server.requests)
    mirror(repository(server, "a"), repository(server, "b"))
    blobs = [sent for sent in server.requests[before:] if "/blobs/" in sent.path]
    assert blobs
    assert {(sent.method, sent.status) for sent in blobs} == {("HEAD", 404), ("POST", 201)}
    content.check(repository(server, "b"))


def test_tag_removed_during_the_mirror_is_skipped():
    class Vanishing(Forwarding):
        def tags(self):
            return iter([*self.target.tags(), "gone"])

        def referrers(self, descriptor, artifact_type=None):
            return self.target.referrers(descriptor, artifact_type)

    source, destination = Vanishing(MemoryStore()), MemoryStore()
    Content(source.target).check(source.target)
    assert "gone" not in mirror(source, destination).tags


# --- Lists of referrers -------------------------------------------------------------------


@pytest.mark.parametrize("make_destination", TARGETS)
def test_lists_of_referrers_are_not_mirrored_as_artifacts(make_destination):
    source, destination = registry_without_referrers(), make_destination()
    content = Content(source)
    assert any(tag.startswith("sha256-") for tag in source.tags())
    mirror(source, destination)
    lists = [tag for tag in destination.tags() if tag.startswith("sha256-")]
    has_lists = make_destination is registry_without_referrers
    assert len(lists) == (3 if has_lists else 0)
    content.check(destination)


def test_referrers_of_a_deleted_subject_are_mirrored():
    source, destination = registry_without_referrers(), MemoryStore()
    subject = push_artifact(source, b"gone")
    referrer = push_artifact(source, b"of what is gone", subject=subject.descriptor)
    source.delete(subject.descriptor)
    mirror(source, destination)
    assert destination.exists(referrer.descriptor)
    assert digests(destination.referrers(subject.descriptor)) == [referrer.digest]


def test_a_listed_referrer_that_is_missing_is_left_out():
    source, destination = registry_without_referrers(), MemoryStore()
    absent = codec.encode_index(manifests=[], annotations={"is": "absent"}).descriptor
    content = codec.encode_index(manifests=[])
    push_document(source, content)
    # As a registry leaves it where another client deletes and does not prune.
    list_of_it = b'{"schemaVersion":2,"mediaType":"%s","manifests":[{"mediaType":"%s",' % (
        (absent.media_type.encode(),) * 2
    ) + b'"digest":"%s","size":%d}]}' % (str(absent.digest).encode(), absent.size)
    server = EmbeddedRegistry(referrers=False)
    source = Lenient(repository(server), referrers_tag(content.digest), list_of_it)
    assert mirror(source, destination).tags == {}


class Lenient(Forwarding):
    """A repository with a list that its registry would refuse."""

    def __init__(self, target, tag, content):
        super().__init__(target)
        self.tag_of_list, self.document = tag, codec.decode_index(content)

    def tags(self):
        return iter([self.tag_of_list])

    def resolve(self, reference):
        if reference == self.tag_of_list:
            return self.document.descriptor
        return super().resolve(reference)

    def fetch(self, descriptor):
        if descriptor.digest == self.document.digest:
            return BytesSource(self.document.content).open()
        return super().fetch(descriptor)


def test_a_tag_that_resembles_a_referrers_tag_is_a_tag():
    source, destination = MemoryStore(), MemoryStore()
    manifest = push_artifact(source, b"odd")
    tags = ["sha256-" + "a" * 64, "sha256-" + "a" * 64 + ".sig"]
    for tag in tags:
        source.tag(manifest.descriptor, tag)
    mirror(source, destination)
    assert list(destination.tags()) == tags


# --- Backup and restore -------------------------------------------------------------------


@pytest.mark.parametrize("make", [repository, registry_without_referrers])
def test_a_repository_is_restored_from_a_folder(make, tmp_path):
    source, destination = make(), make()
    content = Content(source)
    tree = LocalFileTree(tmp_path)
    assert sorted(backup(source, tree).tags) == ["latest", "v1", "v2"]
    assert sorted(restore(LocalFileTree(tmp_path), destination).tags) == ["latest", "v1", "v2"]
    content.check(destination)


@pytest.mark.parametrize("make", [repository, registry_without_referrers])
def test_a_repository_is_restored_from_an_archive(make):
    source, destination, tree = make(), make(), MemoryFileTree()
    content = Content(source)
    backup_to_archive(source, tree, PATH, scratch=MemoryFileTree())
    restore_from_archive(tree, PATH, destination, scratch=MemoryFileTree())
    content.check(destination)


def test_a_backup_made_again_is_the_same():
    source, tree = repository(), MemoryFileTree()
    Content(source)
    backup(source, tree)
    before = all_files(tree)
    backup(source, tree)
    assert all_files(tree) == before
    again = MemoryFileTree()
    backup(source, again)
    blobs = {path: content for path, content in before.items() if path.startswith("blobs")}
    assert {p: c for p, c in all_files(again).items() if p.startswith("blobs")} == blobs


def test_a_backup_holds_no_garbage():
    source, tree = repository(), MemoryFileTree()
    Content(source)
    backup(source, tree)
    assert OciLayoutStore(tree).collect_garbage(keep="tagged").digests == ()


def test_untagged_artifacts_of_a_layout_are_restored():
    tree, destination = MemoryFileTree(), repository()
    store = OciLayoutStore(tree)
    untagged = push_artifact(store, b"untagged")
    absent = codec.encode_index(manifests=[]).descriptor
    dangling = push_artifact(store, b"dangling", subject=absent)
    restore(tree, destination)
    assert destination.exists(untagged.descriptor)
    assert digests(destination.referrers(absent)) == [dangling.digest]


def test_an_empty_repository_is_backed_up_but_not_restored():
    tree = MemoryFileTree()
    with pytest.raises(NotFoundError, match="an OCI image layout"):
        restore(tree, MemoryStore())
    assert backup(MemoryStore(), tree).tags == {}
