"""The client's methods for manifests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import oras_core
from oras import _client, defaults
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras.decorator import parsing_target
from oras.types import container_type

if TYPE_CHECKING:
    from oras._client.response import Response
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.platform import Platform
    from oras_core.registry.repository import RemoteRepository

__all__ = ["ManifestMethods"]


class ManifestMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

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
