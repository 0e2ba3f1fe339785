"""How often a registry is asked: what a push and a pull cost where every round trip counts."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

import oras.client
from oras_core.packing import ingestion
from support.docker_registry import DockerRegistry

COUNT = 25


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [tmp_path / f"file-{number:02}.bin" for number in range(COUNT)]
    for path in paths:
        path.write_bytes(os.urandom(1000))
    return [str(path) for path in paths]


@pytest.fixture
def client() -> oras.client.OrasClient:
    return oras.client.OrasClient()


def push(client, target: str, files: list[str]) -> None:
    client.push(target=target, files=files, disable_path_validation=True, quiet=True)


def methods(requests) -> Counter[str]:
    return Counter(request.method for request in requests)


@pytest.mark.parametrize("count", [2, 10, COUNT])
def test_push_takes_two_requests_per_new_file(
    client, open_registry: DockerRegistry, repository_name, files, count
):
    target = f"{open_registry.address}/{repository_name}:v1"
    with open_registry.recording() as requests:
        push(client, target, files[:count])
    # The config is one more blob. HEAD: the manifest, and the config, which others may have
    # pushed (R37). GET: the tags, which show that the repository is new.
    assert methods(requests) == {"HEAD": 2, "GET": 1, "POST": count + 1, "PUT": count + 1 + 1}
    assert len(requests) == 2 * count + 6


@pytest.mark.parametrize("repository", ["new", "existing"])
def test_push_of_one_file_takes_no_list_of_tags(
    client, open_registry: DockerRegistry, repository_name, files, repository
):
    target = f"{open_registry.address}/{repository_name}:v1"
    if repository == "existing":
        push(client, target, files[1:])
        client = oras.client.OrasClient()
    with open_registry.recording() as requests:
        push(client, target, files[:1])
    # HEAD: the manifest, the file and the config, which an existing repository has.
    uploads = 2 if repository == "new" else 1
    assert methods(requests) == {"HEAD": 3, "POST": uploads, "PUT": uploads + 1}


def test_repeated_push_takes_two_requests_and_writes_nothing(
    client, open_registry: DockerRegistry, repository_name, files
):
    target = f"{open_registry.address}/{repository_name}:v1"
    push(client, target, files)
    with open_registry.recording() as requests:
        push(client, target, files)
    assert methods(requests) == {"HEAD": 2}


def test_push_with_one_more_file_uploads_one_blob(
    client, open_registry: DockerRegistry, repository_name, files
):
    target = f"{open_registry.address}/{repository_name}:v1"
    push(client, target, files[1:])
    with open_registry.recording() as requests:
        push(client, target, files)
    # An existing blob is never written again.
    assert methods(requests) == {"HEAD": 1 + COUNT + 1, "POST": 1, "PUT": 1 + 1}


def test_push_by_a_new_client_with_one_more_file_uploads_one_blob(
    client, open_registry: DockerRegistry, repository_name, files
):
    target = f"{open_registry.address}/{repository_name}:v1"
    push(client, target, files[1:])
    with open_registry.recording() as requests:
        push(oras.client.OrasClient(), target, files)
    # GET: at most one list of tags, if a file is looked for before the config is found.
    counted = methods(requests)
    assert counted.pop("GET", 0) <= 1
    assert counted == {"HEAD": 1 + COUNT + 1, "POST": 1, "PUT": 1 + 1}


def test_pull_takes_one_request_per_file_and_one_for_the_manifest(
    client, open_registry: DockerRegistry, repository_name, files, tmp_path
):
    target = f"{open_registry.address}/{repository_name}:v1"
    push(client, target, files)
    with open_registry.recording() as requests:
        client.pull(target=target, outdir=str(tmp_path / "out"))
    assert methods(requests) == {"GET": COUNT + 1}
    with open_registry.recording() as requests:
        client.pull(target=target, outdir=str(tmp_path / "out"))
    assert methods(requests) == {"GET": 1}
    (tmp_path / "out" / "file-00.bin").write_bytes(b"changed")
    with open_registry.recording() as requests:
        client.pull(target=target, outdir=str(tmp_path / "out"))
    assert methods(requests) == {"GET": 2}


def test_push_of_large_files_to_a_new_repository_sends_each_once(
    client, open_registry: DockerRegistry, repository_name, tmp_path, monkeypatch
):
    monkeypatch.setattr(ingestion, "INGESTION_SIZE", 1000)
    paths = [str(tmp_path / name) for name in ("large.bin", "larger.bin")]
    for path in paths:
        Path(path).write_bytes(os.urandom(1000))
    with open_registry.recording() as requests:
        push(client, f"{open_registry.address}/{repository_name}:v1", paths)
    # POST, PATCH and PUT of each file; POST and PUT of the config; PUT of the manifest.
    counted = methods(requests)
    assert (counted["POST"], counted["PATCH"], counted["PUT"]) == (2 + 1, 2, 2 + 1 + 1)


def test_push_of_an_existing_large_file_takes_one_request(
    client, open_registry: DockerRegistry, repository_name, tmp_path, monkeypatch
):
    monkeypatch.setattr(ingestion, "INGESTION_SIZE", 1000)
    (tmp_path / "large.bin").write_bytes(os.urandom(1000))
    target = f"{open_registry.address}/{repository_name}:v1"
    push(client, target, [str(tmp_path / "large.bin")])
    with open_registry.recording() as requests:
        push(client, target, [str(tmp_path / "large.bin")])
    assert methods(requests) == {"GET": 1}


def test_push_requests_one_token(token_registry: DockerRegistry, repository_name, files, tmp_path):
    client = oras.client.OrasClient()
    client.auth.set_basic_auth(token_registry.username, token_registry.password)
    target = f"{token_registry.address}/{repository_name}:v1"
    push(client, target, files)
    with token_registry.recording() as requests, token_registry.token_server.recording() as tokens:
        push(client, target, files)
        client.pull(target=target, outdir=str(tmp_path / "out"))
    assert tokens == []
    assert methods(requests) == {"HEAD": 2, "GET": COUNT + 1}


def test_new_client_is_refused_once(
    token_registry: DockerRegistry, repository_name, files, tmp_path
):
    def stranger():
        client = oras.client.OrasClient()
        client.auth.set_basic_auth(token_registry.username, token_registry.password)
        return client

    target = f"{token_registry.address}/{repository_name}:v1"
    push(stranger(), target, files)
    # The refusal says where tokens are to be had; one serves to look for both.
    with token_registry.recording() as requests, token_registry.token_server.recording() as tokens:
        push(stranger(), target, files)
    assert [request.status for request in requests] == [401, 200, 200]
    assert [token.scopes for token in tokens] == [(f"repository:{repository_name}:pull,push",)]
    out = str(tmp_path / "out")
    stranger().pull(target=target, outdir=out)
    with token_registry.recording() as requests, token_registry.token_server.recording() as tokens:
        stranger().pull(target=target, outdir=out)
    assert [request.status for request in requests] == [401, 200]
    assert len(tokens) == 1
