"""The contracts of what a target may do besides: one for each optional content port."""

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
    """What every target does that lists its tags; give it a fixture `target`."""

    def test_tags_are_listed(self, target: Target) -> None:
        """Each once, from none on; where there is no content there may be no list either."""
        assert isinstance(target, TagLister)
        manifest = push_artifact(target, b"layer")
        assert list(target.tags()) == []
        for tag in ("v2", "v1", "v10", "v2"):
            target.tag(manifest.descriptor, tag)
        assert sorted(target.tags()) == ["v1", "v10", "v2"]


class UntaggerContract:
    """What every target does that takes names away; give it a fixture `target`."""

    def test_a_tag_goes_alone(self, target: Target) -> None:
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
    """What every target does that removes content; give it a fixture `target`."""

    def test_a_manifest_goes_with_its_tags(self, target: Target) -> None:
        """And no other."""
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

    def test_a_blob_goes_and_may_come_back(self, target: Target) -> None:
        """Nothing remembers it."""
        assert isinstance(target, Deleter)
        blob = push_blob(target, b"blob")
        target.delete(blob)
        assert not target.exists(blob)
        push_blob(target, b"blob")
        assert read(target, blob) == b"blob"

    def test_what_is_not_here_is_not_removed(self, target: Target) -> None:
        """It says so."""
        assert isinstance(target, Deleter)
        with raises(NotFoundError):
            target.delete(Descriptor.of(b"blob", LAYER))
        with raises(NotFoundError):
            target.delete(codec.encode_index(manifests=[]).descriptor)


class PredecessorFinderContract:
    """What every target does that knows who refers to content; give it a fixture `target`."""

    def test_predecessors(self, target: Target) -> None:
        """Manifests of a layer, indexes of a manifest, and those of which it is the subject."""
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
    """What every target does that knows who has a subject; give it a fixture `target`."""

    def test_referrers(self, target: Target) -> None:
        """Manifests with the subject, each once, and no others."""
        assert isinstance(target, ReferrerLister)
        subject, other = push_artifact(target, b"a"), push_artifact(target, b"b")
        assert list(target.referrers(subject.descriptor)) == []
        first = push_artifact(target, b"c", subject=subject.descriptor)
        second = push_artifact(target, b"d", subject=subject.descriptor)
        push_artifact(target, b"c", subject=subject.descriptor)  # once more
        of_first = push_artifact(target, b"e", subject=first.descriptor)
        push_document(target, codec.encode_index(manifests=[subject.descriptor]))
        assert digests(target.referrers(subject.descriptor)) == digests(
            [first.descriptor, second.descriptor]
        )
        assert digests(target.referrers(first.descriptor)) == [of_first.digest]
        assert list(target.referrers(other.descriptor)) == []

    def test_referrers_are_described(self, target: Target) -> None:
        """With artifact type and annotations, to be chosen by; a config's type stands in (R30)."""
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

    def test_a_subject_may_come_later(self, target: Target) -> None:
        """Its referrers are known before it is here."""
        assert isinstance(target, ReferrerLister)
        absent = codec.encode_index(manifests=[], annotations={"comes": "later"})
        referrer = push_artifact(target, b"a", subject=absent.descriptor)
        assert digests(target.referrers(absent.descriptor)) == [referrer.digest]

    def test_what_is_deleted_is_no_referrer(self, target: Target) -> None:
        """The others stay."""
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
    """What every target does that gives a manifest by its name; give it a fixture `target`."""

    def test_a_manifest_comes_with_its_descriptor(self, target: Target) -> None:
        """By tag and by digest."""
        assert isinstance(target, ReferenceFetcher)
        manifest = push_artifact(target, b"layer")
        target.tag(manifest.descriptor, "v1")
        for reference in ("v1", str(manifest.digest)):
            descriptor, content = target.fetch_reference(reference)
            assert descriptor.plain() == manifest.descriptor.plain()
            assert content == manifest.content

    def test_an_unknown_name(self, target: Target) -> None:
        """It says so."""
        assert isinstance(target, ReferenceFetcher)
        for reference in ("v1", str(Digest.of(b"nothing"))):
            with raises(NotFoundError):
                target.fetch_reference(reference)


class ReferencePusherContract:
    """What every target does that takes a manifest under its name; give it a fixture `target`."""

    def test_a_manifest_arrives_with_its_name(self, target: Target) -> None:
        """Also where it is here already."""
        assert isinstance(target, ReferencePusher)
        manifest = push_artifact(target, b"layer")
        other = codec.decode(manifest.content + b"\n")
        source = BytesSource(other.content)
        for tag in ("v1", "v2"):
            target.push_reference(other.descriptor.plain(), source, tag)
            assert target.resolve(tag).digest == other.digest
        assert read(target, other.descriptor) == other.content

    def test_a_wrong_manifest_gets_no_name(self, target: Target) -> None:
        """It is refused like any wrong content."""
        assert isinstance(target, ReferencePusher)
        manifest = push_artifact(target, b"layer")
        descriptor = codec.decode(manifest.content + b"\n").descriptor.plain()
        with raises(SizeMismatchError):
            target.push_reference(descriptor, BytesSource(manifest.content), "v1")
        with raises(NotFoundError):
            target.resolve("v1")
