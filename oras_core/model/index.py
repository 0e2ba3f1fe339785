"""Image indexes, with their original bytes."""

from __future__ import annotations

from attrs import frozen

from oras_core.errors import NotFoundError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.document import Document
from oras_core.model.platform import Platform

__all__ = ["Index"]


@frozen(kw_only=True, eq=False, repr=False)
class Index(Document):
    """An image index (image spec, image-index.md) or a Docker manifest list.

    `oras_core.model.codec` creates it.

    Attributes:
        manifests: descriptors of manifests and nested indexes, in order.
    """

    manifests: tuple[Descriptor, ...] = ()

    @property
    def successors(self) -> tuple[Descriptor, ...]:
        """The subject and the manifests, which a target must have before this index."""
        subject = (self.subject,) if self.subject else ()
        return (*subject, *self.manifests)

    @property
    def images(self) -> tuple[Descriptor, ...]:
        """The manifests without the attestations that buildx adds to its indexes."""
        return tuple(
            entry
            for entry in self.manifests
            if entry.annotations.get(media_types.ANNOTATION_REFERENCE_TYPE)
            != media_types.ATTESTATION
        )

    def select(self, platform: Platform) -> Descriptor:
        """Return the first manifest for `platform`.

        Raises:
            NotFoundError: if no manifest matches; the message lists the platforms.
        """
        for descriptor in self.manifests:
            if descriptor.platform is not None and platform.accepts(descriptor.platform):
                return descriptor
        offered = sorted({str(d.platform) for d in self.manifests if d.platform})
        raise NotFoundError(
            f"platform {platform}",
            f"index {self.digest}, which has {', '.join(offered) or 'no platform'}",
        )
