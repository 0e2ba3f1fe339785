"""The contracts of the optional content ports, one class each."""

from __future__ import annotations

from oras_core.content.sources import BytesSource
from oras_core.errors import NotFoundError, SizeMismatchError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import (
    Deleter,
    PredecessorFinder,
    ReferenceFetcher,
    ReferencePusher,
    ReferrerLister,
    TagLister,
    Target,
    Untagger,
)
from oras_core.testing.contracts.content_access import (
    LAYER,
    digests,
    push_artifact,
    push_blob,
    push_document,
    read,
)
from oras_core.testing.contracts.expect import raises

__all__ = [
    "DeleterContract",
    "PredecessorFinderContract",
    "ReferenceFetcherContract",
    "ReferencePusherContract",
    "ReferrerListerContract",
    "TagListerContract",
    "UntaggerContract",
]


class TagListerContract:
    """The contract of every target that lists tags; give it a fixture `target`."""

    def test_tags_are_listed(self, target: Target) -> None:
        """Each tag is listed once; an empty target may have no list."""
        assert isinstance(target, TagLister)
        manifest = push_artifact(target, b"layer")
        assert list(target.tags()) == []
        for tag in ("v2", "v1", "v10", "v2"):
            target.tag(manifest.descriptor, tag)
        assert sorted(target.tags()) == ["v1", "v10", "v2"]


class UntaggerContract:
    """The contract of every target that removes tags; give it a fixture `target`."""

    def test_untag_keeps_the_manifest_and_its_other_tags(self, target: Target) -> None:
        """The manifest and its other tags stay."""
        assert isinstance(target, Untagger)
        manifest = push_artifact(target, b"layer")
        target.tag(manifest.descriptor, "v1")
        target.tag(manifest.descriptor, "v2")
        target.untag("v1")
        with raises(NotFoundError):
            target.resolve("v1")
        assert target.resolve("v2").digest == manifest.digest
        with raises(NotFoundError):
            target.untag("v1")
        assert target.exists(manifest.descriptor)


class DeleterContract:
    """The contract of every target that deletes content; give it a fixture `target`."""

    def test_delete_removes_a_manifest_and_its_tags(self, target: Target) -> None:
        """Other manifests and their tags stay."""
        assert isinstance(target, Deleter)
        gone, stays = push_artifact(target, b"a"), push_artifact(target, b"b")
        target.tag(gone.descriptor, "v1")
        target.tag(gone.descriptor, "v2")
        target.tag(stays.descriptor, "v3")
        target.delete(gone.descriptor)
        assert not target.exists(gone.descriptor)
        for name in ("v1", "v2", str(gone.digest)):
            with raises(NotFoundError):
                target.resolve(name)
        assert target.resolve("v3").digest == stays.digest

    def test_a_deleted_blob_can_be_pushed_again(self, target: Target) -> None:
        """A deleted blob no longer exists, until it is pushed again."""
        assert isinstance(target, Deleter)
        blob = push_blob(target, b"blob")
        target.delete(blob)
        assert not target.exists(blob)
        push_blob(target, b"blob")
        assert read(target, blob) == b"blob"

    def test_deletion_of_missing_content_is_an_error(self, target: Target) -> None:
        """Deletion of missing content is an error."""
        assert isinstance(target, Deleter)
        with raises(NotFoundError):
            target.delete(Descriptor.of(b"blob", LAYER))
        with raises(NotFoundError):
            target.delete(codec.encode_index(manifests=[]).descriptor)


class PredecessorFinderContract:
    """The contract of every target that finds predecessors; give it a fixture `target`."""

    def test_predecessors_are_found(self, target: Target) -> None:
        """Predecessors are manifests of a layer, indexes of a manifest, and referrers."""
        assert isinstance(target, PredecessorFinder)
        first, second = push_artifact(target, b"a", b"b"), push_artifact(target, b"b")
        index = codec.encode_index(manifests=[first.descriptor])
        push_document(target, index)
        attached = push_artifact(target, b"c", subject=first.descriptor)
        layer_a, layer_b = first.layers
        assert digests(target.predecessors(layer_a)) == [first.digest]
        assert digests(target.predecessors(layer_b)) == digests(
            [first.descriptor, second.descriptor]
        )
        assert digests(target.predecessors(first.descriptor)) == digests(
            [index.descriptor, attached.descriptor]
        )
        assert list(target.predecessors(index.descriptor)) == []


