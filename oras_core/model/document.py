"""What manifests and indexes have in common: they are known by their bytes."""

from __future__ import annotations

from attrs import field, frozen

from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

__all__ = ["Document"]


@frozen(kw_only=True)
class Document:
    """The members that the image spec gives to both.

    Attributes:
        subject: the manifest that this one is attached to.
        artifact_type: what the artifact is, a media type.
        annotations: of the whole.
        content: the bytes it came from, or was written as. They alone are ever pushed, since
            another serialisation has another digest.
    """

    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Annotations = field(factory=Annotations)
    media_type: str
    content: bytes = field(repr=False)

    @property
    def digest(self) -> Digest:
        """The sha256 digest of the bytes."""
        return Digest.of(self.content)

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of the whole."""
        return Descriptor(
            self.media_type, self.digest, len(self.content), artifact_type=self.artifact_type
        )
