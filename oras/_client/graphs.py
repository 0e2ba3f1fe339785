"""The client's methods for referrers and copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from attrs import evolve

import oras_adapters
import oras_core
from oras import _client
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.container import Container

if TYPE_CHECKING:
    from oras._client.response import Response
    from oras_core.copying.options import CopyOptions
    from oras_core.model.descriptor import Descriptor
    from oras_core.registry.repository import RemoteRepository
    from oras_core.verbs.discover import Referrers

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
        """Push files and folders as an artifact attached to another one.

        The new artifact has no tag; `discover` finds it. If the registry does not support
        the referrers API, the referrers are listed in an index under a tag, as the
        distribution spec requires.

        Args:
            target: the artifact to attach to, by tag or digest.
            artifact_type: the type of the new artifact, a media type.
            files: paths, each with an optional `:` and media type.
            manifest_annotations: annotations of the manifest. They override those of the file.
            annotation_file: a JSON file `{"$manifest": {…}, "$config": {…}, "PATH": {…}}`.
            platform: if the target is an index, attach to its manifest for this platform.
            disable_path_validation: accept files outside the working directory.
            config_path: a docker configuration with credentials, in addition to the user's.

        Returns:
            A response with status 201. Its header `Docker-Content-Digest` is the digest.

        Raises:
            FileNotFoundError: if a file does not exist.
            ValueError: if the target does not exist, `artifact_type` is not a media type, or
                a file is outside the working directory.
            OrasError: if anything else fails.

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
        with reporting(), oras_adapters.scratch_directory() as scratch:
            request = _client.PushRequest.of(
                files,
                local=self.connections.composition.local_files(),
                is_allowed=None if disable_path_validation else self._validate_path,
                manifest_config=None,
                annotation_file=annotation_file,
                manifest_annotations=manifest_annotations,
                subject=None,
                chunk_size=None,
            )
            descriptor = oras_core.attach(
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
        """List the artifacts attached to an artifact.

        Args:
            target: the artifact, by tag or digest.
            artifact_type: list only artifacts of this type, on every level.
            depth: the number of levels: 1 for direct referrers, 2 to include their referrers,
                None for all levels.
            platform: if the target is an index, list the referrers of its manifest for this
                platform.
            config_path: a docker configuration with credentials, in addition to the user's.

        Returns:
            Descriptors as dictionaries, with `artifactType` and `annotations` if present.
            Each has a list `referrers` of the same form.

        Raises:
            ValueError: if the target does not exist.
            OrasError: if anything else fails.

        Example:
            >>> response = client.attach("dinosaur/artifact:v1", "application/vnd.example.sbom")
            >>> [found["artifactType"] for found in client.discover("dinosaur/artifact:v1")]
            ['application/vnd.example.sbom']
        """
        container = self.get_container(target)
        repository = self._repository(container, config_path)
        with reporting():
            tree = oras_core.discover(
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
        """Copy an artifact, an image or an index unchanged.

        Blobs that the target already has are skipped. Within one registry, blobs are mounted
        instead of transferred.

        Args:
            source: the source target, by tag or digest.
            target: the repository and tag to copy to. With a digest, no tag is created.
            platform: if the source is an index, copy only its manifest for this platform.
            referrers: copy all referrers, too.
            tags: additional tags to create.
            config_path: a docker configuration with credentials, in addition to the user's.

        Returns:
            A response with status 201. Its header `Docker-Content-Digest` is the digest.

        Raises:
            ValueError: if the source does not exist, or the registry rejects the request.
            OrasError: if anything else fails.

        Example:
            >>> client.copy("dinosaur/artifact:v1", "museum/artifact:v1", tags=["latest"])
            <Response [201]>
            >>> sorted(client.get_tags("museum/artifact"))
            ['latest', 'v1']
        """
        origin, destination = self.get_container(source), self.get_container(target)
        repository = self._repository(destination, config_path)
        run = oras_core.extended_copy if referrers else oras_core.copy
        with reporting():
            copied = run(
                self._repository(origin, config_path),
                origin.digest or origin.tag,
                repository,
                destination.digest or destination.tag,
                further_tags=list(tags),
                options=self._options(platform),
            )
        return _pushed(repository, copied.root)

    def _repository(self, container: Container, config_path: str | None) -> RemoteRepository:
        self.auth.load_configs(container, configs=[config_path] if config_path else None)
        return self.connections.repository(container)

    def _options(self, platform: str | None) -> CopyOptions:
        chosen = oras_core.Platform.parse(platform) if platform else None
        return evolve(self.connections.copy_options, platform=chosen)


def _pushed(repository: RemoteRepository, descriptor: Descriptor) -> Response:
    return _client.Response.stored(
        repository.endpoints.manifest(descriptor.digest), descriptor.digest
    )


def _as_dictionaries(found: Iterable[Referrers]) -> list[dict[str, Any]]:
    from oras_core.model.wire import to_wire  # noqa: PLC0415 - few programs list referrers

    return [
        {**to_wire(node.descriptor), "referrers": _as_dictionaries(node.referrers)}
        for node in found
    ]
