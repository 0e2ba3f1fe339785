"""What the verbs of the client return, besides the core's values."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen

from oras_core.model.descriptor import Descriptor
from oras_core.model.manifest import Manifest

__all__ = ["Content", "Copied", "Mirrored", "MirroredTag", "Pulled"]


@frozen
class Pulled:
    """What a pull wrote.

    Attributes:
        root: the descriptor of what the place names: a manifest or an index.
        manifest: the manifest that was pulled.
        files: a path for each file or folder, in the order of the manifest's layers.
    """

    root: Descriptor
    manifest: Manifest
    files: tuple[Path, ...]


@frozen
class Content:
    """A small blob, such as a config, verified.

    Attributes:
        descriptor: of the blob.
        content: its bytes.
    """

    descriptor: Descriptor
    content: bytes = field(repr=False)


@frozen
class Copied:
    """What a copy did.

    Attributes:
        root: the descriptor of the artifact.
        moved: blobs and manifests that were transferred.
        skipped: those that were already present.
        mounted: those that came from another repository of the same registry.
        bytes: how many were transferred.
    """

    root: Descriptor
    moved: int
    skipped: int
    mounted: int
    bytes: int


@frozen
class MirroredTag:
    """A tag of a mirrored repository.

    Attributes:
        tag: the tag.
        root: the descriptor of its artifact.
    """

    tag: str
    root: Descriptor


@frozen
class Mirrored:
    """What a mirror did.

    Attributes:
        tags: a row for each tag, in the order of the source.
        moved: blobs and manifests that were transferred.
        skipped: those that were already present.
        mounted: those that came from another repository of the same registry.
        bytes: how many were transferred.
    """

    tags: tuple[MirroredTag, ...]
    moved: int
    skipped: int
    mounted: int
    bytes: int
