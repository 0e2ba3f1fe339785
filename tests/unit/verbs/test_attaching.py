"""Attach something to an artifact, and find it again."""

from __future__ import annotations

import pytest

from oras_core.content.sources import BytesSource
from oras_core.copying.options import CopyOptions
from oras_core.errors import InvalidManifestError, NotFoundError, SizeLimitError
from oras_core.model import codec, media_types
from oras_core.model.annotations import AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.packing.manifest import empty_config
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_artifact, push_document, read
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.attach import attach
from oras_core.verbs.discover import MAX_DEPTH, Referrers, discover
from oras_core.verbs.pull import fetch_artifact, pull
from oras_core.verbs.push import Config
from support.artifacts import all_files, file
from support.targets import Forwarding

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


KINDS = ("memory", "layout", "registry", "registry without referrers")


@pytest.fixture
def image(target):
    manifest = push_artifact(target, b"image")
    target.tag(manifest.descriptor, "v1")
    return manifest


def attach_file(target, subject="v1", content=b"content", artifact_type=SBOM, **options):
    return attach(
        target,
        subject,
        [file("report.json", content)],
        artifact_type=artifact_type,
        scratch=MemoryFileTree(),
        **options,
    )


def shape(tree):
    """The tree as nested tuples of digests, in no order."""
    return tree.descriptor.digest, frozenset(shape(child) for child in tree.referrers)


# --- Attaching ----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["tag", "digest"])
def test_attached_artifact_has_the_subject(target, image, by):
    attached = attach_file(target, "v1" if by == "tag" else str(image.digest))
    manifest = codec.decode_manifest(read(target, attached))
    assert manifest.subject == image.descriptor.plain()
    assert manifest.artifact_type == SBOM
    assert manifest.config.media_type == media_types.OCI_EMPTY
    assert manifest.config.data == b"{}"


def test_attached_artifact_has_the_given_config(target, image):
    config = Config(BytesSource(b"{1}"), "application/vnd.example.config")
    attached = attach_file(target, config=config)
    manifest = codec.decode_manifest(read(target, attached))
    assert manifest.config.media_type == "application/vnd.example.config"
    assert read(target, manifest.config) == b"{1}"
    assert manifest.artifact_type == SBOM


def test_attached_artifact_can_be_pulled(target, image):
    attached = attach_file(target)
    folder = MemoryFileTree()
    pull(target, str(attached.digest), folder)
    assert all_files(folder) == {"report.json": b"content"}


def test_attached_artifact_has_no_tag(target, image):
    attach_file(target)
    kept = [tag for tag in target.tags() if not tag.startswith("sha256-")]
    assert kept == ["v1"]


def test_subject_is_unchanged(target, image):
    attach_file(target)
    assert target.resolve("v1").digest == image.digest


def test_annotations_can_be_attached_without_files(target, image):
    attached = attach(
        target,
        "v1",
        [],
        artifact_type=SIGNATURE,
        annotations=AnnotationSet({"$manifest": {"verdict": "good"}}),
        scratch=MemoryFileTree(),
    )
    found = discover(target, "v1").referrers[0].descriptor
    assert found.digest == attached.digest
    assert found.annotations == {"verdict": "good"}
    # The image spec recommends a layer, for portability.
    (layer,) = fetch_artifact(target, str(attached.digest)).layers
    assert layer == empty_config()
    assert read(target, layer) == b"{}"
    folder = MemoryFileTree()
    assert pull(target, str(attached.digest), folder).files == ()
    assert all_files(folder) == {}


def test_attach_to_the_manifest_for_a_platform(target):
    platform = Platform.parse("linux/amd64")
    manifest = push_artifact(target, b"image")
    entry = Descriptor(
        manifest.media_type, manifest.digest, len(manifest.content), platform=platform
    )
    target.tag(push_document(target, codec.encode_index(manifests=[entry])), "v1")
    options = CopyOptions(platform=platform)
    attached = attach_file(target, options=options)
    tree = discover(target, "v1", options=options)
    assert shape(tree) == (manifest.digest, frozenset([(attached.digest, frozenset())]))
    assert discover(target, "v1").referrers == ()


def test_attach_to_a_missing_subject_is_an_error(target):
    with pytest.raises(NotFoundError):
        attach_file(target, "v2")


