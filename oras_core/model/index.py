"""Image indexes that keep the bytes they came from."""

from __future__ import annotations

from attrs import field, frozen

from oras_core.errors import NotFoundError
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.platform import Platform

__all__ = ["Index"]


@frozen
class Index:
    """An image index (image spec, image-index.md) or a Docker manifest list.

    Made by `oras_core.model.codec`; `content` is the bytes, as for a `Manifest`.
    """

    media_type: str
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str | None = None
    annotations: Annotations = field(factory=Annotations)
    content: bytes = field(repr=False, kw_only=True)

    @property
    def digest(self) -> Digest:
        """The sha256 digest of the bytes."""
        return Digest.of(self.content)

    @property
    def descriptor(self) -> Descriptor:
        """A descriptor of this index."""
        return Descriptor(
            self.media_type,
            self.digest,
            len(self.content),
            artifact_type=self.artifact_type,
        )

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """What must be at a target before this index: subject and manifests."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, *self.manifests)

    def select(self, platform: Platform) -> Descriptor:
        """Return the first manifest that is meant for `platform`.

        Raises:
            NotFoundError: if there is none; the message lists those that there are.
        """
        for descriptor in self.manifests:
            if descriptor.platform is not None and platform.accepts(descriptor.platform):
                return descriptor
        offered = sorted({str(d.platform) for d in self.manifests if d.platform})
        raise NotFoundError(
            f"platform {platform}",
            f"index {self.digest}, which offers {', '.join(offered) or 'no platform'}",
        )
