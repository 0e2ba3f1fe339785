"""Artifacts that one client pushes and the other pulls: this library and Go's `oras`."""

from __future__ import annotations

import json

import pytest

from oras_core import AnnotationSet, Platform
from oras_core.errors import NotFoundError
from support.trees import describe

TYPE = "application/vnd.example.model"
CREATED = "org.opencontainers.image.created"
DIGEST, UNPACK = "io.deis.oras.content.digest", "io.deis.oras.content.unpack"


@pytest.fixture
def place(world):
    return f"{world.repository}:v1"


def contents(folder, *names):
    """Return what `describe` finds of these files and folders."""
    found = describe(folder)
    return {path: what for path, what in found.items() if path.split("/")[0] in names}


def test_go_pulls_what_ours_has_pushed(place, client, go, work, tmp_path):
    client.push(place, ["card.md:text/markdown", "weights"], artifact_type=TYPE)
    go("pull", place, "--output", tmp_path / "out")
    assert describe(tmp_path / "out") == contents(work, "card.md", "weights")


def test_ours_pulls_what_go_has_pushed(place, client, go, work, tmp_path):
    go("push", place, "card.md:text/markdown", "weights", "--artifact-type", TYPE, cwd=work)
    pulled = client.pull(place, tmp_path / "out")
    assert describe(tmp_path / "out") == contents(work, "card.md", "weights")
    assert [path.name for path in pulled.files] == ["card.md", "weights"]
    assert pulled.manifest.artifact_type == TYPE


@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_go_does_not_unpack_folders_without_gzip(place, client, go, work, compression, tmp_path):
    client.push(place, "weights", compression=compression)
    with pytest.raises(RuntimeError, match="gzip: invalid header"):
        go("pull", place, "--output", tmp_path / "out")


def test_manifests_for_one_file_differ_by_the_time_only(world, client, go, work):
    ours, theirs = f"{world.repository}:ours", f"{world.repository}:go"
    options = ["--artifact-type", TYPE, "--annotation", "k=v"]
    go("push", theirs, "card.md:text/markdown", *options, cwd=work)
    client.push(ours, "card.md:text/markdown", artifact_type=TYPE, annotations={"k": "v"})
    documents = [json.loads(client.manifest(one).content) for one in (ours, theirs)]
    assert documents[1]["annotations"].pop(CREATED)
    assert documents[0] == documents[1]
    time = "2026-01-02T03:04:05Z"
    go("push", theirs, "card.md:text/markdown", *options, "-a", f"{CREATED}={time}", cwd=work)
    client.push(
        ours,
        "card.md:text/markdown",
        artifact_type=TYPE,
        annotations={"k": "v", CREATED: time},
    )
    assert client.resolve(ours).digest == client.resolve(theirs).digest


def test_default_media_types_are_the_same(world, client, go, work):
    go("push", f"{world.repository}:go", "card.md", "weights", cwd=work)
    client.push(f"{world.repository}:ours", ["card.md", "weights"])
    ours, theirs = (client.manifest(f"{world.repository}:{tag}") for tag in ("ours", "go"))
    assert ours.artifact_type == theirs.artifact_type
    assert ours.config == theirs.config
    assert [one.media_type for one in ours.layers] == [one.media_type for one in theirs.layers]
    folders = [manifest.layers[1].annotations for manifest in (ours, theirs)]
    assert [set(one) for one in folders] == [{DIGEST, UNPACK, "org.opencontainers.image.title"}] * 2


def test_config_and_annotation_files(world, client, go, work):
    (work / "config.json").write_text('{"layers": 3}')
    given = {"$manifest": {"m": "1"}, "$config": {"c": "2"}, "card.md": {"l": "3"}}
    (work / "annotations.json").write_text(json.dumps(given))
    options = ["--config", f"config.json:{TYPE}", "--annotation-file", "annotations.json"]
    go("push", f"{world.repository}:go", "card.md", *options, cwd=work)
    client.push(
        f"{world.repository}:ours",
        "card.md",
        config=f"config.json:{TYPE}",
        annotations=AnnotationSet.parse((work / "annotations.json").read_bytes()),
    )
    documents = [
        json.loads(client.manifest(f"{world.repository}:{tag}").content) for tag in ("ours", "go")
    ]
    assert documents[1]["annotations"].pop(CREATED)
    assert documents[0] == documents[1]
    assert documents[0]["config"]["annotations"] == {"c": "2"}
    assert client.config(f"{world.repository}:go").content == b'{"layers": 3}'
    assert go("manifest", "fetch-config", f"{world.repository}:ours") == '{"layers": 3}'


