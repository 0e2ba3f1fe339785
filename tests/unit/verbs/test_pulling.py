from __future__ import annotations

import io
import json
from contextlib import closing

import pytest
from attrs import evolve

from oras_core.content.sources import BytesSource
from oras_core.copying.options import CopyOptions
from oras_core.errors import (
    CopyError,
    DigestMismatchError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    SizeMismatchError,
    TitleCollisionError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE, Limits
from oras_core.model.names import WINDOWS_NAMES
from oras_core.model.platform import Platform
from oras_core.model.wire import to_wire
from oras_core.packing.manifest import pack_manifest
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.content_access import push_blob, push_document
from oras_core.testing.contracts.tree_access import at, kind_at, names, write
from oras_core.testing.contracts.tree_access import read as read_file
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, push
from oras_core.verbs.selection import FileSelection
from support.artifacts import TITLE, all_files, artifact_in, file, layer, tree_of
from support.tar_archives import directory, member, tgz
from support.targets import EventRecorder, Forwarding, WatchedStore

# --- Pulling ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "title", ["../a", "/etc/passwd", "ok/../../a", "C:/a", "..\\b", "a\0b", "", ".", "\x1b[2J"]
)
def test_hostile_titles_are_refused_before_anything_is_fetched(target, folder, title):
    artifact_in(target, (b"good", "good"), (b"evil", "placeholder"))
    good, evil = layer(b"good", "good"), layer(b"evil", "a").with_annotations({TITLE: title})
    manifest = pack_manifest([good, evil])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), "evil")
    watched = WatchedStore(target)
    with pytest.raises(UnsafePathError):
        pull(watched, "evil", folder)
    assert set(watched.fetched) <= {manifest.digest}
    assert names(folder) == []


@pytest.mark.parametrize("second", ["a", "./a", "a/", "a/."])
def test_two_layers_with_one_title_are_refused_before_anything_is_fetched(target, folder, second):
    manifest = artifact_in(target, (b"one", "a"), (b"two", second))
    watched = WatchedStore(target)
    with pytest.raises(TitleCollisionError, match="two files of the artifact have the title"):
        pull(watched, "v1", folder)
    assert set(watched.fetched) <= {manifest.digest}
    assert names(folder) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [(Directory("data", tree_of(x=b"1")), (b"2", "data/x")), ((b"1", "a"), (b"2", "a/b"))],
)
def test_titles_inside_one_another_are_refused_each_time(target, scratch, folder, one, other):
    if isinstance(one, Directory):
        push(target, "v0", [one], scratch=scratch)
        first = target.resolve("v0")
        with closing(target.fetch(first)) as stream:
            first = codec.decode_manifest(stream.read()).layers[0]
    else:
        first = artifact_in(target, one).layers[0]
    second = artifact_in(target, other).layers[0]
    for layers in ([first, second], [second, first]):
        manifest = pack_manifest(layers)
        push_document(target, manifest)
        target.tag(manifest.descriptor.plain(), "both")
        with pytest.raises(TitleCollisionError, match="one would replace the other"):
            pull(target, "both", folder)
        assert names(folder) == []
    pull(
        target,
        "both",
        folder,
        selection=FileSelection(layers=lambda layer: layer.digest == first.digest),
    )
    assert names(folder) != []


@pytest.mark.parametrize("name", ["a:b", "nul.txt", "a."])
def test_titles_that_windows_refuses_are_refused_before_anything_is_fetched(target, name):
    artifact_in(target, (b"one", "fine"), (b"two", name))
    watched, folder = WatchedStore(target), MemoryFileTree(WINDOWS_NAMES)
    with pytest.raises(UnsafePathError, match="Windows"):
        pull(watched, "v1", folder)
    assert names(folder) == []
    pull(target, "v1", MemoryFileTree())


def test_an_artifact_without_files_gives_no_file(target, folder):
    """The only layer is the empty descriptor (image spec, manifest.md)."""
    manifest = pack_manifest(
        [Descriptor.of(b"{}", media_types.OCI_EMPTY)], artifact_type="a/b", annotations={"k": "v"}
    )
    push_blob(target, b"{}")
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), "v1")
    pulled = pull(target, "v1", folder, title_of=lambda layer: layer.title or str(layer.digest))
    assert pulled.files == ()
    assert names(folder) == []


def test_a_file_of_the_empty_type_is_a_file(target, folder):
    push(target, "v1", [file("empty.json", b"{}", media_type=media_types.OCI_EMPTY)])
    assert [str(path) for path in pull(target, "v1", folder).files] == ["empty.json"]


