"""What a client does with manifests."""

from __future__ import annotations

import json
from typing import Any

from oras import defaults
from oras._client.base import BaseClient
from oras._client.failures import reporting
from oras._client.response import Response
from oras.decorator import ensure_container
from oras.oci import ReceivedManifest
from oras.types import container_type
from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import select_manifest
from oras_core.model import codec
from oras_core.model.platform import Platform

__all__ = ["ManifestMethods"]


class ManifestMethods(BaseClient):
    """Mixed into `oras.provider.Registry`."""

    @ensure_container
    def get_manifest(
        self,
        container: container_type,
        allowed_media_type: list[str] | None = None,
        validation_schema: dict[str, Any] | None = None,
        platform: str | None = None,
    ) -> dict[str, Any]:
        """Return a manifest or index.

        Args:
            container: what, by tag or digest.
            allowed_media_type: the types to ask for; by default those of OCI and Docker.
            validation_schema: a JSON schema that it must follow; needs `jsonschema`.
            platform: follow an index, and indexes in it, to the manifest that is meant for
                this one, `os/architecture[/variant]`.

        Returns:
            A dictionary that remembers the bytes it came in, as `content`.

        Raises:
            ValueError: if there is none of that name.
            OrasError: whatever else goes wrong.

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
                cached = ManifestCache(repository)
                cached.remember(root, content)
                chosen = select_manifest(cached, root, Platform.parse(platform))
                content = fetch_document(cached, chosen.plain()).content
        manifest = ReceivedManifest(content)
        if validation_schema is not None:
            _validate(manifest, validation_schema)
        return manifest

    @ensure_container
    def upload_manifest(self, manifest: dict[str, Any], container: container_type) -> Response:
        """Push a manifest under the container's tag or digest.

        Args:
            manifest: sent as Python's own JSON text of it, which `Subject.from_manifest`
                takes too; one that `get_manifest` returned, unchanged, goes byte for byte.
            container: where to.

        Returns:
            An answer of status 201; its header `Docker-Content-Digest` has the digest.

        Raises:
            InvalidManifestError: if it is no manifest or index.
            OrasError: if the registry refuses.

        Example:
            >>> manifest = client.get_manifest("dinosaur/artifact:v1")
            >>> client.upload_manifest(manifest, "dinosaur/artifact:stable")
            <Response [201]>
        """
        target = self.get_container(container)
        if isinstance(manifest, ReceivedManifest) and manifest.is_unchanged:
            content = manifest.content
        else:
            content = json.dumps(manifest).encode()
        media_type = codec.decode(content).media_type
        repository = self.connections.repository(target)
        with reporting():
            descriptor = repository.push_manifest(content, media_type, target.digest or target.tag)
        return Response.of(
            201,
            {"Docker-Content-Digest": str(descriptor.digest)},
            url=repository.endpoints.manifest(descriptor.digest),
        )

    def _organize_layers(self, manifest: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
        """Return the layers of a manifest by their media type, each in the manifest's order."""
        layers: dict[str, list[dict[str, Any]]] = {}
        for layer in manifest.get("layers") or []:
            layers.setdefault(layer["mediaType"], []).append(layer)
        return layers


def _validate(manifest: dict[str, Any], schema: dict[str, Any]) -> None:
    try:
        import jsonschema  # noqa: PLC0415 - only for those who have a schema
    except ImportError as error:
        raise ImportError("validation_schema needs jsonschema: pip install jsonschema") from error
    jsonschema.validate(manifest, schema)
