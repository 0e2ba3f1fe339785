"""Image manifests, with their original bytes."""

from __future__ import annotations

from attrs import frozen

from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.document import Document

__all__ = ["Manifest"]


@frozen(kw_only=True)
class Manifest(Document):
    """An image manifest (image spec, manifest.md), of OCI or of Docker.

    `oras_core.model.codec` creates it: decoded from bytes, or encoded to canonical bytes.

    Attributes:
        config: descriptor of the config.
        layers: descriptors of the layers, in order.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()

    @property
    def effective_artifact_type(self) -> str | None:
        """The artifactType; if absent, the media type of the config (R30)."""
        return self.artifact_type or self.config.media_type

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """Subject, config and layers, which a target must have before this manifest."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, self.config, *self.layers)

    @property
    def is_docker(self) -> bool:
        """Whether the media type is Docker's."""
        return self.media_type == media_types.DOCKER_MANIFEST