def test_a_directory_titled_dot_is_unpacked_into_the_folder(target, folder):
    content = tgz(directory("."), member("a", b"a"), member("d/b", b"b"))
    unpack = {media_types.ANNOTATION_UNPACK: "true"}
    dot = layer(content, ".", **unpack)
    push_blob(target, content)
    push_blob(target, b"{}")
    manifest = pack_manifest([dot])
    push_document(target, manifest)
    target.tag(manifest.descriptor.plain(), "v1")
    pulled = pull(target, "v1", folder)
    assert [str(path) for path in pulled.files] == ["."]
    assert all_files(folder) == {"a": b"a", "d/b": b"b"}


def test_one_layer_twice_is_one_file(target, folder):
    artifact_in(target, (b"one", "a"), (b"one", "./a"))
    assert [str(path) for path in pull(target, "v1", folder).files] == ["a"]
    assert all_files(folder) == {"a": b"one"}


class Tampering(Forwarding):
    """Gives other bytes for one content."""

    def __init__(self, target, descriptor, content):
        super().__init__(target)
        self.digest, self.content = descriptor.digest, content

    def fetch(self, descriptor):
        if descriptor.digest == self.digest:
            return io.BytesIO(self.content)
        return super().fetch(descriptor)


@pytest.mark.parametrize("old", [None, b"old", b"g00d"])
@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"evil", DigestMismatchError),
        (b"goo", SizeMismatchError),
        (b"", SizeMismatchError),
        (b"good!", SizeMismatchError),
        (b"good" * 1_000_000, SizeMismatchError),
    ],
)
def test_a_blob_that_does_not_match_never_gets_the_name(folder, content, error, old):
    target = MemoryStore()
    artifact_in(target, (b"good", "a"))
    if old is not None:
        write(folder, "a", old)
    with pytest.raises(error) as caught:
        pull(Tampering(target, layer(b"good"), content), "v1", folder)
    assert "(source)" in "".join(caught.value.__notes__)
    assert all_files(folder) == ({} if old is None else {"a": old})


def test_a_wrong_manifest_is_refused(folder):
    target = MemoryStore()
    manifest = artifact_in(target, (b"good", "a"))
    other = artifact_in(target, (b"evil", "a"), tag="evil")
    with pytest.raises(DigestMismatchError):
        pull(Tampering(target, manifest.descriptor, other.content), "v1", folder)
    assert names(folder) == []


def test_matching_file_is_not_downloaded(target, folder):
    artifact_in(target, (b"one", "a"), (b"two", "b"))
    write(folder, "a", b"one")
    before = folder.entry(at("a"))
    watched, listener = WatchedStore(target), EventRecorder()
    pulled = pull(watched, "v1", folder, options=CopyOptions(listener=listener))
    assert Digest.of(b"one") not in watched.fetched
    assert folder.entry(at("a")) == before
    assert listener.of(layer(b"one")) == [("skipped", "exists")]
    assert [str(path) for path in pulled.files] == ["a", "b"]


def test_second_pull_resumes_after_a_failure(target, folder):
    artifact_in(target, (b"one", "a"), (b"two", "b"))

    class Broken(WatchedStore):
        def fetch(self, descriptor):
            if descriptor.digest == Digest.of(b"two"):
                raise ConnectionError("reset")
            return super().fetch(descriptor)

    with pytest.raises(CopyError, match="reset"):
        pull(Broken(target), "v1", folder, options=CopyOptions(concurrency=1))
    assert all_files(folder) == {"a": b"one"}
    watched = WatchedStore(target)
    pull(watched, "v1", folder)
    assert all_files(folder) == {"a": b"one", "b": b"two"}
    assert Digest.of(b"one") not in watched.fetched


def test_other_files_of_the_folder_are_kept(target, folder):
    write(folder, "mine", b"mine")
    artifact_in(target, (b"one", "a"))
    pull(target, "v1", folder)
    assert all_files(folder) == {"mine": b"mine", "a": b"one"}


def test_layers_without_title_are_left_out(target, folder):
    artifact_in(target, (b"one", None), (b"two", "b"))
    watched = WatchedStore(target)
    pulled = pull(watched, "v1", folder)
    assert [str(path) for path in pulled.files] == ["b"]
    assert Digest.of(b"one") not in watched.fetched
    assert Digest.of(b"{}") not in watched.fetched