def test_several_tags_by_one_push(world, client, go, work):
    go("push", f"{world.repository}:v1,v2", "card.md", cwd=work)
    client.push(f"{world.repository}:v3", "card.md", tags=["v4", "v5"])
    client.tag(f"{world.repository}:v1", "v6")
    go("tag", f"{world.repository}:v3", "v7", "v8")
    listed = sorted(go("repo", "tags", world.repository).split())
    assert listed == sorted(client.tags(world.repository)) == [f"v{n}" for n in range(1, 9)]
    assert client.resolve(f"{world.repository}:v7") == client.resolve(f"{world.repository}:v5")


# --- Referrers ------------------------------------------------------------------------------


def test_referrers_of_both_clients_are_found_by_both(world, place, client, go, work):
    client.push(place, "card.md")
    attach = ["attach", place, "--artifact-type"]
    go(*attach, "application/vnd.example.go", "sbom.json:application/json", cwd=work)
    client.attach(place, "sbom.json", artifact_type="application/vnd.example.ours")
    go(*attach, "application/vnd.example.go2", "--annotation", "k=v", cwd=work)
    client.attach(place, (), artifact_type="application/vnd.example.ours2", annotations={"k": "v"})
    found = {one.artifact_type: str(one.digest) for one in client.referrers(place)}
    theirs, own = (
        go.json("manifest", "fetch", f"{world.repository}@{found[kind]}")
        for kind in ("application/vnd.example.go2", "application/vnd.example.ours2")
    )
    assert (own["layers"], own["config"]) == (theirs["layers"], theirs["config"])
    listed = go.json("discover", place, "--format", "json")["referrers"]
    assert {one["artifactType"]: one["digest"] for one in listed} == found
    assert sorted(found) == [
        f"application/vnd.example.{one}" for one in ("go", "go2", "ours", "ours2")
    ]
    for kind, digest in found.items():
        only = go.json("discover", place, "--format", "json", "--artifact-type", kind)
        assert [one["digest"] for one in only["referrers"]] == [digest]
        assert [str(one.digest) for one in client.referrers(place, artifact_type=kind)] == [digest]


def test_tree_of_both_clients_is_listed_by_both(world, place, client, go, work):
    client.push(place, "card.md")
    first = client.attach(place, "sbom.json", artifact_type=TYPE)
    go("attach", f"{world.repository}@{first.digest}", "card.md", "--artifact-type", TYPE, cwd=work)
    (second,) = client.referrers(f"{world.repository}@{first.digest}")
    client.attach(f"{world.repository}@{second.digest}", "card.md", artifact_type=TYPE)
    ours = [str(one.digest) for one in client.referrers(place, recursive=True)]
    listed = go.json("discover", place, "--format", "json")

    def below(node):
        return [d for one in node.get("referrers", ()) for d in (one["digest"], *below(one))]

    assert below(listed) == ours
    assert len(ours) == 3


def test_deleted_referrers_vanish_for_both(world, place, client, go, work):
    client.push(place, "card.md")
    for kind in ("one", "two", "three"):
        go("attach", place, "sbom.json", "--artifact-type", f"{TYPE}.{kind}", cwd=work)
    one, two, three = (
        client.referrers(place, artifact_type=f"{TYPE}.{k}") for k in ("one", "two", "three")
    )
    client.delete(f"{world.repository}@{next(one).digest}")
    go("manifest", "delete", "--force", f"{world.repository}@{next(two).digest}")
    left = next(three).digest
    assert [found.digest for found in client.referrers(place)] == [left]
    listed = go.json("discover", place, "--format", "json")["referrers"]
    assert [found["digest"] for found in listed] == [str(left)]


def test_ours_finds_the_list_that_go_forces(world, place, client, go, work):
    """Only the list is written, although the embedded registry has the API, too."""
    client.push(place, "card.md")
    spec = ["--distribution-spec", "v1.1-referrers-tag"]
    go("attach", place, "sbom.json", "--artifact-type", TYPE, *spec, cwd=work)
    (found,) = client.referrers(place)
    assert found.artifact_type == TYPE
    listed = go.json("discover", place, "--format", "json", *spec)["referrers"]
    assert [one["digest"] for one in listed] == [str(found.digest)]


