"""Push and pull as users do it, against a real registry and the embedded one."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import oras.client
import oras.utils
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.docker_registry import DockerRegistry
from support.processes import run_python
from support.skopeo import Skopeo
from support.trees import describe, file_digest, make_big_file, make_folder


@pytest.fixture(scope="module")
def embedded_address() -> Iterator[str]:
    with RegistryServer(EmbeddedRegistry()) as server:
        yield server.address


@pytest.fixture(params=["docker-registry", "embedded"])
def address(request: pytest.FixtureRequest) -> str:
    if request.param == "embedded":
        return request.getfixturevalue("embedded_address")
    return request.getfixturevalue("open_registry").address


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "source"
    folder.mkdir()
    with oras.utils.workdir(str(folder)):
        yield folder


@pytest.fixture
def client() -> oras.client.OrasClient:
    return oras.client.OrasClient()


def round_trip(client, target: str, names: list[str], out: Path) -> list[str]:
    client.push(target=target, files=names)
    return client.pull(target=target, outdir=str(out))


def test_push_and_pull_of_one_file(client, address, repository_name, source, tmp_path):
    (source / "artifact.txt").write_text("hello dinosaur\n")
    target = f"{address}/{repository_name}:v1"
    response = client.push(target=target, files=["artifact.txt"])
    assert repr(response) == "<Response [201]>"
    assert response.headers["docker-content-digest"].startswith("sha256:")
    paths = client.pull(target=target, outdir=str(tmp_path / "out"))
    assert paths == [str(tmp_path / "out" / "artifact.txt")]
    assert describe(tmp_path / "out") == describe(source)


def test_push_and_pull_of_two_hundred_files(client, address, repository_name, source, tmp_path):
    names = [f"file-{number:03}.bin" for number in range(200)]
    for number, name in enumerate(names):
        (source / name).write_bytes(os.urandom(100 + number))
    out = tmp_path / "out"
    paths = round_trip(client, f"{address}/{repository_name}:v1", names, out)
    assert paths == [str(out / name) for name in names]
    assert describe(out) == describe(source)


def test_push_and_pull_of_a_folder_with_every_kind_of_entry(
    client, address, repository_name, source, tmp_path
):
    make_folder(source / "bundle")
    out = tmp_path / "out"
    paths = round_trip(client, f"{address}/{repository_name}:v1", ["bundle"], out)
    assert paths == [str(out / "bundle")]
    assert describe(out) == describe(source)


def test_push_and_pull_of_names_with_spaces_and_non_ascii_letters(
    client, address, repository_name, source, tmp_path
):
    names = ["with space.txt", "Größe.txt", "大小.bin", "emoji 🦕.txt"]
    for name in names:
        (source / name).write_text(name, "utf-8")
    out = tmp_path / "out"
    round_trip(client, f"{address}/{repository_name}:v1", names, out)
    assert describe(out) == describe(source)


@pytest.mark.long
def test_push_and_pull_of_a_file_of_256_mib(client, address, repository_name, source, tmp_path):
    make_big_file(source / "big.bin", 256 * 1024 * 1024)
    out = tmp_path / "out"
    round_trip(client, f"{address}/{repository_name}:v1", ["big.bin"], out)
    assert file_digest(out / "big.bin") == file_digest(source / "big.bin")


def test_skopeo_reads_a_pushed_artifact(
    client, open_registry: DockerRegistry, repository_name, source, tmp_path, skopeo: Skopeo
):
    make_folder(source / "bundle")
    (source / "artifact.txt").write_text("hello\n")
    target = f"{open_registry.address}/{repository_name}:v1"
    response = client.push(target=target, files=["artifact.txt", "bundle"])

    raw = skopeo("inspect", "--raw", f"docker://{target}")
    manifest = json.loads(raw)
    assert manifest == client.get_manifest(target)
    assert client.get_manifest(target).content == raw.encode()

    copied = tmp_path / "skopeo-dir"
    skopeo("copy", f"docker://{target}", f"dir:{copied}")
    for layer in [manifest["config"], *manifest["layers"]]:
        assert file_digest(copied / layer["digest"].removeprefix("sha256:")) == layer["digest"]
    assert file_digest(copied / "manifest.json") == response.headers["Docker-Content-Digest"]


PUSH_ELSEWHERE = """
import os, sys
folder, umask, seconds, target = sys.argv[1:]
os.umask(int(umask, 8))
os.chdir(folder)
import pathlib
bundle = pathlib.Path("bundle")
bundle.mkdir()
(bundle / "b").mkdir()
for name in sorted(["one", "b/two", "a"], reverse=umask == "077"):
    (bundle / name).write_text(name)
    os.utime(bundle / name, (int(seconds), int(seconds)))
(bundle / "one").chmod(0o700 if umask == "077" else 0o755)
pathlib.Path("file.txt").write_text("same")
os.utime("file.txt", (int(seconds), int(seconds)))
import oras.client
client = oras.client.OrasClient()
response = client.push(target=target, files=["file.txt", "bundle"], quiet=True)
print(response.headers["Docker-Content-Digest"])
"""


def test_push_is_reproducible(address, repository_name, tmp_path, client):
    digests = []
    for folder, umask, seconds in (("one", "022", "1000000000"), ("another", "077", "1700000000")):
        (tmp_path / folder).mkdir()
        target = f"{address}/{repository_name}:{folder}"
        printed = run_python("-c", PUSH_ELSEWHERE, str(tmp_path / folder), umask, seconds, target)
        digests.append(printed.strip())
    assert digests[0] == digests[1]
    one, another = (
        client.get_manifest(f"{address}/{repository_name}:{t}") for t in ("one", "another")
    )
    assert one == another


def test_tags_are_listed(client, address, repository_name, source):
    (source / "artifact.txt").write_text("hello\n")
    for tag in ("v1", "v2", "v3"):
        client.push(target=f"{address}/{repository_name}:{tag}", files=["artifact.txt"], quiet=True)
    assert sorted(client.get_tags(f"{address}/{repository_name}")) == ["v1", "v2", "v3"]
    assert len(client.get_tags(f"{address}/{repository_name}", N=2)) == 2
    assert client.get_tags(f"{address}/{repository_name}", N=0) == []
