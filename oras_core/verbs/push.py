"""Push: upload files and directories as one artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from oras_core.content.graph import ManifestCache
from oras_core.copying.copy import CopyOptions, copy_graph, expect_pushes
from oras_core.copying.crew import Crew
from oras_core.errors import AlreadyExistsError
from oras_core.model import media_types
from oras_core.model.annotations import MANIFEST_SECTION, Annotations, AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import sanitize_path
from oras_core.packing.ingestion import Describer, is_large
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.content import ByteSource, Fetcher, Target
from oras_core.ports.files import FileTree
from oras_core.ports.progress import ProgressListener
from oras_core.stores.staging import StagingStore

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["Config", "Directory", "File", "check_titles", "push"]


@frozen
class File:
    """A file to be pushed.

    Attributes:
        title: the path under which a pull writes it.
        source: its bytes.
        media_type: of its content.
        annotations: of its layer, besides the title.
    """

    title: str
    source: ByteSource
    media_type: str = media_types.OCI_LAYER_TAR
    annotations: Mapping[str, str] = field(factory=Annotations)

    def stage(self, staging: StagingStore, annotations: Mapping[str, str]) -> Descriptor:
        """Describe it among the content to be pushed."""
        return staging.add(
            self.source,
            self.media_type,
            title=self.title,
            annotations={**self.annotations, **annotations},
        )


@frozen
class Directory:
    """A directory to be pushed as one layer, which a pull unpacks.

    Attributes:
        title: the path under which a pull unpacks it.
        tree: its inside.
        media_type: of the packed archive; None for the image spec's for its compression.
        annotations: of its layer, besides the title and those that make a pull unpack it.
        compression: how it is packed; None for gzip by the standard library.
    """

    title: str
    tree: FileTree
    media_type: str | None = None
    annotations: Mapping[str, str] = field(factory=Annotations)
    compression: Compression | None = field(default=None, repr=False)

    def stage(self, staging: StagingStore, annotations: Mapping[str, str]) -> Descriptor:
        """Pack and describe it among the content to be pushed."""
        return staging.add_directory(
            self.tree,
            title=self.title,
            media_type=self.media_type,
            compression=self.compression,
            annotations={**self.annotations, **annotations},
        )


@frozen
class Config:
    """A config of one's own.

    Attributes:
        source: its bytes.
        media_type: of its content.
    """

    source: ByteSource
    media_type: str = media_types.UNKNOWN_CONFIG


def push(
    destination: Target,
    reference: str | None,
    contents: Sequence[File | Directory],
    *,
    scratch: FileTree,
    artifact_type: str | None = None,
    config: Config | None = None,
    annotations: AnnotationSet | None = None,
    subject: Descriptor | None = None,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Descriptor:
    """Push files and directories as one artifact.

    Args:
        destination: where to.
        reference: the tag that shall name it; None for none, it is known by its digest.
        contents: the layers, in order.
        scratch: takes the archives of directories; the caller empties it.
        artifact_type: what the artifact is, a media type.
        config: a config of one's own; without one it is the empty config.
        annotations: of manifest and config, and of layers by their title.
        subject: the manifest to which this artifact is attached.
        further_tags: tags that shall name it too.
        options: how to copy.

    Returns:
        The descriptor of the manifest.

    Raises:
        UnsafePathError: for a title that no pull would write.
        AlreadyExistsError: for two contents with one title.
        SourceChangedError: if a file changes while it is being pushed.
        OrasError: whatever the destination raises.
    """
    check_titles(contents)
    annotations = annotations or AnnotationSet()
    options = options or CopyOptions()
    expect_pushes(destination)
    with Crew(options.concurrency) as crew:
        # Who watches is told of content by its digest, and so of none that has none yet.
        is_watched = type(options.listener) is not ProgressListener
        describer = Describer(None if is_watched else destination, reference, crew.token)
        staging = StagingStore(scratch, describe=describer, packed_sender=describer.packed_sender)
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
        options.listener.skipped(manifest.descriptor, "exists")
        return manifest.descriptor
    source = ManifestCache(staging)
    source.remember(manifest.descriptor, manifest.content)

    def find_successors(_: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
        # The subject is not ours to push; it may even come later (image spec, manifest.md).
        # A pushed file may itself be of a manifest's type.
        is_root = descriptor.digest == manifest.digest
        return (*manifest.layers, manifest.config) if is_root else ()

    copy_graph(
        source,
        manifest.descriptor,
        destination,
        reference=reference,
        further_tags=further_tags,
        options=evolve(options, find_successors=find_successors),
    )
    return manifest.descriptor


def _stage(
    contents: Sequence[File | Directory],
    staging: StagingStore,
    annotations: AnnotationSet,
    crew: Crew,
) -> list[Descriptor]:
    """Describe all contents, several large ones at the same time."""

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
    """Make sure that a pull can write all of `contents`.

    Raises:
        UnsafePathError: for a title that no pull would write.
        AlreadyExistsError: for two contents with one title.
    """
    seen: set[str] = set()
    for content in contents:
        title = str(sanitize_path(content.title))
        if title in seen:
            raise AlreadyExistsError(
                f"{title!r}", "this push, as the title of another file; give one another title"
            )
        seen.add(title)
