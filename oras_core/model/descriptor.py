"""Descriptors: media type, digest and size of a blob or manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from attrs import evolve, field, frozen

from oras_core.errors import InvalidDescriptorError
from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.digest import Digest
from oras_core.model.platform import Platform

if TYPE_CHECKING:
    from attrs import Attribute

__all__ = ["Descriptor"]

MAX_SIZE: Final = 2**63 - 1
"""The image spec's size is an int64."""


def _as_annotations(items: Mapping[str, str] | None) -> Annotations:
    return items if isinstance(items, Annotations) else Annotations(items)


def _check_media_type(_instance: object, _attribute: Attribute[str], value: str) -> None:
    if not media_types.is_tolerable(value):
        raise InvalidDescriptorError(value, "mediaType is not visible ASCII, 1 to 255 long")


def _check_artifact_type(
    _instance: object, _attribute: Attribute[str | None], value: str | None
) -> None:
    if value is not None and not media_types.is_tolerable(value):
        raise InvalidDescriptorError(value, "artifactType is not visible ASCII, 1 to 255 long")


def _check_size(_instance: object, _attribute: Attribute[int], value: int) -> None:
    if not 0 <= value <= MAX_SIZE:
        raise InvalidDescriptorError(value, "size is not between 0 and 2^63 - 1")


_SHOWN = ("media_type", "digest", "size", "urls", "annotations", "artifact_type", "platform")


@frozen(repr=False)
class Descriptor:
    """The image spec's content descriptor (descriptor.md).

    Attributes:
        media_type: media type of the content; usually `type/subtype`.
        digest: digest of the content.
        size: size of the content, in bytes.
        urls: other locations of the content. The library never uses them.
        annotations: annotations of this reference to the content.
        data: the embedded content; checked against digest and size.
        artifact_type: artifactType of the manifest that this descriptor points to.
        platform: platform of the manifest that this descriptor points to.
    """

    media_type: str = field(validator=_check_media_type)
    digest: Digest
    size: int = field(validator=_check_size)
    urls: tuple[str, ...] = ()
    annotations: Annotations = field(factory=Annotations, converter=_as_annotations)
    data: bytes | None = None
    artifact_type: str | None = field(validator=_check_artifact_type, default=None)
    platform: Platform | None = None

    def __attrs_post_init__(self) -> None:
        """Check embedded data against digest and size: a reader may use it as the content."""
        if self.data is None:
            return
        if len(self.data) != self.size:
            raise InvalidDescriptorError(
                str(self.digest), f"data has {len(self.data)} bytes, size says {self.size}"
            )
        if not self.digest.matches(self.data):
            raise InvalidDescriptorError(str(self.digest), "data has another digest")

    @classmethod
    def of(
        cls, content: bytes, media_type: str, *, annotations: Mapping[str, str] | None = None
    ) -> Descriptor:
        """Return a descriptor of `content`."""
        return cls(
            media_type, Digest.of(content), len(content), annotations=Annotations(annotations)
        )

    @property
    def title(self) -> str | None:
        """The file name for a pull; an untrusted string."""
        return self.annotations.get(media_types.ANNOTATION_TITLE)

    @property
    def is_empty(self) -> bool:
        """Whether this is the image spec's empty descriptor, which means no content."""
        return self.media_type == media_types.OCI_EMPTY

    @property
    def is_manifest(self) -> bool:
        """Whether the content is an image manifest."""
        return media_types.is_manifest(self.media_type)

    @property
    def is_index(self) -> bool:
        """Whether the content is an image index."""
        return media_types.is_index(self.media_type)

    @property
    def has_successors(self) -> bool:
        """Whether the content refers to other blobs or manifests, as manifests and indexes do."""
        return self.media_type in media_types.ACCEPTED_MANIFESTS

    def with_annotations(self, items: Mapping[str, str]) -> Descriptor:
        """Return a copy with `items` added to the annotations."""
        return evolve(self, annotations=self.annotations | items)

    def plain(self) -> Descriptor:
        """Return a copy with media type, digest and size only."""
        return Descriptor(self.media_type, self.digest, self.size)

    def __repr__(self) -> str:
        """Show the fields that are set, without the embedded content."""
        shown = ((name, getattr(self, name)) for name in _SHOWN)
        fields = ", ".join(f"{name}={value!r}" for name, value in shown if value or name == "size")
        return f"{type(self).__name__}({fields})"

    def __str__(self) -> str:
        """Return the digest, and the title if there is one."""
        return f"{self.digest} ({self.title!r})" if self.title else str(self.digest)
