"""Real registries and other clients: one of each per session and worker."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import docker_registry
from support.docker_registry import DockerRegistry, RegistryConfig
from support.peer_oras import peer_python
from support.skopeo import Skopeo, isolated_skopeo

USERS = {"writer": "writer-secret", "reader": "reader-secret"}


@pytest.fixture(scope="session")
def registry_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's registries keep their files while they run."""
    return tmp_path_factory.mktemp("registries")


@pytest.fixture(scope="session")
def open_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry without any login, over plain HTTP."""
    with docker_registry.open_registry(registry_directory) as registry:
        yield registry


@pytest.fixture(params=[False, True], ids=["no cache", "cache"])
def shared_registry(request, registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry for many processes, without and with a cache of blob descriptors (R37)."""
    config = RegistryConfig(registry_directory, caches_descriptors=request.param)
    with DockerRegistry(config) as registry:
        yield registry


@pytest.fixture(scope="session")
def htpasswd_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry that demands Basic credentials."""
    with docker_registry.htpasswd_registry(registry_directory, USERS) as registry:
        yield registry


@pytest.fixture(scope="session")
def token_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry that demands bearer tokens from `token_registry.token_server`."""
    with docker_registry.token_registry(registry_directory, USERS) as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """An open registry over HTTPS, to be trusted by `tls_registry.ca_file`."""
    with docker_registry.tls_registry(registry_directory) as registry:
        yield registry


@pytest.fixture(scope="session")
def mutual_tls_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry over HTTPS that demands `mutual_tls_registry.client_certificate`."""
    with docker_registry.mutual_tls_registry(registry_directory) as registry:
        yield registry


@pytest.fixture(scope="session")
def tls_token_registry(registry_directory: Path) -> Iterator[DockerRegistry]:
    """A registry that demands bearer tokens, all over HTTPS."""
    with docker_registry.tls_token_registry(registry_directory, USERS) as registry:
        yield registry


@pytest.fixture
def repository_name() -> str:
    """A repository that no other test uses."""
    return f"tests/{uuid.uuid4().hex}"


@pytest.fixture
def skopeo(tmp_path: Path) -> Skopeo:
    """`skopeo("copy", source, destination)`, which returns the standard output."""
    home = tmp_path / "skopeo"
    home.mkdir()
    return isolated_skopeo(home)


@pytest.fixture(scope="session")
def peer_oras(pytestconfig: pytest.Config) -> Path:
    """The interpreter of the PyPI package `oras`, for `support.peer_oras.run_peer`."""
    return peer_python(Path(pytestconfig.cache.mkdir("oras-peer")))
