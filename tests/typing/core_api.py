"""What the type checker must see in the core; read by mypy, never run.

A `type: ignore` here is an assertion: mypy reports one that is not needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_type

from oras_core import (
    Copied,
    Descriptor,
    Digest,
    MemoryStore,
    RemoteRegistry,
    RemoteRepository,
    SafePath,
    copy,
    sanitize_path,
)
from oras_core.ports import (
    ByteStream,
    Credential,
    CredentialStore,
    FileTree,
    HttpRequest,
    HttpResponse,
    HttpTransport,
    Target,
)
from oras_core.testing import EmbeddedRegistry, MemoryFileTree


class TransportOfAnEmbedder:
    """Inherits nothing."""

    def send(self, request: HttpRequest) -> HttpResponse:
        raise NotImplementedError


class StoreOfAnEmbedder:
    """Inherits nothing."""

    def get(self, registry: str) -> Credential | None:
        raise NotImplementedError

    def put(self, registry: str, credential: Credential) -> None:
        raise NotImplementedError

    def delete(self, registry: str) -> None:
        raise NotImplementedError


class ForgetfulStore:
    def get(self, registry: str) -> Credential | None:
        raise NotImplementedError


def ports_are_met_by_shape() -> None:
    transport: HttpTransport = TransportOfAnEmbedder()
    store: CredentialStore = StoreOfAnEmbedder()
    RemoteRegistry("localhost:5001", transport, credentials=store)
    RemoteRegistry("localhost:5001", EmbeddedRegistry())
    RemoteRegistry("localhost:5001", transport, credentials=ForgetfulStore())  # type: ignore[arg-type]


def unchecked_paths_do_not_reach_a_disk(tree: FileTree, title: str) -> None:
    assert_type(sanitize_path(title), SafePath)
    assert_type(tree.open(sanitize_path(title)), ByteStream)
    tree.open(title)  # type: ignore[arg-type]
    tree.create(title)  # type: ignore[arg-type]


def targets_are_interchangeable(registry: RemoteRegistry) -> None:
    repository = registry.repository("example/report")
    assert_type(repository, RemoteRepository)
    remote: Target = repository
    local: Target = MemoryStore()
    assert_type(copy(remote, "v1", local), Copied)
    assert_type(copy(local, "v1", remote).root, Descriptor)
    assert_type(repository.tags(), Iterator[str])


def values_are_immutable(descriptor: Descriptor) -> None:
    assert_type(descriptor.digest, Digest)
    descriptor.size = 0  # type: ignore[misc]


def trees_in_memory_are_trees() -> FileTree:
    return MemoryFileTree()
