"""The client's methods for manifests and tags."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Any

import oras_core
from oras import _client, defaults
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.decorator import parsing_target
from oras.logger import logger
from oras.types import container_type
from oras_core.errors import NotFoundError
from oras_core.ports.http import Headers
from oras_core.registry.pagination import next_link

if TYPE_CHECKING:
    from oras._client.response import Response
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.platform import Platform
    from oras_core.registry.repository import RemoteRepository

__all__ = ["ManifestMethods"]


class ManifestMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @parsing_target
    def get_tags(self, container: container_type, N: int | None = None) -> list[str]:
        """List the tags of a repository, in the registry's order.

        Args:
            container: the repository. A tag in the name is ignored.
            N: the maximum number of tags. None means all tags.

        Returns:
            The tags.

        Raises:
            ValueError: if the repository does not exist.
            OrasError: if anything else fails.

        Example:
            >>> client.get_tags("dinosaur/artifact")
            ['v1']
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        if N is not None and N <= 0:
            return []
        with reporting():
            return list(islice(self.connections.repository(target).tags(page_size=N), N))

    @parsing_target
    def delete_tag(self, container: container_type, tag: str) -> bool:
        """Delete a tag. Its manifest and the other tags of the manifest stay.

        Args:
            container: the repository. A tag in the name is ignored.
            tag: the tag.

        Returns:
            Whether the tag existed.

        Raises:
            UnsupportedError: if the registry cannot delete the tag alone; the message names
                the other tags of the manifest.
            OrasError: if anything else fails.

        Example:
            >>> client.delete_tag("dinosaur/artifact", "v1")
            True
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        repository = self.connections.repository(target)
        with reporting():
            try:
                repository.untag(tag)
            except NotFoundError:
                logger.error(f"Cannot find tag {target}:{tag}")
                return False
        return True

    def delete_tags(self, name: str, tags: str | Iterable[str] = ()) -> list[str]:
        """Delete several tags; see `delete_tag`.

        Args:
            name: the repository.
            tags: one tag, or several.

        Returns:
            The tags that existed.

        Raises:
            UnsupportedError: if the registry does not support deletion.
            OrasError: if anything else fails.

        Example:
            >>> client.delete_tags("dinosaur/artifact", ["v1", "absent"])
            ['v1']
        """
        wanted = [tags] if isinstance(tags, str) else list(tags)
        return [tag for tag in wanted if self.delete_tag(name, tag)]

    def _do_paginated_request(self, url: str, callable: Callable[[Response], bool]) -> None:
        """Request page after page and pass each to `callable`, until it returns False."""
        following: str | None = url
        while following is not None:
            response = self.do_request(following)
            self._check_200_response(response)
            if not callable(response):
                return
            following = next_link(Headers(response.headers), following)

    @parsing_target
    def get_manifest(
        self,
        container: container_type,
        allowed_media_type: list[str] | None = None,
        validation_schema: dict[str, Any] | None = None,
        platform: str | None = None,
    ) -> dict[str, Any]:
        """Fetch a manifest or index.

        Args:
            container: the artifact, by tag or digest.
            allowed_media_type: the media types to request. The default is those of OCI and
                Docker.
            validation_schema: a JSON schema to validate the manifest with. Needs `jsonschema`.
            platform: resolve an index, and nested indexes, to the manifest for this platform,
                `os/architecture[/variant]`.

        Returns:
            A dictionary whose attribute `content` holds the original bytes.

        Raises:
            ValueError: if the manifest does not exist.
            OrasError: if anything else fails.

        Example:
            >>> manifest = client.get_manifest("dinosaur/artifact:v1")
            >>> [
            ...     layer["annotations"]["org.opencontainers.image.title"]
            ...     for layer in manifest["layers"]
            ... ]
            ['artifact.txt']
        """
        target = self.get_container(container)
        self.auth.load_configs(target)
        repository = self.connections.repository(target)
        with reporting():
            root, content = repository.fetch_reference(
                target.digest or target.tag,
                accept=tuple(allowed_media_type or defaults.default_manifest_accepted_media_types),
            )
            if platform is not None:
                content = _selected(repository, root, content, oras_core.Platform.parse(platform))
        from oras.oci import ReceivedManifest  # noqa: PLC0415 - not all clients read manifests

        manifest = ReceivedManifest(content)
        if validation_schema is not None:
            _validate(manifest, validation_schema)
        return manifest

    @parsing_target
    def upload_manifest(self, manifest: dict[str, Any], container: container_type) -> Response:
        """Push a manifest under the container's tag or digest.

        Args:
            manifest: the manifest. It is sent as the output of `json.dumps`, which
                `Subject.from_manifest` uses, too. An unchanged manifest from `get_manifest`
                is sent byte for byte.
            container: the repository, with the tag or digest.

        Returns:
            A response with status 201. Its header `Docker-Content-Digest` is the digest.

        Raises:
            InvalidManifestError: if `manifest` is not a manifest or index.
            OrasError: if the registry rejects the manifest.

        Example:
            >>> manifest = client.get_manifest("dinosaur/artifact:v1")
            >>> client.upload_manifest(manifest, "dinosaur/artifact:stable")
            <Response [201]>
        """
        target = self.get_container(container)
        from oras.oci import ReceivedManifest  # noqa: PLC0415 - as above
        from oras_core.model import codec  # noqa: PLC0415 - as above

        if isinstance(manifest, ReceivedManifest) and manifest.is_unchanged:
            content = manifest.content
        else:
            content = json.dumps(manifest).encode()
        media_type = codec.decode(content).media_type
        repository = self.connections.repository(target)
        with reporting():
            descriptor = repository.push_manifest(content, media_type, target.digest or target.tag)
        return _client.Response.stored(
            repository.endpoints.manifest(descriptor.digest), descriptor.digest
        )

    def _organize_layers(self, manifest: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Return the layers of a manifest grouped by media type, in the manifest's order."""
        layers: dict[str, list[dict[str, Any]]] = {}
        for layer in manifest.get("layers") or []:
            layers.setdefault(layer["mediaType"], []).append(layer)
        return layers


def _selected(
    repository: RemoteRepository, root: Descriptor, content: bytes, platform: Platform
) -> bytes:
    # Imported here: few programs resolve indexes themselves.
    from oras_core.content.graph import ManifestCache, fetch_document  # noqa: PLC0415 - as above
    from oras_core.content.platforms import select_manifest  # noqa: PLC0415 - as above

    cached = ManifestCache(repository)
    cached.remember(root, content)
    return fetch_document(cached, select_manifest(cached, root, platform).plain()).content


def _validate(manifest: dict[str, Any], schema: dict[str, Any]) -> None:
    try:
        import jsonschema  # noqa: PLC0415 - optional dependency
    except ImportError as error:
        raise ImportError("validation_schema needs jsonschema: pip install jsonschema") from error
    jsonschema.validate(manifest, schema)
