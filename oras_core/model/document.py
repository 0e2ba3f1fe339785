"""The common base of manifests and indexes, which keeps their bytes."""

from __future__ import annotations

from attrs import field, frozen

from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.values import Value

__all__ = ["Document"]


@frozen(kw_only=True, eq=False, repr=False)
class Document(Value):
    """The members that manifests and indexes share in the image spec.

    Attributes:
        subject: the manifest that this one is attached to.
        artifact_type: the type of the artifact, a media type.
        annotations: annotations of the whole document.
        media_type: media type of the document.
        content: the original or encoded bytes. A push sends these bytes, since another
            serialisation has another digest.
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
        """A descriptor of the document."""
        return Descriptor(
            self.media_type, self.digest, len(self.content), artifact_type=self.artifact_type
        )
