"""OCI image layouts that both clients write and read: folders, tar files, backups."""

from __future__ import annotations

import json
import tarfile

import pytest

import oras
from support.trees import describe

TYPE = "application/vnd.example.model"
TAG = "org.opencontainers.image.ref.name"


@pytest.fixture
def expected(client, work, tmp_path):
    """The files of the artifact, as our client pulls them from our layout."""
    client.push("oci:expected:v1", ["card.md", "weights"])
    client.pull("oci:expected:v1", tmp_path / "expected")
    return describe(tmp_path / "expected")


def index_of(layout):
    return json.loads((layout / "index.json").read_bytes())


def names(layout):
    return {
        entry.get("annotations", {}).get(TAG): entry["digest"]
        for entry in index_of(layout)["manifests"]
    }


def test_layout_of_go_is_read_and_changed(client, go, work, expected, tmp_path):
    go("push", "--oci-layout", "shared:v1,v2", "card.md", "weights", cwd=work)
    assert sorted(client.tags("oci:shared")) == ["v1", "v2"]
    client.pull("oci:shared:v1", tmp_path / "out")
    assert describe(tmp_path / "out") == expected
    client.tag("oci:shared:v1", "v3")
    client.push("oci:shared:other", "sbom.json")
    assert set(names(work / "shared")) == {"v1", "v2", "v3", "other"}
    listed = go("repo", "tags", "--oci-layout", "shared", cwd=work)
    assert listed.split() == ["other", "v1", "v2", "v3"]
    go("pull", "--oci-layout", "shared:v3", "-o", tmp_path / "go", cwd=work)
    assert describe(tmp_path / "go") == expected


def test_layout_of_ours_is_read_and_changed_by_go(client, go, work, expected, tmp_path):
    client.push("oci:shared:v1", ["card.md", "weights"], tags="v2")
    go("pull", "--oci-layout", "shared:v2", "-o", tmp_path / "out", cwd=work)
    assert describe(tmp_path / "out") == expected
    go("tag", "--oci-layout", "shared:v1", "v3", cwd=work)
    go("push", "--oci-layout", "shared:other", "sbom.json", cwd=work)
    assert sorted(client.tags("oci:shared")) == ["other", "v1", "v2", "v3"]
    assert client.resolve("oci:shared:v3").digest == client.resolve("oci:shared:v1").digest
    assert client.read("oci:shared:other", "sbom.json") == (work / "sbom.json").read_bytes()


def test_annotations_of_entries_stay(client, go, work):
    client.push("oci:shared:v1", "card.md")
    file = work / "shared" / "index.json"
    document = index_of(work / "shared")
    document["manifests"][0]["annotations"]["org.example.kept"] = "yes"
    file.write_text(json.dumps(document))
    go("push", "--oci-layout", "shared:v2", "sbom.json", cwd=work)
    client.push("oci:shared:v3", "sbom.json")
    first = next(
        one for one in index_of(work / "shared")["manifests"] if one["annotations"].get(TAG) == "v1"
    )
    assert first["annotations"]["org.example.kept"] == "yes"


def test_referrers_in_a_layout_are_found_by_both(client, go, work):
    client.push("oci:shared:v1", "card.md")
    client.attach("oci:shared:v1", "sbom.json", artifact_type=f"{TYPE}.ours")
    go(
        "attach",
        "--oci-layout",
        "shared:v1",
        "sbom.json",
        "--artifact-type",
        f"{TYPE}.go",
        cwd=work,
    )
    found = {one.artifact_type: str(one.digest) for one in client.referrers("oci:shared:v1")}
    listed = go.json("discover", "--oci-layout", "shared:v1", "--format", "json", cwd=work)
    assert {one["artifactType"]: one["digest"] for one in listed["referrers"]} == found
    assert set(found) == {f"{TYPE}.ours", f"{TYPE}.go"}


