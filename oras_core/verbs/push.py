"""Push: upload files and directories as one artifact."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from oras_core.content.graph import ManifestCache
from oras_core.copying.copy import copy_graph, receiving
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.errors import TitleCollisionError, UnsupportedError
from oras_core.model import media_types
from oras_core.model.annotations import (
    CONFIG_SECTION,
    MANIFEST_SECTION,
    Annotations,
    AnnotationSet,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.model.titles import find_collision
from oras_core.packing.ingestion import Describer, is_large
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.content import ByteSource, Fetcher, Target
from oras_core.ports.files import FileTree
from oras_core.ports.progress import ProgressListener
from oras_core.stores.staging import StagingStore

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression, CompressionChooser

__all__ = ["Config", "Directory", "File", "check_titles", "push"]

_log = logging.getLogger(__name__)


@frozen
class File:
    """A file to push.

    Attributes:
        title: the path that a pull writes the file to.
        source: the bytes of the file.
        media_type: the media type of the layer.
        annotations: annotations of the layer, besides the title.
    """

    title: str
    source: ByteSource
    media_type: str = media_types.OCI_LAYER_TAR
    annotations: Mapping[str, str] = field(factory=Annotations)

    def stage(self, staging: StagingStore, annotations: Mapping[str, str]) -> Descriptor:
        """Add the file to `staging` and return its descriptor."""
        return staging.add(
            self.source,
            self.media_type,
            title=self.title,
            annotations={**self.annotations, **annotations},
        )


@frozen
class Directory:
    """A directory to push as one layer, which a pull unpacks.

    Attributes:
        title: the path that a pull unpacks the directory to.
        tree: the contents of the directory.
        media_type: the media type of the layer; None for the image spec's type for the
            compression.
        annotations: annotations of the layer, besides the title and those for unpacking.
        compression: the compression, or what chooses it; None for gzip by the standard library.
    """

    title: str
    tree: FileTree
    media_type: str | None = None
    annotations: Mapping[str, str] = field(factory=Annotations)
    compression: Compression | CompressionChooser | None = field(default=None, repr=False)

    def stage(self, staging: StagingStore, annotations: Mapping[str, str]) -> Descriptor:
        """Pack the directory, add it to `staging` and return its descriptor."""
        return staging.add_directory(
            self.tree,
            title=self.title,
            media_type=self.media_type,
            compression=self.compression,
            annotations={**self.annotations, **annotations},
        )


@frozen
class Config:
    """A config for the manifest.

    Attributes:
        source: the bytes of the config.
        media_type: the media type of the config.
    """

    source: ByteSource
    media_type: str = media_types.UNKNOWN_CONFIG


def push(
    destination: Target,
    reference: str | None,
    contents: Sequence[File | Directory] | File | Directory,
    *,
    scratch: FileTree | None = None,
    artifact_type: str | None = None,
    config: Config | None = None,
    annotations: AnnotationSet | None = None,
    subject: Descriptor | None = None,
    further_tags: Sequence[str] | str = (),
    options: CopyOptions | None = None,
) -> Descriptor:
    """Push files and directories as one artifact.

    Args:
        destination: the target to push to.
        reference: the tag to create; None for an artifact without a tag.
        contents: files and directories, which become the layers in this order; or one of them.
        scratch: folder for the archives of directories; the caller empties it. Required
            if `contents` has a directory.
        artifact_type: the type of the artifact, a media type.
        config: the config; None for the empty config.
        annotations: annotations of the manifest, of the config, and of layers by title.
        subject: the manifest that the artifact is attached to.
        further_tags: more tags to create, or one more tag.
        options: options of the copy.

    Returns:
        The descriptor of the manifest.

    Raises:
        UnsafePathError: if a pull would refuse a title.
        TitleCollisionError: if two files have the same title, or one title is inside another.
        UnsupportedError: if `contents` has a directory and `scratch` is None.
        SourceChangedError: if a file changes during the push.
        OrasError: any error of the destination.

    Example:
        >>> file = File("card.md", BytesSource(b"# A model"))
        >>> root = push(repository, "v3", file)
        >>> repository.resolve("v3").digest == root.digest
        True
    """
    contents = _as_sequence(contents)
    further_tags = (further_tags,) if isinstance(further_tags, str) else further_tags
    check_titles(contents)
    if scratch is None:
        _refuse_directories(contents)
    annotations = annotations or AnnotationSet()
    _warn_of_unused(annotations, contents)
    options = options or CopyOptions()
    with receiving(destination) as target:
        with Crew(options.concurrency) as crew:
            # A listener gets descriptors: an upload without a digest cannot be reported.
            is_watched = type(options.listener) is not ProgressListener
            describer = Describer(None if is_watched else target, reference, crew.token)
            staging = StagingStore(
                scratch,
                describe=describer,
                packed_sender=describer.packed_sender,
                listener=options.listener,
            )
            layers = _stage(contents, staging, annotations, crew)
            staged_config = _stage_config(staging, config, annotations.config)
        manifest = pack_manifest(
            layers,
            artifact_type=artifact_type,
            config=staged_config,
            subject=subject,
            annotations=annotations.get(MANIFEST_SECTION),
        )
        if describer.named == manifest.descriptor.plain() and not (subject or further_tags):
            options.listener.planned(1, manifest.descriptor.size)
            options.listener.skipped(manifest.descriptor, "exists")
            return manifest.descriptor
        source = ManifestCache(staging)
        source.remember(manifest.descriptor, manifest.content)

        def find_successors(_: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
            # The subject is not part of this push; it may not exist yet (image spec, manifest.md).
            # A pushed file may have the media type of a manifest.
            is_root = descriptor.digest == manifest.digest
            return manifest.blobs if is_root else ()

        copy_graph(
            source,
            manifest.descriptor,
            target,
            reference=reference,
            further_tags=further_tags,
            options=evolve(options, find_successors=find_successors),
        )
        return manifest.descriptor


def _as_sequence(
    contents: Sequence[File | Directory] | File | Directory,
) -> Sequence[File | Directory]:
    if isinstance(contents, File | Directory):
        return [contents]
    for content in contents:
        if not isinstance(content, File | Directory):
            raise TypeError(f"contents must be File or Directory objects, not {content!r}")
    return contents


def _warn_of_unused(annotations: AnnotationSet, contents: Sequence[File | Directory]) -> None:
    known = {content.title for content in contents}
    for name in annotations.sections():
        if name not in known and name not in (MANIFEST_SECTION, CONFIG_SECTION):
            _log.warning("annotations of %r are not used: no pushed file has this title", name)


def _refuse_directories(contents: Sequence[File | Directory]) -> None:
    for content in contents:
        if isinstance(content, Directory):
            raise UnsupportedError(
                f"push the directory {content.title!r}",
                "its archive needs a folder: pass one as the argument scratch",
            )


def _stage(
    contents: Sequence[File | Directory],
    staging: StagingStore,
    annotations: AnnotationSet,
    crew: Crew,
) -> list[Descriptor]:
    """Add all contents to `staging`; if several are large, in parallel."""

    def stage(content: File | Directory) -> Descriptor:
        return content.stage(staging, annotations.section(content.title))

    large = sum(isinstance(content, File) and is_large(content.source) for content in contents)
    if large < 2:
        return [stage(content) for content in contents]
    return crew.each(stage, contents)


def _stage_config(
    staging: StagingStore, config: Config | None, annotations: Annotations
) -> Descriptor | None:
    if config is not None:
        return staging.add(config.source, config.media_type, annotations=annotations)
    if annotations:
        content = media_types.EMPTY_CONFIG
        return staging.add_bytes(content, media_types.OCI_EMPTY, annotations=annotations)
    return None


def check_titles(contents: Sequence[File | Directory]) -> None:
    """Check that a pull can write all of `contents`.

    Raises:
        UnsafePathError: if a pull would refuse a title.
        TitleCollisionError: if two files have the same title, or one title is inside another.
    """
    if collision := find_collision(sanitize_path(content.title) for content in contents):
        title, other = collision
        raise TitleCollisionError(str(title), str(other), "the push")
