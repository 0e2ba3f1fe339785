"""crane as another client of the same registries: it reads ours, and ours reads what it wrote."""

from __future__ import annotations

import json
import tarfile

import pytest

import oras
from oras_core import Platform
from support.trees import describe

TYPE = "application/vnd.example.model"


@pytest.fixture
def place(world, client, work):
    client.push(f"{world.repository}:v1", ["card.md", "weights"], artifact_type=TYPE)
    return f"{world.repository}:v1"


@pytest.fixture
def image(world, crane, work):
    """An image of one layer for linux/amd64, written by crane."""
    with tarfile.open("layer.tar", "w") as archive:
        archive.add("card.md")
    place = f"{world.repository}-image:v1"
    crane("append", "--new_layer", "layer.tar", "--new_tag", place, cwd=work)
    return place


def test_crane_reads_what_ours_has_pushed(world, place, client, crane):
    root = client.resolve(place)
    assert crane("digest", place).strip() == str(root.digest)
    assert crane("manifest", place).encode() == client.manifest(place).content
    assert crane("config", place).encode() == client.config(place).content
    client.tag(place, "v2")
    assert sorted(crane("ls", world.repository).split()) == ["v1", "v2"]
    layer = client.manifest(place).layers[0]
    assert crane("blob", f"{world.repository}@{layer.digest}") == "# A model\n"
    assert world.repository.partition("/")[2] in crane("catalog", world.address).split()


def test_crane_copies_what_ours_has_pushed(world, place, client, crane, tmp_path):
    crane("copy", place, f"{world.repository}-copy:v1")
    assert client.resolve(f"{world.repository}-copy:v1").digest == client.resolve(place).digest
    client.pull(f"{world.repository}-copy:v1", tmp_path / "out")
    client.pull(place, tmp_path / "expected")
    assert describe(tmp_path / "out") == describe(tmp_path / "expected")


def test_ours_copies_the_image_of_crane(world, image, client, crane, work):
    copy = f"{world.repository}-copy:v1"
    client.copy(image, copy)
    client.copy(image, "oci:layout:v1")
    client.copy("oci:layout:v1", f"{world.repository}-back:v1")
    for place in (copy, f"{world.repository}-back:v1"):
        crane("validate", "--remote", place)
        assert crane("digest", place) == crane("digest", image)
    crane("export", copy, "files.tar", cwd=work)
    with tarfile.open("files.tar") as archive:
        assert archive.extractfile("card.md").read() == b"# A model\n"
    config = json.loads(client.config(image).content)
    assert config == json.loads(crane("config", copy))


def test_crane_pulls_a_layout_from_which_ours_pushes(world, image, client, crane, work):
    crane("pull", "--format", "oci", image, "layout", cwd=work)
    (entry,) = json.loads((work / "layout" / "index.json").read_bytes())["manifests"]
    client.copy(f"oci:layout@{entry['digest']}", f"{world.repository}-copy:v1")
    assert crane("digest", f"{world.repository}-copy:v1") == crane("digest", image)


def test_crane_pushes_the_layout_that_ours_has_written(world, image, client, crane, work):
    client.copy(image, "oci:layout:v1")
    crane("push", "layout", f"{world.repository}-copy:v1", cwd=work)
    assert crane("digest", f"{world.repository}-copy:v1") == crane("digest", image)


def test_indexes_of_both_are_the_same_images(world, image, client, crane):
    repository = f"{world.repository}-image"
    crane("mutate", image, "--tag", f"{repository}:arm64", "--set-platform", "linux/arm64")
    append = ["index", "append", "--manifest", f"{repository}:v1"]
    crane(*append, "--manifest", f"{repository}:arm64", "--tag", f"{repository}:crane")
    client.index(f"{repository}:ours", ["v1", "arm64"])
    theirs, ours = (client.manifest(f"{repository}:{tag}").manifests for tag in ("crane", "ours"))
    assert [one.digest for one in ours] == [one.digest for one in theirs]
    arm = client.resolve(f"{repository}:arm64")
    for index in ("crane", "ours"):
        chosen = client.resolve(f"{repository}:{index}", platform="linux/arm64")
        assert chosen.digest == arm.digest
        digest = crane("digest", "--platform", "linux/arm64", f"{repository}:{index}").strip()
        assert digest == str(arm.digest)
        crane("validate", "--remote", f"{repository}:{index}")
    assert ours[1].platform == Platform(os="linux", architecture="arm64")


def test_index_of_crane_is_copied_whole(world, image, client, crane):
    repository = f"{world.repository}-image"
    crane("index", "append", "--manifest", image, "--tag", f"{repository}:all")
    client.copy(f"{repository}:all", f"{world.repository}-copy:all")
    assert crane("digest", f"{world.repository}-copy:all") == crane("digest", f"{repository}:all")
    crane("validate", "--remote", f"{world.repository}-copy:all")


def test_tags_and_deletions_of_crane_are_seen(world, place, client, crane):
    crane("tag", place, "v2")
    assert client.resolve(f"{world.repository}:v2").digest == client.resolve(place).digest
    crane("delete", f"{world.repository}@{client.resolve(place).digest}")
    assert not client.exists(f"{world.repository}:v1")


def test_login_of_crane_is_found_by_ours(go_home, monkeypatch, crane, htpasswd_registry):
    monkeypatch.setenv("DOCKER_CONFIG", str(go_home))
    address = f"localhost:{htpasswd_registry.address.rpartition(':')[2]}"
    login = ["--username", htpasswd_registry.username, "--password-stdin"]
    crane("auth", "login", address, *login, stdin=htpasswd_registry.password)
    with oras.Client() as client:
        assert list(client.repositories(address)) == crane("catalog", address).split()
        crane("auth", "logout", address)
        assert not client.logout(address)
