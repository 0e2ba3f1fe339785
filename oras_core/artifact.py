"""The verbs: push files as an artifact, pull an artifact as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, field, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import select_manifest
from oras_core.copy_crew import Crew
from oras_core.copying import CopyOptions, copy_graph, expect_pushes
from oras_core.errors import AlreadyExistsError, UnsupportedError
from oras_core.ingestion import Describer, is_large
from oras_core.model import media_types
from oras_core.model.annotations import MANIFEST_SECTION, Annotations, AnnotationSet
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.model.platform import Platform
from oras_core.packing import pack_manifest
from oras_core.ports.content import ByteSource, Fetcher, ReadOnlyTarget, ReferenceFetcher, Target
from oras_core.ports.files import FileTree
from oras_core.ports.progress import ProgressListener
from oras_core.stores.file import FileStore, is_marked_for_unpacking
from oras_core.stores.staging import StagingStore

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["Config", "Directory", "File", "Pulled", "check_titles", "find_manifest", "pull", "push"]


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


@frozen
class Pulled:
    """What a pull has brought.

    Attributes:
        root: the descriptor of what the reference names: a manifest or an index.
        manifest: the manifest that was pulled.
        files: the paths of the layers, in the manifest's order; a directory is one path.
    """

    root: Descriptor
    manifest: Manifest
    files: tuple[SafePath, ...]


def _own_title(descriptor: Descriptor) -> str | None:
    return descriptor.title


def _everything(_: Descriptor) -> bool:
    return True


def pull(
    source: ReadOnlyTarget,
    reference: str,
    tree: FileTree,
    *,
    platform: Platform | None = None,
    includes: Callable[[Descriptor], bool] = _everything,
    title_of: Callable[[Descriptor], str | None] = _own_title,
    unpacks: Callable[[Descriptor], bool] = is_marked_for_unpacking,
    limits: Limits | None = None,
    compressions: Callable[[], Sequence[Compression]] = tuple,
    options: CopyOptions | None = None,
) -> Pulled:
    """Pull the layers of an artifact into a folder.

    Every title is checked before anything is written.

    Args:
        source: where from.
        reference: a tag or a digest.
        tree: the folder.
        platform: which manifest of an index is meant.
        includes: which layers are wanted.
        title_of: how a layer is called; a layer without a title is left out.
        unpacks: which layers are packed directories.
        limits: bounds of what is accepted.
        compressions: returns what packed directories may be compressed by, besides gzip by
            the standard library; called when there is one.
        options: how to copy.

    Raises:
        NotFoundError: if there is no such name, or no manifest for the platform.
        UnsafePathError: if a title leads out of the folder.
        AlreadyExistsError: if two layers with different content have one title.
        ContentError: if content is not what the manifest promises.
        UnsafeArchiveError: if a packed directory holds what may not be unpacked.
        OrasError: whatever the source raises.
    """
    limits = limits or Limits()
    cached = ManifestCache(source, limit=limits.manifest_size)
    root = _find_root(source, cached, reference)
    chosen, manifest = _choose(cached, root, platform, limits)
    cached.remember(chosen, manifest.content)
    layers = _titled_layers(manifest, includes, title_of)

    def find_successors(_: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
        # A layer may itself be of a manifest's type: it is a file like the others.
        return layers if descriptor.digest == chosen.digest else ()

    copy_graph(
        cached,
        chosen.plain(),  # the manifest is no file, whatever title an index gives it
        FileStore(tree, unpacks=unpacks, limits=limits, compressions=compressions),
        options=evolve(
            options or CopyOptions(),
            manifest_size=limits.manifest_size,
            find_successors=find_successors,
        ),
    )
    return Pulled(root, manifest, tuple(sanitize_path(str(layer.title)) for layer in layers))


def find_manifest(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> Descriptor:
    """Return which manifest `pull` would pull, if `reference` names an index.

    Raises:
        NotFoundError: if there is no such name, or no manifest for the platform.
        UnsupportedError: if an index leaves a choice, and no platform was named.
        OrasError: whatever the source raises.
    """
    limits = limits or Limits()
    cached = ManifestCache(source, limit=limits.manifest_size)
    chosen, _ = _choose(cached, _find_root(source, cached, reference), platform, limits)
    return chosen


def _find_root(source: ReadOnlyTarget, cached: ManifestCache, reference: str) -> Descriptor:
    if isinstance(source, ReferenceFetcher):
        root, content = source.fetch_reference(reference)
        cached.remember(root, content)
        return root
    return source.resolve(reference)


def _choose(
    cached: ManifestCache, root: Descriptor, platform: Platform | None, limits: Limits
) -> tuple[Descriptor, Manifest]:
    """Follow an index, and indexes in it, to one manifest."""
    chosen = root
    if platform is not None:
        chosen = select_manifest(cached, root, platform, limit=limits.manifest_size)
    while True:
        document = fetch_document(cached, chosen, limit=limits.manifest_size)
        if isinstance(document, Manifest):
            return chosen, document
        chosen = _only_entry(document)


def _only_entry(index: Index) -> Descriptor:
    if len(index.manifests) != 1:
        offered = ", ".join(str(d.platform or d.digest) for d in index.manifests)
        raise UnsupportedError(
            f"pull the index {index.digest} as files",
            f"it holds several manifests, choose a platform: {offered}"
            if offered
            else "it is empty",
        )
    return index.manifests[0]


def _titled_layers(
    manifest: Manifest,
    includes: Callable[[Descriptor], bool],
    title_of: Callable[[Descriptor], str | None],
) -> list[Descriptor]:
    """Give every wanted layer the title under which it is written, checked."""
    titled: dict[str, Descriptor] = {}
    for layer in filter(includes, manifest.layers):
        title = title_of(layer)
        if title is None:
            continue
        path = str(sanitize_path(title))
        if titled.setdefault(path, layer).digest != layer.digest:
            raise AlreadyExistsError(f"{path!r}", "the artifact, as the title of another layer")
    return [
        layer.with_annotations({media_types.ANNOTATION_TITLE: path})
        for path, layer in titled.items()
    ]


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