def test_caller_can_name_and_select_layers(target, folder):
    artifact_in(target, (b"one", None), (b"two", "../b"), (b"three", "c"))
    pulled = pull(
        target,
        "v1",
        folder,
        selection=FileSelection(layers=lambda descriptor: descriptor.size == 3),
        title_of=lambda descriptor: f"layers/{descriptor.digest.encoded[:8]}",
    )
    one, two = (Digest.of(content).encoded[:8] for content in (b"one", b"two"))
    assert [str(path) for path in pulled.files] == [f"layers/{one}", f"layers/{two}"]
    assert read_file(folder, f"layers/{two}") == b"two"
    with pytest.raises(UnsafePathError):
        pull(target, "v1", folder, title_of=lambda _: "../x")


def test_caller_can_select_what_is_unpacked(target, scratch, folder):
    push(target, "v1", [Directory("data", tree_of(x=b"ex"))], scratch=scratch)
    pull(target, "v1", folder, unpacks=lambda _: False)
    assert kind_at(folder, "data") == "file"


def test_missing_artifact_is_not_found(target, folder):
    for reference in ("v1", str(Digest.of(b"absent"))):
        with pytest.raises(NotFoundError):
            pull(target, reference, folder)
    assert names(folder) == []


def test_blob_is_not_an_artifact(folder):
    target = MemoryStore()
    small, large = push_blob(target, b"blob"), push_blob(target, bytes(MAX_MANIFEST_SIZE + 1))
    with pytest.raises(InvalidManifestError):
        pull(target, str(small.digest), folder)
    with pytest.raises(SizeLimitError):
        pull(target, str(large.digest), folder)


def test_manifest_size_limit_applies(target, folder):
    manifest = artifact_in(target, (b"one", "a"))
    size = len(manifest.content)
    with pytest.raises(SizeLimitError):
        pull(WatchedStore(target), "v1", folder, limits=Limits(manifest_size=size - 1))
    pull(WatchedStore(target), "v1", folder, limits=Limits(manifest_size=size))
    assert all_files(folder) == {"a": b"one"}


def test_larger_manifest_can_be_allowed(folder):
    target = MemoryStore()
    push_blob(target, b"one")
    content = pack_manifest([layer(b"one", "a")]).content + b" " * MAX_MANIFEST_SIZE
    large = Descriptor.of(content, media_types.OCI_MANIFEST)
    target.push(large, BytesSource(content))
    target.tag(large, "v1")
    with pytest.raises(SizeLimitError):
        pull(target, "v1", folder)
    pull(target, "v1", folder, limits=Limits(manifest_size=len(content)))
    assert all_files(folder) == {"a": b"one"}


# --- Indexes ------------------------------------------------------------------------------


def tag_index(target, *entries, tag="v1"):
    index = codec.encode_index(manifests=entries)
    push_document(target, index)
    target.tag(index.descriptor.plain(), tag)
    return index


def entry(manifest, platform=None, **annotations):
    return Descriptor(
        manifest.media_type,
        manifest.digest,
        len(manifest.content),
        platform=platform and Platform.parse(platform),
        annotations=annotations,
    )


@pytest.fixture
def two_platforms(target):
    amd, arm = (
        artifact_in(target, (text, "program"), tag=text.decode()) for text in (b"amd", b"arm")
    )
    return tag_index(target, entry(amd, "linux/amd64"), entry(arm, "linux/arm64/v8"))


def test_manifest_of_the_platform_is_pulled(target, two_platforms, folder):
    for platform, content in (("linux/amd64", b"amd"), ("linux/arm64", b"arm")):
        pulled = pull(target, "v1", folder, platform=Platform.parse(platform))
        assert all_files(folder) == {"program": content}
        assert pulled.root.digest == two_platforms.digest
        assert pulled.manifest.layers[0].digest == Digest.of(content)


def test_missing_platform_is_an_error(target, two_platforms, folder):
    with pytest.raises(NotFoundError, match="which offers linux/amd64, linux/arm64/v8"):
        pull(target, "v1", folder, platform=Platform.parse("windows/amd64"))
    assert names(folder) == []


def test_several_manifests_need_a_platform(target, two_platforms, folder):
    with pytest.raises(UnsupportedError, match="choose a platform: linux/amd64, linux/arm64/v8"):
        pull(target, "v1", folder)
    assert names(folder) == []


