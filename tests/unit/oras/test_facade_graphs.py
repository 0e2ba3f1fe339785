"""What the client does with referrers, indexes and copies, in its own style."""

from __future__ import annotations

import json

import pytest

import oras.client
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import InvalidConfigurationError, InvalidPlatformError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.testing import EmbeddedRegistry

SBOM, SIGNATURE = "application/vnd.example.sbom", "application/vnd.example.signature"


@pytest.fixture(params=[True, False], ids=["referrers", "no referrers"])
def server(request):
    with RegistryServer(EmbeddedRegistry(referrers=request.param)) as server:
        yield server


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    return oras.client.OrasClient(hostname=server.address, insecure=True)


@pytest.fixture
def pushed(client):
    """The digest of an artifact, tagged v1."""
    return digest_of(client.push("a/b:v1", files=["a.txt"], quiet=True))


def digest_of(response):
    assert response.status_code == 201
    return response.headers["Docker-Content-Digest"]


def tags_of(client, name):
    return sorted(tag for tag in client.get_tags(name) if not tag.startswith("sha256-"))


def push_index(client, name, **tags_by_platform):
    """Push an index of manifests that are there; return its digest."""
    repository = client.connections.repository(client.get_container(name))
    entries = []
    for platform, tag in tags_by_platform.items():
        found = repository.resolve(tag)
        entries.append(
            Descriptor(
                found.media_type, found.digest, found.size, platform=Platform("linux", platform)
            )
        )
    index = codec.encode_index(manifests=entries)
    repository.push_manifest(index.content, index.media_type, name.rpartition(":")[2])
    return str(index.digest)


# --- Pushing ------------------------------------------------------------------------------


def test_push_sets_the_artifact_type_and_several_tags(client):
    client.push("a/b:v1", files=["a.txt"], quiet=True, artifact_type=SBOM, tags=["v1.0", "latest"])
    assert tags_of(client, "a/b") == ["latest", "v1", "v1.0"]
    assert client.get_manifest("a/b:latest")["artifactType"] == SBOM


def test_stepwise_push_sets_the_artifact_type_and_several_tags(server, client):
    class Own(oras.client.OrasClient):
        uploaded = ()

        def upload_manifest(self, manifest, container):
            self.uploaded += (container.tag,)
            return super().upload_manifest(manifest, container)

    own = Own(hostname=server.address, insecure=True)
    own.push("a/b:v1", files=["a.txt"], quiet=True, artifact_type=SBOM, tags=["v1.0", "latest"])
    assert own.uploaded == ("v1", "v1.0", "latest")
    assert client.get_manifest("a/b:latest")["artifactType"] == SBOM


def test_push_with_a_subject_is_discovered(client, pushed):
    client.push("a/b:sbom", files=["a.txt"], quiet=True, subject="v1", artifact_type=SBOM)
    (found,) = client.discover("a/b:v1")
    assert found["digest"] == str(client.connections.repository(
        client.get_container("a/b")
    ).resolve("sbom").digest)  # fmt: skip
    assert found["artifactType"] == SBOM


# --- Attach and discover ------------------------------------------------------------------


def test_attached_artifact_is_discovered(client, pushed):
    digest = digest_of(
        client.attach("a/b:v1", SBOM, ["a.txt:text/plain"], manifest_annotations={"key": "value"})
    )
    (found,) = client.discover("a/b:v1")
    assert found == {
        "mediaType": media_types.OCI_MANIFEST,
        "digest": digest,
        "size": found["size"],
        "artifactType": SBOM,
        "annotations": {"key": "value"},
        "referrers": [],
    }
    manifest = client.get_manifest(f"a/b@{digest}")
    assert manifest["subject"]["digest"] == pushed
    assert manifest["layers"][0]["mediaType"] == "text/plain"
    assert tags_of(client, "a/b") == ["v1"]


def test_attached_files_can_be_pulled(client, pushed, tmp_path):
    digest = digest_of(client.attach("a/b:v1", SBOM, ["a.txt"]))
    client.pull(f"a/b@{digest}", outdir=tmp_path / "out")
    assert (tmp_path / "out" / "a.txt").read_text() == "a"


def test_attach_takes_annotations_from_a_file(client, pushed, tmp_path):
    (tmp_path / "notes.json").write_text(json.dumps({"$manifest": {"a": "1"}, "a.txt": {"b": "2"}}))
    digest = digest_of(client.attach("a/b:v1", SBOM, ["a.txt"], annotation_file="notes.json"))
    manifest = client.get_manifest(f"a/b@{digest}")
    assert manifest["annotations"] == {"a": "1"}
    assert manifest["layers"][0]["annotations"]["b"] == "2"


