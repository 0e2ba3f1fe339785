"""Image indexes that keep the bytes they came from."""

from __future__ import annotations

from attrs import frozen

from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.document import Document
from oras_core.model.platform import Platform

__all__ = ["Index"]


@frozen(kw_only=True)
class Index(Document):
    """An image index (image spec, image-index.md) or a Docker manifest list.

    Made by `oras_core.model.codec`, as a `Manifest` is.

    Attributes:
        manifests: of manifests and further indexes, in order.
    """

    manifests: tuple[Descriptor, ...] = ()

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
