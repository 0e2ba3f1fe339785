"""`push`: converts the client's arguments for the core's `push`, and its result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from attrs import evolve

from oras._client.hooks import PUSH_HOOKS, is_overridden
from oras._client.push_request import PushRequest
from oras._client.response import Response
from oras.oci import Subject
from oras_adapters.files.local_files import scratch_directory
from oras_core.content.roots import read_root
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteSource
from oras_core.verbs.push import Directory, File
from oras_core.verbs.push import push as push_artifact

if TYPE_CHECKING:
    from oras._client.protocol import RegistryClient
    from oras.container import Container
    from oras_core.ports.compression import Compression, CompressionChooser
    from oras_core.registry.repository import RemoteRepository

__all__ = ["InChunks", "push", "subject_of"]


def subject_of(
    client: RegistryClient, container: Container, subject: Subject | str | None
) -> Descriptor | None:
    """Return the descriptor of the manifest to attach an artifact to.

    Args:
        client: the client.
        container: the repository of the artifact.
        subject: a `Subject`, or a tag or digest in the same repository.

    Raises:
        NotFoundError: if the tag or digest does not exist.
    """
    if subject is None:
        return None
    if isinstance(subject, str):
        return read_root(client.connections.repository(container), subject)
    return Descriptor(subject.mediaType, Digest.parse(subject.digest), subject.size)


class InChunks:
    """A repository that uploads blobs in chunks of one size."""

    def __init__(self, repository: RemoteRepository, chunk_size: int) -> None:
        """Push to `repository` with chunks of `chunk_size` bytes."""
        self._repository = repository
        self._chunk_size = chunk_size
        self.exists = repository.exists
        self.fetch = repository.fetch
        self.mount = repository.mount
        self.push_reference = repository.push_reference
        self.resolve = repository.resolve
        self.tag = repository.tag

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Push a blob in chunks."""
        self._repository.push(descriptor, source, chunk_size=self._chunk_size)


def _compressed_by(
    compression: Compression | CompressionChooser, contents: Sequence[File | Directory]
) -> list[File | Directory]:
    return [
        evolve(content, compression=compression) if isinstance(content, Directory) else content
        for content in contents
    ]


def push(client: RegistryClient, container: Container, request: PushRequest) -> Any:
    """Push with the core's engine, or through the methods that the client overrides.

    Returns:
        The response to the manifest. An overridden method may return any object.
    """
    if is_overridden(client, *PUSH_HOOKS):
        from oras._client.stepwise import push_stepwise  # noqa: PLC0415 - rarely needed

        return push_stepwise(client, container, request)
    repository = client.connections.repository(container)
    contents: Sequence[File | Directory] = request.contents
    packs = any(isinstance(content, Directory) for content in contents)
    if packs:
        contents = _compressed_by(client.connections.composition.compression(), contents)
    with scratch_directory() if packs else nullcontext() as scratch:
        descriptor = push_artifact(
            InChunks(repository, request.chunk_size) if request.chunk_size else repository,
            container.digest or container.tag,
            contents,
            scratch=scratch,
            config=request.config,
            annotations=request.annotations,
            subject=request.subject,
            artifact_type=request.artifact_type,
            further_tags=request.further_tags,
            options=client.connections.copy_options,
        )
    return Response.stored(repository.endpoints.manifest(descriptor.digest), descriptor.digest)