# --- Copies ---------------------------------------------------------------------------------


def test_recursive_copies_are_the_same(world, place, client, go, work):
    client.push(place, "card.md")
    client.attach(place, "sbom.json", artifact_type=TYPE)
    go("cp", "-r", place, f"{world.repository}-go:v1")
    client.copy(place, f"{world.repository}-ours:v1", referrers=True)
    for copy in ("go", "ours"):
        target = f"{world.repository}-{copy}:v1"
        assert client.resolve(target).digest == client.resolve(place).digest
        assert list(client.referrers(target)) == list(client.referrers(place))
        listed = go.json("discover", target, "--format", "json")["referrers"]
        assert [one["digest"] for one in listed] == [str(d.digest) for d in client.referrers(place)]


# --- Indexes and platforms ------------------------------------------------------------------


@pytest.fixture
def images(world, go, work):
    """Two artifacts with platforms in their configs, by Go's client."""
    for arch in ("amd64", "arm64"):
        (work / "arch").write_text(arch)
        options = ["--artifact-type", TYPE, "--artifact-platform", f"linux/{arch}"]
        go("push", f"{world.repository}:{arch}", "arch", *options, cwd=work)
    return [f"{world.repository}:{arch}" for arch in ("amd64", "arm64")]


def test_indexes_are_the_same(world, client, go, images):
    options = ["--annotation", "k=v", "--artifact-type", TYPE]
    go("manifest", "index", "create", f"{world.repository}:go", "amd64", "arm64", *options)
    client.index(
        f"{world.repository}:ours",
        ["amd64", "arm64"],
        annotations={"k": "v"},
        artifact_type=TYPE,
    )
    documents = [
        json.loads(client.manifest(f"{world.repository}:{tag}").content) for tag in ("ours", "go")
    ]
    assert documents[0] == documents[1]
    assert client.resolve(f"{world.repository}:ours") == client.resolve(f"{world.repository}:go")


def test_updated_indexes_are_the_same(world, client, go, images, work):
    client.push(f"{world.repository}:third", "card.md")
    client.index(f"{world.repository}:go", ["amd64", "arm64"])
    client.tag(f"{world.repository}:go", "ours")
    gone = client.resolve(images[0]).digest
    update = ["manifest", "index", "update", f"{world.repository}:go"]
    go(*update, "--add", "third", "--remove", str(gone))
    client.update_index(f"{world.repository}:ours", add="third", remove=str(gone))
    client.index(f"{world.repository}:more", ["amd64"])
    assert client.resolve(f"{world.repository}:ours") == client.resolve(f"{world.repository}:go")
    go(*update, "--merge", "more", "--tag", "further")
    client.update_index(f"{world.repository}:ours", merge="more")
    assert client.resolve(f"{world.repository}:ours") == client.resolve(f"{world.repository}:go")
    assert client.resolve(f"{world.repository}:further") == client.resolve(f"{world.repository}:go")


def test_platforms_select_the_same_artifact(world, client, go, images, tmp_path):
    index = f"{world.repository}:multi"
    client.index(index, ["amd64", "arm64"])
    for place, arch in zip(images, ("amd64", "arm64"), strict=True):
        digest = go("resolve", index, "--platform", f"linux/{arch}").strip()
        assert digest == str(client.resolve(index, platform=f"linux/{arch}").digest)
        assert digest == str(client.resolve(place).digest)
        go("pull", index, "--platform", f"linux/{arch}", "-o", tmp_path / f"go-{arch}")
        client.pull(index, tmp_path / f"ours-{arch}", platform=f"linux/{arch}")
        for name in ("go", "ours"):
            assert (tmp_path / f"{name}-{arch}" / "arch").read_text() == arch
    with pytest.raises(NotFoundError):
        client.resolve(index, platform="linux/s390x")
    with pytest.raises(RuntimeError):
        go("resolve", index, "--platform", "linux/s390x")
    entries = client.manifest(index).manifests
    assert [one.platform for one in entries] == [
        Platform(os="linux", architecture=arch) for arch in ("amd64", "arm64")
    ]