class ReferrerListerContract:
    """The contract of every target that lists referrers; give it a fixture `target`."""

    def test_referrers_are_listed_once(self, target: Target) -> None:
        """Each manifest with the subject is listed once; no other manifest is listed."""
        assert isinstance(target, ReferrerLister)
        subject, other = push_artifact(target, b"a"), push_artifact(target, b"b")
        assert list(target.referrers(subject.descriptor)) == []
        first = push_artifact(target, b"c", subject=subject.descriptor)
        second = push_artifact(target, b"d", subject=subject.descriptor)
        push_artifact(target, b"c", subject=subject.descriptor)  # a second time
        of_first = push_artifact(target, b"e", subject=first.descriptor)
        push_document(target, codec.encode_index(manifests=[subject.descriptor]))
        assert digests(target.referrers(subject.descriptor)) == digests(
            [first.descriptor, second.descriptor]
        )
        assert digests(target.referrers(first.descriptor)) == [of_first.digest]
        assert list(target.referrers(other.descriptor)) == []

    def test_referrers_are_described(self, target: Target) -> None:
        """Entries have annotations and a type, by default the config media type (R30)."""
        assert isinstance(target, ReferrerLister)
        subject = push_artifact(target, b"a").descriptor
        config = push_blob(target, b"{}")
        typed = codec.encode_index(
            manifests=[], subject=subject, artifact_type="application/vnd.example.list"
        )
        untyped = codec.encode_manifest(
            config=config, layers=[config], subject=subject, annotations={"key": "value"}
        )
        push_document(target, typed)
        push_document(target, untyped)
        found = {referrer.digest: referrer for referrer in target.referrers(subject)}
        assert found[typed.digest].artifact_type == "application/vnd.example.list"
        assert found[untyped.digest].artifact_type == config.media_type
        assert found[untyped.digest].annotations == {"key": "value"}
        assert found[untyped.digest].plain() == untyped.descriptor.plain()
        chosen = target.referrers(subject, "application/vnd.example.list")
        assert digests(chosen) == [typed.digest]
        assert list(target.referrers(subject, "application/vnd.other")) == []

    def test_referrers_of_a_missing_subject_are_listed(self, target: Target) -> None:
        """Referrers of a missing subject are listed."""
        assert isinstance(target, ReferrerLister)
        absent = codec.encode_index(manifests=[], annotations={"comes": "later"})
        referrer = push_artifact(target, b"a", subject=absent.descriptor)
        assert digests(target.referrers(absent.descriptor)) == [referrer.digest]

    def test_a_deleted_referrer_is_not_listed(self, target: Target) -> None:
        """A deleted referrer is no longer listed; the other referrers stay."""
        assert isinstance(target, ReferrerLister)
        if not isinstance(target, Deleter):
            return
        subject = push_artifact(target, b"a").descriptor
        gone = push_artifact(target, b"b", subject=subject)
        stays = push_artifact(target, b"c", subject=subject)
        target.delete(gone.descriptor)
        assert digests(target.referrers(subject)) == [stays.digest]
        target.delete(stays.descriptor)
        assert list(target.referrers(subject)) == []


class ReferenceFetcherContract:
    """The contract of every target that fetches by reference; give it a fixture `target`."""

    def test_a_manifest_is_fetched_with_its_descriptor(self, target: Target) -> None:
        """A tag and a digest fetch the same manifest."""
        assert isinstance(target, ReferenceFetcher)
        manifest = push_artifact(target, b"layer")
        target.tag(manifest.descriptor, "v1")
        for reference in ("v1", str(manifest.digest)):
            descriptor, content = target.fetch_reference(reference)
            assert descriptor.plain() == manifest.descriptor.plain()
            assert content == manifest.content

    def test_a_missing_reference_is_an_error(self, target: Target) -> None:
        """A missing reference is an error."""
        assert isinstance(target, ReferenceFetcher)
        for reference in ("v1", str(Digest.of(b"nothing"))):
            with raises(NotFoundError):
                target.fetch_reference(reference)


class ReferencePusherContract:
    """The contract of every target that pushes by reference; give it a fixture `target`."""

    def test_a_manifest_is_pushed_with_its_tag(self, target: Target) -> None:
        """The tag is created even if the manifest exists."""
        assert isinstance(target, ReferencePusher)
        manifest = push_artifact(target, b"layer")
        other = codec.decode(manifest.content + b"\n")
        source = BytesSource(other.content)
        for tag in ("v1", "v2"):
            target.push_reference(other.descriptor.plain(), source, tag)
            assert target.resolve(tag).digest == other.digest
        assert read(target, other.descriptor) == other.content

    def test_a_wrong_manifest_gets_no_tag(self, target: Target) -> None:
        """Wrong bytes are refused, and the tag is not created."""
        assert isinstance(target, ReferencePusher)
        manifest = push_artifact(target, b"layer")
        descriptor = codec.decode(manifest.content + b"\n").descriptor.plain()
        with raises(SizeMismatchError):
            target.push_reference(descriptor, BytesSource(manifest.content), "v1")
        with raises(NotFoundError):
            target.resolve("v1")
