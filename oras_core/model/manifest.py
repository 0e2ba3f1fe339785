"""Image manifests, with their original bytes."""

from __future__ import annotations

from attrs import frozen

from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.document import Document

__all__ = ["Manifest"]


@frozen(kw_only=True, eq=False, repr=False)
class Manifest(Document):
    """An image manifest (image spec, manifest.md) of OCI or Docker, or an artifact manifest.

    `oras_core.model.codec` creates it: decoded from bytes, or encoded to canonical bytes.
    Artifact manifests, of OCI's release candidates and of ORAS, are only read. They have
    blobs and no config: `layers` are the blobs, and `config` is the empty descriptor.

    Attributes:
        config: descriptor of the config.
        layers: descriptors of the layers, in order.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...] = ()

    @property
    def effective_artifact_type(self) -> str | None:
        """The artifactType; if absent, the media type of the config (R30)."""
        return self.artifact_type or (None if self.is_artifact else self.config.media_type)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The config, which an artifact manifest does not have, and the layers."""
        return self.layers if self.is_artifact else (self.config, *self.layers)

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """Subject and blobs, which a target must have before this manifest."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, *self.blobs)

    @property
    def is_artifact(self) -> bool:
        """Whether it is an artifact manifest, which has no config."""
        return self.media_type in media_types.ARTIFACT_MANIFESTS

    @property
    def is_docker(self) -> bool:
        """Whether the media type is Docker's."""
        return self.media_type == media_types.DOCKER_MANIFEST
