"""A program by somebody who knows the public packages only: all operations, with both APIs.

Type checkers read it, and tests/integration/test_newcomer.py runs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import oras
from oras_adapters import LocalFileTree, RegistryServer, compose
from oras_core import (
    BytesSource,
    Descriptor,
    File,
    MemoryStore,
    RemoteRegistry,
    RemoteRepository,
    StaticCredentials,
    attach,
    copy,
    discover,
    mirror,
    pull,
    push,
)
from oras_core.ports import Credential, HttpTransport, ReferrerLister, Target
from oras_core.testing import EmbeddedRegistry, MemoryFileTree, Refused

SBOM = "application/spdx+json"


@contextmanager
def server() -> Iterator[str]:
    """Start a registry that is busy at first, and yield its address."""
    busy: HttpTransport = Refused(EmbeddedRegistry(), status=503, retry_after=0, times=1)
    with RegistryServer(busy) as running:
        yield running.address


def with_client(folder: Path) -> list[str]:
    """Use the client with names of artifacts; return what was found."""
    (folder / "card.md").write_text("# A model\n")
    with server() as address, oras.Client() as client:
        model = f"{address}/team/model"
        pushed: Descriptor = client.push(f"{model}:v1", {"card.md": str(folder / "card.md")})
        sbom = File("sbom.json", BytesSource(b"{}"), SBOM)
        client.attach(f"{model}:v1", [sbom], artifact_type=SBOM)
        (found,) = client.referrers(f"{model}:v1", artifact_type=SBOM)
        copied = client.copy(f"{model}:v1", f"{address}/team/copy:v1")
        mirrored = client.mirror(model, f"{address}/team/mirror")
        (pulled,) = client.pull(f"{address}/team/mirror:v1", folder / "out").files
        assert copied.root.digest == pushed.digest
        assert client.read(f"{model}@{found.digest}", "sbom.json") == b"{}"
        return [pulled.read_text(), *mirrored.tags]


def roll_out(source: RemoteRepository, store: Target, destination: Target) -> list[str]:
    """Push, attach, discover, copy and mirror; return the artifact types that were found."""
    pushed = push(source, "v1", File("card.md", BytesSource(b"# A model\n")))
    attach(source, "v1", [File("sbom.json", BytesSource(b"{}"), SBOM)], artifact_type=SBOM)
    assert copy(source, "v1", store).root.digest == pushed.digest
    mirror(source, destination)
    assert isinstance(destination, ReferrerLister)
    assert [one.digest for one in destination.referrers(pushed)]
    found = discover(source, str(pushed.digest)).referrers
    return [one.descriptor.artifact_type or "" for one in found]


def with_core(folder: Path) -> list[str]:
    """Use the operations of the core, over a socket and without one; return what was found."""
    store, tree = MemoryStore(), MemoryFileTree()
    with server() as address, compose() as composition:
        source = composition.repository(f"{address}/team/model")
        found = roll_out(source, store, composition.repository(f"{address}/team/mirror"))

    private = EmbeddedRegistry(users={"ada": "secret"})
    credentials = StaticCredentials(Credential("ada", "secret"))
    registry = RemoteRegistry("registry.test", private, credentials=credentials)
    repository = registry.repository("team/private")
    copy(store, "v1", repository)
    pull(repository, "v1", tree)
    pull(repository, "v1", LocalFileTree(folder))
    assert [str(entry.path) for entry in tree.entries()] == ["card.md"]
    return [(folder / "card.md").read_text(), *found]
