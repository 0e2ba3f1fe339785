"""Referrers, indexes, mirrors and backups with real registries and skopeo."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from itertools import pairwise

import pytest

from oras_adapters.files.local_files import LocalFileTree, scratch_directory
from oras_adapters.http.urllib3_transport import Urllib3Transport
from oras_adapters.registry_server import RegistryServer
from oras_core.content.sources import BytesSource
from oras_core.copying.copy import copy
from oras_core.copying.extended import extended_copy
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.model.platform import Platform
from oras_core.registry.referrers_list import referrers_tag
from oras_core.registry.registry import RemoteRegistry
from oras_core.stores.layout.store import OciLayoutStore
from oras_core.testing.contracts.content_abilities import ReferrerListerContract
from oras_core.testing.contracts.content_access import (
    digests,
    push_artifact,
    push_blob,
    push_document,
    read,
)
from oras_core.testing.registry.registry import EmbeddedRegistry
from oras_core.verbs.attach import attach
from oras_core.verbs.backup import backup, backup_to_archive, restore, restore_from_archive
from oras_core.verbs.discover import discover
from oras_core.verbs.index import IndexChange, create_index, read_index, update_index
from oras_core.verbs.mirror import mirror
from oras_core.verbs.pull import pull
from oras_core.verbs.push import File
from support.programs import require_program

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"
PLATFORMS = [Platform("linux", "amd64"), Platform("linux", "arm64"), Platform("linux", "arm", "v7")]


@pytest.fixture
def transport():
    with Urllib3Transport() as transport:
        yield transport


@pytest.fixture
def embedded() -> Iterator[RegistryServer]:
    """A registry with the referrers API, behind a socket."""
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server


@pytest.fixture
def real(open_registry, transport):
    """Return repositories of docker-registry, which has no referrers API."""
    return RemoteRegistry(open_registry.address, transport, plain_http=True).repository


@pytest.fixture
def served(embedded, transport):
    """Return repositories of the embedded registry."""
    return RemoteRegistry(embedded.address, transport, plain_http=True).repository


@pytest.fixture(params=["docker-registry", "embedded registry"])
def repository(request, repository_name):
    make = request.getfixturevalue("real" if request.param == "docker-registry" else "served")
    return make(repository_name)


@pytest.fixture
def scratch():
    with scratch_directory() as tree:
        yield tree


def attach_file(target, subject, content, artifact_type, scratch):
    return attach(
        target,
        subject,
        [File("report.json", BytesSource(content))],
        artifact_type=artifact_type,
        scratch=scratch,
    )


class TestReferrersOfARepository(ReferrerListerContract):
    @pytest.fixture
    def target(self, repository):
        return repository


# --- Attach and discover ------------------------------------------------------------------


def test_attach_twice_discover_delete_one_discover(repository, scratch):
    image = push_artifact(repository, b"image")
    repository.tag(image.descriptor, "v1")
    assert discover(repository, "v1").referrers == ()
    sbom = attach_file(repository, "v1", b"sbom", SBOM, scratch)
    signature = attach_file(repository, "v1", b"signature", SIGNATURE, scratch)
    found = [node.descriptor for node in discover(repository, "v1").referrers]
    assert digests(found) == digests([sbom, signature])
    assert {d.artifact_type for d in found} == {SBOM, SIGNATURE}
    of_type = discover(repository, "v1", artifact_type=SIGNATURE)
    assert [node.descriptor.digest for node in of_type.referrers] == [signature.digest]
    repository.delete(sbom)
    left = discover(repository, "v1").referrers
    assert [node.descriptor.digest for node in left] == [signature.digest]
    repository.delete(signature)
    assert discover(repository, "v1").referrers == ()


def test_r30_referrers_tag_of_a_registry_without_the_api_follows_the_spec(
    real, repository_name, scratch
):
    repository = real(repository_name)
    image = push_artifact(repository, b"image")
    repository.tag(image.descriptor, "v1")
    config = push_blob(repository, b"{}")
    plain = codec.encode_manifest(
        config=config, layers=[config], subject=image.descriptor.plain(), annotations={"a": "1"}
    )
    push_document(repository, plain)
    sbom = attach_file(repository, "v1", b"sbom", SBOM, scratch)
    push_document(repository, plain)  # once more: it must not be listed twice
    assert referrers_tag(image.digest) == f"sha256-{image.digest.encoded}"
    descriptor, content = repository.fetch_reference(referrers_tag(image.digest))
    assert descriptor.media_type == media_types.OCI_INDEX
    assert json.loads(content) == {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_INDEX,
        "manifests": [
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": str(plain.digest),
                "size": len(plain.content),
                "artifactType": config.media_type,
                "annotations": {"a": "1"},
            },
            {
                "mediaType": media_types.OCI_MANIFEST,
                "digest": str(sbom.digest),
                "size": sbom.size,
                "artifactType": SBOM,
            },
        ],
    }
    repository.delete(plain.descriptor)
    _, content = repository.fetch_reference(referrers_tag(image.digest))
    assert [entry["digest"] for entry in json.loads(content)["manifests"]] == [str(sbom.digest)]


def test_r31_missing_referrers_api_is_probed_once(open_registry, transport, repository_name):
    asked = []

    class Watching:
        def send(self, request):
            asked.append(request.url)
            return transport.send(request)

    registry = RemoteRegistry(open_registry.address, Watching(), plain_http=True)
    subject = push_artifact(registry.repository(repository_name), b"image").descriptor
    for _ in range(3):
        assert list(registry.repository(repository_name).referrers(subject)) == []
    assert sum("/referrers/" in url for url in asked) == 1


def test_tree_of_three_levels_is_copied_between_registries(real, served, repository_name, scratch):
    def make_tree(source):
        image = push_artifact(source, b"image")
        source.tag(image.descriptor, "v1")
        sbom = attach_file(source, "v1", b"sbom", SBOM, scratch)
        signature = attach_file(source, str(sbom.digest), b"signature", SIGNATURE, scratch)
        return [image, sbom, signature, attach_file(
            source, str(signature.digest), b"counter-signature", SIGNATURE, scratch
        )]  # fmt: skip

    tree = make_tree(real(repository_name))
    for source, destination in (
        (real(repository_name), served("there")),
        (served("there"), real(f"{repository_name}/back")),
    ):
        extended_copy(source, "v1", destination)
        found = [node.digest for _, node in discover(destination, "v1", depth=None).walk()]
        assert found == [document.digest for document in tree]
        for descriptor in tree[1:]:
            assert read(destination, descriptor) == read(source, descriptor)


# --- Costs --------------------------------------------------------------------------------


def test_copy_within_one_registry_mounts_blobs(open_registry, real, repository_name, scratch):
    source, destination = real(repository_name), real(f"{repository_name}/copy")
    image = push_artifact(source, b"one", b"two")
    source.tag(image.descriptor, "v1")
    attach_file(source, "v1", b"sbom", SBOM, scratch)
    with open_registry.recording() as requests:
        extended_copy(source, "v1", destination)
    # A HEAD shows that a blob is missing.
    blobs = [sent for sent in requests if "/blobs/" in sent.path and sent.method != "HEAD"]
    assert [(sent.method, sent.status) for sent in blobs] == [("POST", 201)] * 4
    assert destination.resolve("v1").digest == image.digest


def test_second_mirror_transfers_nothing(open_registry, real, repository_name, scratch):
    source, destination = real(repository_name), real(f"{repository_name}/copy")
    for number in range(3):
        image = push_artifact(source, b"%d" % number)
        source.tag(image.descriptor, f"v{number}")
        attach_file(source, f"v{number}", b"sbom %d" % number, SBOM, scratch)
    assert sorted(mirror(source, destination).tags) == ["v0", "v1", "v2"]
    with open_registry.recording() as requests:
        mirror(source, destination)
    assert {sent.method for sent in requests} == {"GET", "HEAD"}
    assert not [sent for sent in requests if "/blobs/" in sent.path]


# --- skopeo -------------------------------------------------------------------------------


def image_config(platform, seed):
    members = {
        "architecture": platform.architecture,
        "os": platform.os,
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(seed).hexdigest()}"]},
        "config": {},
    }
    if platform.variant:
        members["variant"] = platform.variant
    return json.dumps(members).encode()


def multi_platform_index(store, tag):
    """Push an image for several platforms under a tag, with layers that are empty archives."""
    for platform in PLATFORMS:
        seed = bytes(1024) + str(platform).encode()
        config = Descriptor.of(image_config(platform, seed), media_types.OCI_IMAGE_CONFIG)
        store.push(config, BytesSource(image_config(platform, seed)))
        layer = Descriptor.of(seed, media_types.OCI_LAYER_TAR)
        store.push(layer, BytesSource(seed))
        manifest = codec.encode_manifest(config=config, layers=[layer])
        store.tag(push_document(store, manifest), str(platform).replace("/", "-"))
    return create_index(store, [str(p).replace("/", "-") for p in PLATFORMS], tags=[tag])


def manifests_of(skopeo, transport_name):
    """Return the raw index, and the raw manifests by digest, as skopeo reads them."""
    index = skopeo("inspect", "--raw", transport_name)
    return index, [entry["digest"] for entry in json.loads(index)["manifests"]]


def test_image_of_skopeo_is_unchanged_after_a_round_trip(
    open_registry, real, served, repository_name, skopeo, tmp_path
):
    made = OciLayoutStore(LocalFileTree(tmp_path / "made", create=True))
    multi_platform_index(made, "v1")
    # skopeo writes the layout that goes round: its own index.json, its own order.
    skopeo("copy", "--all", f"oci:{tmp_path / 'made'}:v1", f"oci:{tmp_path / 'theirs'}:v1")
    original, parts = manifests_of(skopeo, f"oci:{tmp_path / 'theirs'}:v1")
    assert len(parts) == len(PLATFORMS)

    theirs = OciLayoutStore(LocalFileTree(tmp_path / "theirs"))
    back = OciLayoutStore(LocalFileTree(tmp_path / "back", create=True))
    stations = [theirs, real(repository_name), served("image"), back]
    for source, destination in pairwise(stations):
        copy(source, "v1", destination)

    assert manifests_of(skopeo, f"oci:{tmp_path / 'back'}:v1") == (original, parts)
    for path in sorted((tmp_path / "theirs" / "blobs" / "sha256").iterdir()):
        assert (tmp_path / "back" / "blobs" / "sha256" / path.name).read_bytes() == (
            path.read_bytes()
        )
    skopeo("copy", "--all", f"oci:{tmp_path / 'back'}:v1", f"dir:{tmp_path / 'read'}")
    skopeo(
        "copy", "--all", f"docker://{open_registry.address}/{repository_name}:v1",
        f"dir:{tmp_path / 'read again'}",
    )  # fmt: skip


def test_copy_of_one_platform_of_an_image(real, repository_name, skopeo, tmp_path):
    made = OciLayoutStore(LocalFileTree(tmp_path / "made", create=True))
    multi_platform_index(made, "v1")
    repository = real(repository_name)
    copy(made, "v1", repository, options=CopyOptions(platform=PLATFORMS[2]))
    back = OciLayoutStore(LocalFileTree(tmp_path / "back", create=True))
    copy(repository, "v1", back)
    inspected = json.loads(skopeo("inspect", f"oci:{tmp_path / 'back'}:v1"))
    assert (inspected["Os"], inspected["Architecture"]) == ("linux", "arm")
    assert inspected["Digest"] == str(made.resolve("linux-arm-v7").digest)


def test_skopeo_reads_our_archive(real, repository_name, skopeo, tmp_path, scratch):
    repository = real(repository_name)
    source = OciLayoutStore(LocalFileTree(tmp_path / "made", create=True))
    multi_platform_index(source, "v1")
    copy(source, "v1", repository)
    folder = LocalFileTree(tmp_path)
    backup_to_archive(repository, folder, sanitize_path("backup.tar"), scratch=scratch)
    index, _ = manifests_of(skopeo, f"oci-archive:{tmp_path / 'backup.tar'}:v1")
    assert index.encode() == read(source, source.resolve("v1"))


def test_archive_of_skopeo_is_read(real, repository_name, skopeo, tmp_path, scratch):
    made = OciLayoutStore(LocalFileTree(tmp_path / "made", create=True))
    root = multi_platform_index(made, "v1")
    archive = tmp_path / "theirs.tar"
    skopeo(
        "copy", "--all", "--preserve-digests", f"oci:{tmp_path / 'made'}:v1",
        f"oci-archive:{archive}:v1",
    )  # fmt: skip
    repository = real(repository_name)
    named = restore_from_archive(
        LocalFileTree(tmp_path), sanitize_path("theirs.tar"), repository, scratch=scratch
    )
    assert {tag: found.digest for tag, found in named.tags.items()} == {"v1": root.digest}
    assert read(repository, root) == read(made, root)


def test_umoci_reads_our_layout(real, repository_name, tmp_path):
    program = require_program("umoci")
    made = OciLayoutStore(LocalFileTree(tmp_path / "made", create=True))
    multi_platform_index(made, "v1")
    repository = real(repository_name)
    mirror(made, repository)
    layout = tmp_path / "layout"
    backup(repository, LocalFileTree(layout, create=True))
    listed = subprocess.run(
        [program, "ls", "--layout", str(layout)], capture_output=True, text=True, check=True
    ).stdout
    assert set(listed.split()) == {"v1", *(str(p).replace("/", "-") for p in PLATFORMS)}
    subprocess.run([program, "gc", "--layout", str(layout)], check=True, capture_output=True)
    store = OciLayoutStore(LocalFileTree(layout))
    assert store.collect_garbage().digests == ()
    assert store.resolve("v1").digest == made.resolve("v1").digest


# --- Indexes, backups ---------------------------------------------------------------------


def test_index_is_created_changed_and_pulled(repository, scratch, tmp_path):
    for name in ("amd64", "arm64"):
        config = Descriptor.of(
            image_config(Platform("linux", name), name.encode()), media_types.OCI_IMAGE_CONFIG
        )
        repository.push(config, BytesSource(image_config(Platform("linux", name), name.encode())))
        layer = push_blob(repository, name.encode()).with_annotations(
            {media_types.ANNOTATION_TITLE: f"{name}.txt"}
        )
        manifest = codec.encode_manifest(config=config, layers=[layer])
        repository.push_manifest(manifest.content, manifest.media_type, name)
    create_index(repository, ["amd64"], tags=["v1", "latest"])
    update_index(repository, "v1", IndexChange(add=["arm64"]))
    assert len(read_index(repository, "v1").manifests) == 2
    assert len(read_index(repository, "latest").manifests) == 1
    pulled = pull(repository, "v1", LocalFileTree(tmp_path), platform=Platform.parse("linux/arm64"))
    assert [str(path) for path in pulled.files] == ["arm64.txt"]
    with pytest.raises(NotFoundError):
        pull(repository, "latest", LocalFileTree(tmp_path), platform=Platform.parse("linux/arm64"))


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_repository_is_backed_up_and_restored(
    real, served, repository_name, scratch, tmp_path, kind
):
    source, destination = real(repository_name), served("restored")
    image = push_artifact(source, b"image")
    source.tag(image.descriptor, "v1")
    source.tag(image.descriptor, "latest")
    sbom = attach_file(source, "v1", b"sbom", SBOM, scratch)
    signature = attach_file(source, str(sbom.digest), b"signature", SIGNATURE, scratch)
    if kind == "folder":
        backup(source, LocalFileTree(tmp_path / "backup", create=True))
        named = restore(LocalFileTree(tmp_path / "backup"), destination)
    else:
        folder, path = LocalFileTree(tmp_path), sanitize_path("backup.tar")
        with scratch_directory() as one, scratch_directory() as two:
            backup_to_archive(source, folder, path, scratch=one)
            named = restore_from_archive(folder, path, destination, scratch=two)
    assert sorted(named.tags) == sorted(destination.tags()) == ["latest", "v1"]
    found = [node.digest for _, node in discover(destination, "v1", depth=None).walk()]
    assert found == [image.digest, sbom.digest, signature.digest]
