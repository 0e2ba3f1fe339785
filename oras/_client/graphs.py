"""What a client does with artifacts that refer to others, and from place to place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras._client.pushing import PushRequest
from oras._client.response import Response
from oras.container import Container
from oras_adapters.files.local_files import scratch_directory
from oras_core.copying.copy import CopyOptions, copy
from oras_core.copying.extended import extended_copy
from oras_core.model.descriptor import Descriptor
from oras_core.model.platform import Platform
from oras_core.model.wire import to_wire
from oras_core.registry.repository import RemoteRepository
from oras_core.verbs.attach import attach
from oras_core.verbs.discover import Referrers, discover

__all__ = ["GraphMethods"]


class GraphMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    def attach(
        self,
        target: str,
        artifact_type: str,
        files: list[Any] | None = None,
        manifest_annotations: dict[str, str] | None = None,
        annotation_file: str | None = None,
        platform: str | None = None,
        disable_path_validation: bool = False,
        config_path: str | None = None,
    ) -> Response:
        """Push files and folders as an artifact that refers to another one.

        It gets no tag: `discover` finds it. Where the registry does not know referrers, the
        list of them is kept under a tag, as the distribution spec says.

        Args:
            target: the artifact to which they are attached, by tag or digest.
            artifact_type: what is attached, a media type.
            files: paths, each maybe followed by `:` and a media type.
            manifest_annotations: go before those of the file.
            annotation_file: a JSON file `{"$manifest": {…}, "$config": {…}, "PATH": {…}}`.
            platform: of an index, to the manifest that is meant for this one.
            disable_path_validation: take files from outside the working directory too.
            config_path: a docker configuration with credentials, besides the user's own.

        Returns:
            An answer of status 201; its header `Docker-Content-Digest` has the digest.

        Raises:
            FileNotFoundError: if a file does not exist.
            ValueError: if there is no such artifact, `artifact_type` is none, or a file lies
                outside the working directory.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.attach(
            ...     "dinosaur/artifact:v1",
            ...     "application/vnd.example.sbom",
            ...     files=["artifact.txt:text/plain"],
            ... )
            <Response [201]>
        """
        container = self.get_container(target)
        repository = self._repository(container, config_path)
        with reporting(), scratch_directory() as scratch:
            request = PushRequest.of(
                files,
                is_allowed=None if disable_path_validation else self._validate_path,
                manifest_config=None,
                annotation_file=annotation_file,
                manifest_annotations=manifest_annotations,
                subject=None,
                chunk_size=None,
            )
            descriptor = attach(
                repository,
                container.digest or container.tag,
                request.contents,
                artifact_type=artifact_type,
                scratch=scratch,
                annotations=request.annotations,
                options=self._options(platform),
            )
        return _pushed(repository, descriptor)

    def discover(
        self,
        target: str,
        artifact_type: str | None = None,
        depth: int | None = 1,
        platform: str | None = None,
        config_path: str | None = None,
    ) -> list[dict[str, Any]]:
        """Find what is attached to an artifact.

        Args:
            target: the artifact, by tag or digest.
            artifact_type: only what is of this type, on every level.
            depth: how many levels: 1 for what is attached to it, 2 also for what is attached
                to that, None for everything.
            platform: of an index, what is attached to the manifest that is meant for this one.
            config_path: a docker configuration with credentials, besides the user's own.

        Returns:
            Descriptors, with `artifactType` and `annotations` where there are some. Each has
            `referrers`, a list of the same kind.

        Raises:
            ValueError: if there is no such artifact.
            OrasError: whatever else goes wrong.

        Example:
            >>> response = client.attach("dinosaur/artifact:v1", "application/vnd.example.sbom")
            >>> [found["artifactType"] for found in client.discover("dinosaur/artifact:v1")]
            ['application/vnd.example.sbom']
        """
        container = self.get_container(target)
        repository = self._repository(container, config_path)
        with reporting():
            tree = discover(
                repository,
                container.digest or container.tag,
                artifact_type=artifact_type,
                depth=depth,
                options=self._options(platform),
            )
        return _as_dictionaries(tree.referrers)

    def copy(
        self,
        source: str,
        target: str,
        platform: str | None = None,
        referrers: bool = False,
        tags: Iterable[str] = (),
        config_path: str | None = None,
    ) -> Response:
        """Copy an artifact, an image or an index from one place to another, as it is.

        What is at the target already is left out; within one registry blobs move not at all.

        Args:
            source: what, by tag or digest.
            target: where to; a tag there, which may be another one. A digest gives no name.
            platform: of an index, only the manifest that is meant for this one.
            referrers: copy all that refers to it too.
            tags: further tags that shall name it there.
            config_path: a docker configuration with credentials, besides the user's own.

        Returns:
            An answer of status 201; its header `Docker-Content-Digest` has the digest.

        Raises:
            ValueError: if there is no such artifact, or the registry refuses.
            OrasError: whatever else goes wrong.

        Example:
            >>> client.copy("dinosaur/artifact:v1", "museum/artifact:v1", tags=["latest"])
            <Response [201]>
            >>> sorted(client.get_tags("museum/artifact"))
            ['latest', 'v1']
        """
        origin, destination = self.get_container(source), self.get_container(target)
        repository = self._repository(destination, config_path)
        run = extended_copy if referrers else copy
        with reporting():
            descriptor = run(
                self._repository(origin, config_path),
                origin.digest or origin.tag,
                repository,
                destination.digest or destination.tag,
                further_tags=list(tags),
                options=self._options(platform),
            )
        return _pushed(repository, descriptor)

    def _repository(self, container: Container, config_path: str | None) -> RemoteRepository:
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        return self.connections.repository(container)

    def _options(self, platform: str | None) -> CopyOptions:
        chosen = Platform.parse(platform) if platform else None
        return evolve(self.connections.copy_options, platform=chosen)


def _pushed(repository: RemoteRepository, descriptor: Descriptor) -> Response:
    return Response.of(
        201,
        {"Docker-Content-Digest": str(descriptor.digest)},
        url=repository.endpoints.manifest(descriptor.digest),
    )


def _as_dictionaries(found: Iterable[Referrers]) -> list[dict[str, Any]]:
    dictionaries = []
    for node in found:
        dictionary = to_wire(node.descriptor)
        if isinstance(dictionary, dict):
            dictionaries.append({**dictionary, "referrers": _as_dictionaries(node.referrers)})
    return dictionaries
