"""Image manifests that keep the bytes they came from."""

from __future__ import annotations

from attrs import field, frozen

from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

__all__ = ["Manifest"]


@frozen
class Manifest:
    """An image manifest (image spec, manifest.md), of OCI or of Docker.

    Made by `oras_core.model.codec`: decoded from bytes, or encoded to bytes that are
    canonical. `content` is those bytes; they alone are ever pushed, since another
    serialisation has another digest.
    """

    media_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Annotations = field(factory=Annotations)
    content: bytes = field(repr=False, kw_only=True)

    @property
    def digest(self) -> Digest:
        """The sha256 digest of the bytes."""
        return Digest.of(self.content)

    @property
    def effective_artifact_type(self) -> str | None:
        """The artifactType, or where that is absent the config's media type (R30)."""
        return self.artifact_type or self.config.media_type

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of this manifest."""
        return Descriptor(
            self.media_type,
            self.digest,
            len(self.content),
            artifact_type=self.artifact_type,
        )

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """What must be at a target before this manifest: subject, config and layers."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, self.config, *self.layers)

    @property
    def is_docker(self) -> bool:
        """Whether it is of Docker's type rather than OCI's."""
        return self.media_type == media_types.DOCKER_MANIFEST
