"""The registries that stand for those of the guide: its docker commands cannot run here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from oras_adapters.registry_server import RegistryServer
from oras_core.model.media_types import OCI_INDEX
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.registry import RemoteRegistry
from oras_core.testing import EmbeddedRegistry
from support import docker_registry

# "myuser" with the password of the guide's calls of `login`.
USERS = {"myuser": "myuser"}
TAGGED = "channel-mirrors/conda-forge/linux-aarch64/arrow-cpp"
TAGS = 1100
PAGE = 400
EMPTY_INDEX = b'{"schemaVersion": 2, "mediaType": "%s", "manifests": []}' % OCI_INDEX.encode()


class PagedTags(HttpTransport):
    """A registry that lists a few hundred tags at a time, whatever it is asked for."""

    def __init__(self, registry: HttpTransport) -> None:
        self._registry = registry

    def send(self, request: HttpRequest) -> HttpResponse:
        url, _, query = request.url.partition("?")
        if url.endswith("/tags/list") and f"n={PAGE}" not in query:
            request = HttpRequest(request.method, f"{url}?n={PAGE}", request.headers)
        return self._registry.send(request)


@pytest.fixture(scope="session")
def registries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guide-registries")


@pytest.fixture(scope="session")
def open_registry(registries: Path) -> Iterator[str]:
    with docker_registry.open_registry(registries) as registry:
        yield registry.address


@pytest.fixture(scope="session")
def htpasswd_registry(registries: Path) -> Iterator[str]:
    with docker_registry.htpasswd_registry(registries, USERS) as registry:
        yield registry.address


@pytest.fixture(scope="session")
def token_registry(registries: Path) -> Iterator[str]:
    with docker_registry.token_registry(registries, USERS) as registry:
        yield registry.address


@pytest.fixture(scope="session")
def tags_registry() -> Iterator[str]:
    """Stands for the registry with conda-forge's packages: one repository, very many tags."""
    embedded = EmbeddedRegistry()
    repository = RemoteRegistry("registry.test", embedded).repository(TAGGED)
    for number in range(TAGS):
        repository.push_manifest(EMPTY_INDEX, OCI_INDEX, f"v{number:04}")
    with RegistryServer(PagedTags(embedded)) as server:
        yield server.address
