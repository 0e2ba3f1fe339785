"""Pull: download the layers of an artifact into a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import select_manifest
from oras_core.copying.copy import CopyOptions, copy_graph
from oras_core.errors import AlreadyExistsError, UnsupportedError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.model.platform import Platform
from oras_core.ports.content import Fetcher, ReadOnlyTarget, ReferenceFetcher
from oras_core.ports.files import FileTree
from oras_core.stores.file import FileStore, is_marked_for_unpacking

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["Pulled", "find_manifest", "pull"]


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