@pytest.mark.parametrize("artifact_type", ["", "nonsense", "a/b c"])
def test_attach_needs_an_artifact_type(target, image, artifact_type):
    with pytest.raises(InvalidManifestError, match="artifactType"):
        attach_file(target, artifact_type=artifact_type)


# --- Discovering --------------------------------------------------------------------------


def test_two_attached_artifacts_are_discovered(target, image):
    one, two = attach_file(target, content=b"1"), attach_file(target, content=b"2")
    leaves = frozenset((attached.digest, frozenset()) for attached in (one, two))
    assert shape(discover(target, "v1")) == (image.digest, leaves)


def test_same_artifact_attached_twice_is_discovered_once(target, image):
    one, two = attach_file(target), attach_file(target)
    assert one == two
    assert len(discover(target, "v1").referrers) == 1


def test_discover_lists_one_level_or_the_whole_tree(target, image):
    sbom = attach_file(target)
    signature = attach_file(target, str(sbom.digest), artifact_type=SIGNATURE)
    third = attach_file(target, str(signature.digest), artifact_type=SIGNATURE)

    def chain(*descriptors):
        first, *rest = descriptors
        return first.digest, frozenset([chain(*rest)] if rest else [])

    assert shape(discover(target, "v1")) == chain(image, sbom)
    assert shape(discover(target, "v1", depth=0)) == chain(image)
    assert shape(discover(target, "v1", depth=2)) == chain(image, sbom, signature)
    whole = discover(target, "v1", depth=None)
    assert shape(whole) == chain(image, sbom, signature, third)
    assert [(depth, node.digest) for depth, node in whole.walk()] == [
        (0, image.digest),
        (1, sbom.digest),
        (2, signature.digest),
        (3, third.digest),
    ]


def test_discover_filters_by_artifact_type(target, image):
    sbom, signature = attach_file(target), attach_file(target, artifact_type=SIGNATURE)
    attach_file(target, str(sbom.digest), artifact_type=SBOM)
    found = discover(target, "v1", artifact_type=SIGNATURE, depth=None)
    assert shape(found) == (image.digest, frozenset([(signature.digest, frozenset())]))
    assert found.referrers[0].descriptor.artifact_type == SIGNATURE


def test_discover_without_referrers_is_empty(target, image):
    assert discover(target, "v1", depth=None) == Referrers(target.resolve("v1"))


def test_deleted_referrer_is_not_discovered(target, image):
    if not hasattr(target, "delete"):
        pytest.skip("nothing is deleted here")
    one, two = attach_file(target, content=b"1"), attach_file(target, content=b"2")
    target.delete(one)
    leaves = frozenset([(two.digest, frozenset())])
    assert shape(discover(target, "v1")) == (image.digest, leaves)


class Lying(Forwarding):
    """Says of two manifests that each refers to the other, or invents ever new ones."""

    def __init__(self, target, listed):
        super().__init__(target)
        self.listed = listed

    def referrers(self, descriptor, artifact_type=None):
        return iter(self.listed(descriptor))


def test_cycle_of_referrers_ends():
    store = MemoryStore()
    one, two = push_artifact(store, b"1"), push_artifact(store, b"2")
    store.tag(one.descriptor, "v1")
    target = Lying(store, lambda d: [(two if d.digest == one.digest else one).descriptor])
    found = [node.digest for _, node in discover(target, "v1", depth=None).walk()]
    assert found == [one.digest, two.digest, one.digest]


def test_endless_chain_of_referrers_is_refused():
    store = MemoryStore()
    store.tag(push_artifact(store, b"1").descriptor, "v1")
    target = Lying(
        store, lambda d: [Descriptor.of(str(d.digest).encode(), media_types.OCI_MANIFEST)]
    )
    with pytest.raises(SizeLimitError, match=f"{MAX_DEPTH} levels"):
        discover(target, "v1", depth=None)


def test_too_many_referrers_are_refused():
    store = MemoryStore()
    store.tag(push_artifact(store, b"1").descriptor, "v1")
    target = Lying(
        store,
        lambda d: (
            Descriptor.of(b"%d %d" % (d.size, n), media_types.OCI_MANIFEST) for n in range(10_001)
        ),
    )
    with pytest.raises(SizeLimitError, match="10000 referrers"):
        discover(target, "v1")