def test_tar_file_of_ours_is_read_by_go(client, go, work, expected, tmp_path):
    client.push("oci-archive:layout.tar:v1", ["card.md", "weights"])
    client.attach("oci-archive:layout.tar:v1", "sbom.json", artifact_type=TYPE)
    go("pull", "--oci-layout", "layout.tar:v1", "-o", tmp_path / "out", cwd=work)
    assert describe(tmp_path / "out") == expected
    (found,) = client.referrers("oci-archive:layout.tar:v1")
    listed = go.json("discover", "--oci-layout", "layout.tar:v1", "--format", "json", cwd=work)
    assert [one["digest"] for one in listed["referrers"]] == [str(found.digest)]


def test_copies_between_layouts_and_registries_are_the_same(world, client, go, work):
    place = f"{world.repository}:v1"
    client.push(place, ["card.md", "weights"])
    client.attach(place, "sbom.json", artifact_type=TYPE)
    go("cp", "-r", place, "--to-oci-layout", "go-layout:v1", cwd=work)
    client.copy(place, "oci:our-layout:v1", referrers=True)
    digest = client.resolve(place).digest
    blobs = [describe(work / layout / "blobs") for layout in ("go-layout", "our-layout")]
    assert blobs[0] == blobs[1]
    go("cp", "-r", "--from-oci-layout", "our-layout:v1", f"{world.repository}-go:v1", cwd=work)
    client.copy("oci:go-layout:v1", f"{world.repository}-ours:v1", referrers=True)
    for copy in ("go", "ours"):
        target = f"{world.repository}-{copy}:v1"
        assert client.resolve(target).digest == digest
        assert list(client.referrers(target)) == list(client.referrers(place))


def test_index_is_made_in_a_layout(client, go, work):
    for name in ("card.md", "sbom.json"):
        client.push(f"oci:shared:{name}", name)
    go("manifest", "index", "create", "--oci-layout", "shared:go", "card.md", "sbom.json", cwd=work)
    client.index("oci:shared:ours", ["card.md", "sbom.json"])
    assert client.resolve("oci:shared:go").digest == client.resolve("oci:shared:ours").digest


# --- Backups --------------------------------------------------------------------------------


@pytest.fixture
def repository(world, client, work):
    """A repository with two tags and a referrer."""
    client.push(f"{world.repository}:v1", ["card.md", "weights"])
    client.push(f"{world.repository}:v2", "sbom.json")
    client.attach(f"{world.repository}:v1", "sbom.json", artifact_type=TYPE)
    return world.repository


def state(client: oras.Client, repository):
    """The artifacts of a repository by tag, each with its referrers."""
    return {
        tag: (
            client.resolve(f"{repository}:{tag}").digest,
            [one.digest for one in client.referrers(f"{repository}:{tag}")],
        )
        for tag in client.tags(repository)
        if not tag.startswith("sha256-")
    }


@pytest.mark.parametrize("output", ["backup", "backup.tar"])
def test_backup_of_ours_is_restored_by_go(client, go, work, repository, output):
    client.backup(repository, output)
    go("restore", "--input", output, f"{repository}-restored", cwd=work)
    assert state(client, f"{repository}-restored") == state(client, repository)


@pytest.mark.parametrize("output", ["backup", "backup.tar"])
def test_backup_of_go_is_restored_by_ours(client, go, work, repository, output):
    go("backup", "--include-referrers", "--output", output, repository, cwd=work)
    client.restore(output, f"{repository}-restored")
    assert state(client, f"{repository}-restored") == state(client, repository)


def test_tar_files_of_backups_hold_the_same_blobs(client, go, work, repository):
    go("backup", "--include-referrers", "--output", "go.tar", f"{repository}:v1,v2", cwd=work)
    client.backup(repository, "ours.tar")
    blobs = []
    for name in ("go.tar", "ours.tar"):
        with tarfile.open(name) as archive:
            blobs.append({one for one in archive.getnames() if one.startswith("blobs/sha256/")})
    lists = {
        f"blobs/sha256/{client.resolve(f'{repository}:{tag}').digest.encoded}"
        for tag in client.tags(repository)
        if tag.startswith("sha256-")
    }
    assert blobs[0] - lists == blobs[1] - lists