def test_empty_index_is_an_error(target, folder):
    tag_index(target)
    with pytest.raises(UnsupportedError, match="it is empty"):
        pull(target, "v1", folder)
    with pytest.raises(NotFoundError, match="no platform"):
        pull(target, "v1", folder, platform=Platform.parse("linux/amd64"))


def test_a_single_manifest_needs_no_platform(target, folder):
    manifest = artifact_in(target, (b"one", "a"), tag="one")
    inner = tag_index(target, entry(manifest), tag="inner")
    tag_index(target, entry(inner))
    assert pull(target, "v1", folder).manifest == manifest
    assert all_files(folder) == {"a": b"one"}


def test_platform_is_ignored_for_a_manifest(target, folder):
    artifact_in(target, (b"one", "a"))
    pull(target, "v1", folder, platform=Platform.parse("windows/amd64"))
    assert all_files(folder) == {"a": b"one"}


def test_nested_indexes_do_not_recurse(folder):
    target = MemoryStore()
    document = artifact_in(target, (b"one", "a"))
    for _ in range(1500):
        document = codec.encode_index(manifests=[document.descriptor])
        push_document(target, document)
    pull(target, str(document.digest), folder)
    assert all_files(folder) == {"a": b"one"}


@pytest.mark.parametrize("title", ["program", "other", "../../evil"])
def test_a_title_in_an_index_makes_no_file(target, folder, title):
    manifest = artifact_in(target, (b"one", "program"), tag="one")
    tag_index(target, entry(manifest, "linux/amd64", **{TITLE: title}))
    pulled = pull(target, "v1", folder, platform=Platform.parse("linux/amd64"))
    assert all_files(folder) == {"program": b"one"}
    assert [str(path) for path in pulled.files] == ["program"]


def test_manifest_embedded_in_its_index_is_pulled(folder):
    target = MemoryStore()
    push_blob(target, b"one")
    child = pack_manifest([layer(b"one", "a")])
    embedded = Descriptor(child.media_type, child.digest, len(child.content), data=child.content)
    tag_index(target, embedded)
    pull(target, "v1", folder)
    assert all_files(folder) == {"a": b"one"}


# --- Indexes of buildx --------------------------------------------------------------------

ATTESTATION = {"vnd.docker.reference.type": "attestation-manifest"}


def buildx_index(target, *images, **options):
    """Push an index of images, each with its attestation, tagged `built`."""
    entries = []
    for manifest, platform in images:
        attestation = artifact_in(target, (b"{}", None))
        entries += [
            evolve(manifest.descriptor, platform=platform),
            evolve(
                attestation.descriptor,
                platform=Platform("unknown", "unknown"),
                annotations={**ATTESTATION, "vnd.docker.reference.digest": str(manifest.digest)},
            ),
        ]
    index = codec.encode_index(manifests=entries, **options)
    push_document(target, index)
    target.tag(index.descriptor.plain(), "built")


@pytest.mark.parametrize("platform", [Platform("linux", "amd64"), None])
def test_attestation_is_not_a_choice_of_platform(target, folder, platform):
    image = artifact_in(target, (b"image", "image.txt"))
    buildx_index(target, (image, platform))
    assert pull(target, "built", folder).manifest.digest == image.digest
    assert all_files(folder) == {"image.txt": b"image"}


def test_image_is_selected_among_attestations(target, folder):
    names = ("amd64", "arm64")
    images = [(artifact_in(target, (n.encode(), n)), Platform("linux", n)) for n in names]
    buildx_index(target, *images)
    with pytest.raises(UnsupportedError, match=r": linux/amd64, linux/arm64$"):
        pull(target, "built", folder)
    pull(target, "built", folder, platform=Platform("linux", "arm64"))
    assert all_files(folder) == {"arm64": b"arm64"}


# --- Artifact manifests -------------------------------------------------------------------


@pytest.mark.parametrize("media_type", media_types.ARTIFACT_MANIFESTS)
def test_blobs_of_an_artifact_manifest_are_pulled_as_files(target, folder, media_type):
    blob = layer(b"content", "sbom.json")
    target.push(blob, BytesSource(b"content"))
    content = json.dumps({"mediaType": media_type, "blobs": [to_wire(blob)]}).encode()
    artifact = Descriptor.of(content, media_type)
    target.push(artifact, BytesSource(content))
    target.tag(artifact, "sbom")
    assert pull(target, "sbom", folder).manifest.digest == artifact.digest
    assert all_files(folder) == {"sbom.json": b"content"}
