"""Image manifests that keep the bytes they came from."""

from __future__ import annotations

from attrs import frozen

from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.document import Document

__all__ = ["Manifest"]


@frozen(kw_only=True)
class Manifest(Document):
    """An image manifest (image spec, manifest.md), of OCI or of Docker.

    Made by `oras_core.model.codec`: decoded from bytes, or encoded to bytes that are
    canonical.

    Attributes:
        config: describes the artifact.
        layers: its content, in order.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()

    @property
    def effective_artifact_type(self) -> str | None:
        """The artifactType, or where that is absent the config's media type (R30)."""
        return self.artifact_type or self.config.media_type

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """What must be at a target before this manifest: subject, config and layers."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, self.config, *self.layers)

    @property
    def is_docker(self) -> bool:
        """Whether it is of Docker's type rather than OCI's."""
        return self.media_type == media_types.DOCKER_MANIFEST
