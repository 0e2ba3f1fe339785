"""Artifacts that are put into a registry before a pull, and examined after a push."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
from pathlib import Path

import oras.client
from side_by_side.clients.client import REPOSITORY, TAG
from side_by_side.clients.manifest import MANIFEST_TYPE
from side_by_side.material import Content, files_in, hash_file
from side_by_side.measuring import ClientError
from support.docker_registry import DockerRegistry

_DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def fill(registry: DockerRegistry, content: Content) -> None:
    """Push a content, for all clients to pull."""
    verify = str(registry.ca_file) if registry.ca_file else True
    client = oras.client.OrasClient(insecure=registry.ca_file is None, tls_verify=verify)
    client.push(
        target=f"{registry.address}/{REPOSITORY}:{TAG}",
        files=[str(path) for path in content.paths],
        disable_path_validation=True,
        quiet=True,
    )


def multiply_tag(storage: Path, count: int) -> None:
    """Make `count` tags of the one that is there: in the storage, since pushing takes long."""
    tags = storage / "docker/registry/v2/repositories" / REPOSITORY / "_manifests/tags"
    for number in range(1, count):
        shutil.copytree(tags / TAG, tags / f"tag-{number:05}")


def check_pushed(registry: DockerRegistry, content: Content) -> None:
    """Check that the manifest names the pushed files.

    Raises:
        ClientError: it does not, or there is none.
    """
    if registry.ca_file is None:
        connection = http.client.HTTPConnection(registry.address, timeout=30)
    else:
        context = ssl.create_default_context(cafile=registry.ca_file)
        connection = http.client.HTTPSConnection(registry.address, timeout=30, context=context)
    try:
        accepted = {"Accept": f"{MANIFEST_TYPE}, {_DOCKER_MANIFEST_TYPE}"}
        connection.request("GET", f"/v2/{REPOSITORY}/manifests/{TAG}", headers=accepted)
        answer = connection.getresponse()
        document = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise ClientError(f"has pushed no manifest: {document}")
    there = {layer["digest"].removeprefix("sha256:") for layer in document["layers"]}
    wanted = set() if content.is_folder else set(content.digests().values())
    if not there or not wanted <= there:
        raise ClientError("has pushed something else")


def check_pulled(output: Path, content: Content) -> None:
    """See that all files are there; clients that know no titles may name them as they like.

    Raises:
        ClientError: one is missing or wrong.
    """
    there = {hash_file(path) for path in files_in(output)}
    if not set(content.digests().values()) <= there:
        raise ClientError("has pulled something else")
