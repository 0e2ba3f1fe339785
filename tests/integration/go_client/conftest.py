"""Go's `oras` and crane, and the registries that they share with this library."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import field, frozen

import oras
from oras_adapters.registry_server import RegistryServer
from oras_core.testing import EmbeddedRegistry
from support.go_client import GoProgram, go_program
from support.trees import make_folder

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests of this folder unless they are asked for: they need two programs."""
    if os.environ.get("ORAS_GO_CLIENT"):
        return
    needs = (
        "needs Go's oras and crane (Debian 14: apt-get install oras crane); run tox -e go-client"
    )
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.skip(reason=needs))


@pytest.fixture
def go_home(tmp_path) -> Path:
    """The home folder of the programs."""
    home = tmp_path / "go-home"
    home.mkdir()
    return home


@pytest.fixture
def go(go_home) -> GoProgram:
    """Run Go's `oras`."""
    return go_program("oras", go_home)


@pytest.fixture
def crane(go_home) -> GoProgram:
    """Run crane."""
    return go_program("crane", go_home)


@pytest.fixture
def client() -> Iterator[oras.Client]:
    with oras.Client() as client:
        yield client


class Counting:
    """The embedded registry, which notes its requests."""

    def __init__(self, **options) -> None:
        self._registry = EmbeddedRegistry(**options)
        self._lock = threading.Lock()
        self.requests: list[str] = []

    def send(self, request):
        with self._lock:
            self.requests.append(f"{request.method} {request.url.partition('/v2/')[2]}")
        return self._registry.send(request)


@frozen
class World:
    """A registry that both clients use, by the name that Go's clients take for plain HTTP."""

    kind: str
    address: str
    repository: str
    _registry: object = field(repr=False)

    @contextmanager
    def recording(self) -> Iterator[list[str]]:
        """Collect the requests of the block as `METHOD path`, without the repository."""
        found: list[str] = []
        prefix = self.repository.partition("/")[2]
        if self.kind == "embedded":
            start = len(self._registry.requests)
            yield found
            lines = self._registry.requests[start:]
        else:
            with self._registry.recording() as logged:
                yield found
            lines = [f"{one.method} {one.path.removeprefix('/v2/')}" for one in logged]
        found.extend(line.replace(f"{prefix}/", "", 1) for line in lines)


@pytest.fixture(scope="session")
def counting_server() -> Iterator[tuple[RegistryServer, Counting]]:
    counting = Counting()
    with RegistryServer(counting) as server:
        yield server, counting


@pytest.fixture(params=["docker-registry", "embedded"])
def world(request, repository_name) -> World:
    """A registry without the referrers API, and one that has it."""
    if request.param == "embedded":
        server, registry = request.getfixturevalue("counting_server")
    else:
        registry = server = request.getfixturevalue("open_registry")
    address = f"localhost:{server.address.rpartition(':')[2]}"
    return World(request.param, address, f"{address}/{repository_name}", registry)


@pytest.fixture
def work(tmp_path, monkeypatch) -> Path:
    """The working directory of both clients: two files, and a folder of all kinds of entries."""
    work = tmp_path / "work"
    make_folder(work / "weights")
    (work / "card.md").write_text("# A model\n")
    (work / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    monkeypatch.chdir(work)
    return work