def test_discover_lists_a_tree_one_level_or_one_type(client, pushed):
    sbom = digest_of(client.attach("a/b:v1", SBOM))
    signature = digest_of(client.attach(f"a/b@{sbom}", SIGNATURE))
    assert [found["digest"] for found in client.discover("a/b:v1")] == [sbom]
    (tree,) = client.discover("a/b:v1", depth=None)
    assert [found["digest"] for found in tree["referrers"]] == [signature]
    assert client.discover("a/b:v1", artifact_type=SIGNATURE) == []
    assert client.discover(f"a/b@{sbom}", artifact_type=SIGNATURE)[0]["digest"] == signature


def test_attach_and_discover_select_a_platform_of_an_index(client, pushed):
    push_index(client, "a/b:index", amd64="v1")
    client.attach("a/b:index", SBOM, platform="linux/amd64")
    assert client.discover("a/b:index") == []
    assert len(client.discover("a/b:index", platform="linux/amd64")) == 1
    assert client.get_manifest("a/b:v1") == client.get_manifest("a/b:index", platform="linux/amd64")


def test_attach_to_a_missing_subject_is_refused(client, pushed):
    with pytest.raises(ValueError, match=r"Issue with .*: Not Found"):
        client.attach("a/b:v2", SBOM)
    with pytest.raises(ValueError, match=r"Issue with .*: Not Found"):
        client.discover("a/b:v2")
    with pytest.raises(ValueError, match="artifactType"):
        client.attach("a/b:v1", "nonsense")


def test_attach_refuses_files_outside_the_working_directory_unless_allowed(
    client, pushed, tmp_path, monkeypatch
):
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    with pytest.raises(ValueError, match="present working directory"):
        client.attach("a/b:v1", SBOM, ["../a.txt"])
    client.attach("a/b:v1", SBOM, ["../a.txt"], disable_path_validation=True)


# --- Copying ------------------------------------------------------------------------------


def test_copy_is_identical(client, pushed):
    assert digest_of(client.copy("a/b:v1", "c/d:v2", tags=["latest"])) == pushed
    assert client.get_manifest("c/d:v2") == client.get_manifest("a/b:v1")
    assert tags_of(client, "c/d") == ["latest", "v2"]


def test_copy_by_digest(client, pushed):
    client.copy(f"a/b@{pushed}", f"c/d@{pushed}")
    assert tags_of(client, "c/d") == []
    assert client.get_manifest(f"c/d@{pushed}") == client.get_manifest("a/b:v1")


def test_copy_to_another_registry_with_referrers(client, pushed):
    sbom = digest_of(client.attach("a/b:v1", SBOM))
    client.attach(f"a/b@{sbom}", SIGNATURE)
    with RegistryServer(EmbeddedRegistry()) as other:
        target = f"{other.address}/c/d:v1"
        client.copy("a/b:v1", target)
        assert client.discover(target) == []
        client.copy("a/b:v1", target, referrers=True)
        assert client.discover(target, depth=None) == client.discover("a/b:v1", depth=None)


def test_copy_of_one_platform(client, pushed):
    index = push_index(client, "a/b:index", amd64="v1")
    assert digest_of(client.copy("a/b:index", "c/d:one", platform="linux/amd64")) == pushed
    assert digest_of(client.copy("a/b:index", "c/d:all")) == index


def test_copy_of_a_missing_artifact_is_an_error(client):
    with pytest.raises(ValueError, match=r"Issue with .*: Not Found"):
        client.copy("a/b:v1", "c/d:v1")


# --- Following an index -------------------------------------------------------------------


def test_get_manifest_selects_a_platform_of_an_index(client, pushed, tmp_path):
    (tmp_path / "a.txt").write_text("another")
    client.push("a/b:v2", files=["a.txt"], quiet=True)
    push_index(client, "a/b:index", amd64="v1", arm64="v2")
    assert "manifests" in client.get_manifest("a/b:index")
    manifest = client.get_manifest("a/b:index", platform="linux/arm64")
    assert manifest == client.get_manifest("a/b:v2")
    assert manifest.content == client.get_manifest("a/b:v2").content
    with pytest.raises(LookupError, match="linux/s390x"):
        client.get_manifest("a/b:index", platform="linux/s390x")
    with pytest.raises(InvalidPlatformError):
        client.get_manifest("a/b:index", platform="nonsense")


# --- When it was made ---------------------------------------------------------------------


def test_source_date_epoch_sets_the_created_annotation(client, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    client.push("a/b:v1", files=["a.txt"], quiet=True)
    digest = digest_of(client.attach("a/b:v1", SBOM))
    for name in ("a/b:v1", f"a/b@{digest}"):
        annotations = client.get_manifest(name)["annotations"]
        assert annotations["org.opencontainers.image.created"] == "2023-11-14T22:13:20Z"
    own = {"org.opencontainers.image.created": "2000-01-01T00:00:00Z"}
    client.push("a/b:v2", files=["a.txt"], quiet=True, manifest_annotations=own)
    assert client.get_manifest("a/b:v2")["annotations"] == own


def test_source_date_epoch_that_is_not_a_number_is_refused(client, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InvalidConfigurationError, match="SOURCE_DATE_EPOCH"):
        client.push("a/b:v1", files=["a.txt"], quiet=True)
