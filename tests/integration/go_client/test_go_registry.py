"""Go's `oras` as a client of the registries, and what both clients do without files."""

from __future__ import annotations

import json

import pytest
from attrs import evolve

import oras
from oras_adapters.registry_server import RegistryServer
from oras_core.errors import NotFoundError
from oras_core.testing import EmbeddedRegistry, TokenService
from support.trees import describe

TYPE = "application/vnd.example.model"
USER, PASSWORD = "alice", "open sesame"


@pytest.fixture
def place(world):
    return f"{world.repository}:v1"


def test_round_of_go_alone(world, place, go, work, tmp_path):
    go("push", place, "card.md", "weights", "--artifact-type", TYPE, cwd=work)
    go("attach", place, "sbom.json", "--artifact-type", f"{TYPE}.sbom", cwd=work)
    go("cp", "-r", place, f"{world.repository}-copy:v1")
    listed = go.json("discover", f"{world.repository}-copy:v1", "--format", "json")["referrers"]
    assert [one["artifactType"] for one in listed] == [f"{TYPE}.sbom"]
    go("pull", f"{world.repository}-copy:v1", "-o", tmp_path / "out")
    found = describe(tmp_path / "out")
    assert found == {name: what for name, what in describe(work).items() if name in found}
    go("manifest", "delete", "--force", f"{world.repository}-copy@{listed[0]['digest']}")
    after = go.json("discover", f"{world.repository}-copy:v1", "--format", "json")
    assert after.get("referrers", []) == []
    digest = go("resolve", place).strip()
    go("manifest", "delete", "--force", f"{world.repository}@{digest}")
    with pytest.raises(RuntimeError, match="not found"):
        go("resolve", place)
    assert f"{world.repository}-copy".partition("/")[2] in go("repo", "ls", world.address).split()


def test_blob_of_go(world, place, client, go, work):
    content = bytes(range(256)) * 20_000
    (work / "blob").write_bytes(content)
    pushed = go.json("blob", "push", "--descriptor", world.repository, "blob", cwd=work)
    assert pushed["size"] == len(content)
    reference = f"{world.repository}@{pushed['digest']}"
    go("blob", "fetch", "--output", "fetched", reference, cwd=work)
    assert (work / "fetched").read_bytes() == content
    client.push(f"{world.repository}:other", "card.md")
    with world.recording() as requests:
        client.push(place, "blob")
    assert not [one for one in requests if one.startswith("POST")]
    assert client.read(place, "blob") == content
    go("blob", "delete", "--force", reference)
    with pytest.raises(RuntimeError):
        go("blob", "fetch", "--output", "gone", reference, cwd=work)


def test_manifest_of_ours_is_fetched_and_pushed_by_go(world, place, client, go, work):
    root = client.push(place, "card.md")
    fetched = go("manifest", "fetch", place)
    assert fetched.encode() == client.manifest(place).content
    (work / "manifest.json").write_text(fetched)
    go("manifest", "push", f"{world.repository}:again,more", "manifest.json", cwd=work)
    for tag in ("again", "more"):
        assert client.resolve(f"{world.repository}:{tag}").digest == root.digest
    described = go.json("manifest", "fetch", "--descriptor", place)
    assert (described["digest"], described["size"]) == (str(root.digest), root.size)


def test_artifact_deleted_by_one_is_gone_for_the_other(world, client, go, work):
    for tag in ("v1", "v2"):
        (work / "card.md").write_text(tag)
        client.push(f"{world.repository}:{tag}", "card.md")
    go("manifest", "delete", "--force", f"{world.repository}:v1")
    assert not client.exists(f"{world.repository}:v1")
    client.delete(f"{world.repository}:v2")
    with pytest.raises(RuntimeError, match="not found"):
        go("resolve", f"{world.repository}:v2")


def test_errors_agree_about_what_is_missing(world, client, go):
    with pytest.raises(RuntimeError):
        go("repo", "tags", world.repository)
    with pytest.raises(NotFoundError):
        list(client.tags(world.repository))


class Paging:
    """The embedded registry, which gives three names at a time."""

    def __init__(self) -> None:
        self._registry = EmbeddedRegistry()

    def send(self, request):
        path, _, query = request.url.partition("?")
        if path.endswith(("/tags/list", "/_catalog")):
            request = evolve(request, url=f"{path}?n=3&{query}")
        return self._registry.send(request)


def test_tags_and_repositories_by_pages(client, go, work):
    with RegistryServer(Paging()) as server:
        address = f"localhost:{server.address.rpartition(':')[2]}"
        client.push(f"{address}/many/a:t0", "card.md", tags=[f"t{n}" for n in range(1, 10)])
        for name in "bcdefgh":
            client.copy(f"{address}/many/a:t0", f"{address}/many/{name}:t0")
        tags = [f"t{n}" for n in range(10)]
        assert go("repo", "tags", f"{address}/many/a").split() == tags
        assert list(client.tags(f"{address}/many/a")) == tags
        repositories = [f"many/{name}" for name in "abcdefgh"]
        assert go("repo", "ls", address).split() == repositories
        assert list(client.repositories(address)) == repositories
        assert go("repo", "tags", f"{address}/many/a", "--last", "t6").split() == tags[7:]


# --- Logins ---------------------------------------------------------------------------------


@pytest.fixture(params=["basic", "token"])
def guarded(request):
    """The address of a registry that demands a login."""
    users = {USER: PASSWORD}
    basic = request.param == "basic"
    registry = EmbeddedRegistry(
        users=users if basic else None, token_service=None if basic else TokenService(users)
    )
    with RegistryServer(registry) as server:
        yield f"localhost:{server.address.rpartition(':')[2]}"


@pytest.fixture
def one_configuration(go_home, monkeypatch):
    """Both clients read the configuration of docker in the home folder of the programs."""
    monkeypatch.setenv("DOCKER_CONFIG", str(go_home))
    return go_home / "config.json"


def test_login_of_go_is_found_by_ours(guarded, one_configuration, go, work):
    go("login", guarded, "--username", USER, "--password-stdin", stdin=PASSWORD)
    with oras.Client() as client:
        client.push(f"{guarded}/team/model:v1", "card.md")
        assert client.logout(guarded)
    with pytest.raises(RuntimeError, match=r"(?i)unauthorized|credential not found"):
        go("push", f"{guarded}/team/model:v1", "card.md", cwd=work)


def test_login_of_ours_is_found_by_go(guarded, one_configuration, go, work):
    with oras.Client() as client:
        client.login(guarded, USER, PASSWORD)
    go("push", f"{guarded}/team/model:v1", "card.md", cwd=work)
    go("logout", guarded)
    assert json.loads(one_configuration.read_bytes()).get("auths", {}) == {}
    with oras.Client() as client:
        assert not client.logout(guarded)
