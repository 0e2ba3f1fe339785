"""Pull: download the layers of an artifact into a folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import select_manifest
from oras_core.content.roots import read_root
from oras_core.copying.copy import copy_graph
from oras_core.copying.options import CopyOptions
from oras_core.errors import TitleCollisionError, UnsupportedError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.paths import SafePath, sanitize_folder, sanitize_path
from oras_core.model.platform import Platform
from oras_core.model.titles import find_collision
from oras_core.model.values import Value
from oras_core.ports.content import Fetcher, ReadOnlyTarget
from oras_core.ports.files import FileTree, names_of
from oras_core.stores.file import FileStore, is_marked_for_unpacking
from oras_core.verbs.selection import FileSelection, fetch_parts, find_parts

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["Pulled", "fetch_artifact", "file_layers", "find_manifest", "pull"]


P_co = TypeVar("P_co", covariant=True)


@frozen(eq=False, repr=False)
class Pulled(Value, Generic[P_co]):
    """The result of a pull. The files are paths in the destination folder, or on the disk.

    Attributes:
        root: the descriptor of the manifest or index that the reference names.
        manifest: the pulled manifest.
        files: paths of the layers in the order of the manifest; a directory is one path.
        unverified: paths of the directories of which only a part was fetched. The digest of a
            directory covers all of its bytes, so a part cannot be verified.
    """

    root: Descriptor
    manifest: Manifest
    files: tuple[P_co, ...]
    unverified: tuple[P_co, ...] = ()


def _own_title(descriptor: Descriptor) -> str | None:
    return descriptor.title


def pull(
    source: ReadOnlyTarget,
    reference: str,
    tree: FileTree,
    *,
    platform: Platform | None = None,
    selection: FileSelection | None = None,
    title_of: Callable[[Descriptor], str | None] = _own_title,
    unpacks: Callable[[Descriptor], bool] = is_marked_for_unpacking,
    limits: Limits | None = None,
    compressions: Callable[[], Sequence[Compression]] = tuple,
    options: CopyOptions | None = None,
) -> Pulled[SafePath]:
    """Pull the layers of an artifact into a folder.

    All titles are checked before the first file is written.

    If the selection has some members of a packed directory, the others are not written. Of a
    directory without compression, only the bytes of the selected members are fetched, if the
    source supports ranges and this saves at least half of the transfer. These bytes cannot be
    verified, and `Pulled.unverified` names the directory. Any other directory is fetched whole and
    verified.

    Args:
        source: the source target.
        reference: a tag or a digest.
        tree: the destination folder.
        platform: selects a manifest of an index.
        selection: the files to pull; None for all.
        title_of: returns the title of a layer; None skips the layer.
        unpacks: tells whether a layer is a packed directory.
        limits: limits for accepted data.
        compressions: returns the accepted compressions of packed directories, besides gzip
            by the standard library; called when there is a directory.
        options: options of the copy.

    Raises:
        NotFoundError: if the reference, or a manifest for the platform, does not exist.
        UnsafePathError: if a title leads out of the folder.
        TitleCollisionError: if two layers have the same title, or one title is inside another.
        ContentError: if a blob does not match its descriptor.
        UnsafeArchiveError: if a member of a packed directory must not be unpacked.
        UnsupportedError: if a selected member is a hard link to one that is not selected.
        OrasError: any error of the source.

    Example:
        >>> pulled = pull(repository, "v1", tree)
        >>> [str(path) for path in pulled.files]
        ['weights', 'card.md']
    """
    limits = limits or Limits()
    cached = ManifestCache(source, limit=limits.manifest_size)
    root = read_root(source, reference, cached=cached)
    chosen, manifest = _choose(cached, root, platform, limits)
    cached.remember(chosen, manifest.content)
    options = options or CopyOptions()
    selection = selection or FileSelection()
    layers = _titled_layers(manifest, tree, selection, title_of, unpacks)
    directories = {path: layer for path, layer in layers.items() if unpacks(layer)}
    parts = find_parts(
        source, tree, directories, paths=selection.paths, limits=limits, compressions=compressions
    )
    store = FileStore(
        tree, unpacks=unpacks, limits=limits, compressions=compressions, paths=selection.paths
    )

    def find_successors(_: Fetcher, descriptor: Descriptor) -> Sequence[Descriptor]:
        # A layer may have the media type of a manifest; it is a file nevertheless.
        if descriptor.digest != chosen.digest:
            return ()
        return [layer for path, layer in layers.items() if path not in parts]

    copy_graph(
        cached,
        chosen.plain(),  # the manifest is not a file, even if an index gives it a title
        store,
        options=evolve(
            options,
            manifest_size=limits.manifest_size,
            find_successors=find_successors,
        ),
    )
    wanted = {path: part for path, part in parts.items() if part.members}
    fetch_parts(wanted, tree, options.listener)
    left_out = store.left_out | (parts.keys() - wanted.keys())
    return Pulled(
        root, manifest, tuple(path for path in layers if path not in left_out), tuple(wanted)
    )


def find_manifest(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> Descriptor:
    """Return the descriptor of the manifest that `pull` would pull.

    Raises:
        NotFoundError: if the reference, or a manifest for the platform, does not exist.
        UnsupportedError: if an index has several manifests and `platform` is None.
        OrasError: any error of the source.

    Example:
        >>> find_manifest(repository, "v1") == repository.resolve("v1")
        True
    """
    return _find(source, reference, platform, limits or Limits())[0]


def fetch_artifact(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    limits: Limits | None = None,
) -> Manifest:
    """Return the manifest that `pull` would pull, verified. Raises: as `find_manifest`."""
    return _find(source, reference, platform, limits or Limits())[1]


def _find(
    source: ReadOnlyTarget, reference: str, platform: Platform | None, limits: Limits
) -> tuple[Descriptor, Manifest]:
    cached = ManifestCache(source, limit=limits.manifest_size)
    return _choose(cached, read_root(source, reference, cached=cached), platform, limits)


def _choose(
    cached: ManifestCache, root: Descriptor, platform: Platform | None, limits: Limits
) -> tuple[Descriptor, Manifest]:
    """Follow nested indexes to one manifest."""
    chosen = root
    if platform is not None:
        chosen = select_manifest(cached, root, platform, limit=limits.manifest_size)
    while True:
        document = fetch_document(cached, chosen, limit=limits.manifest_size)
        if isinstance(document, Manifest):
            return chosen, document
        chosen = _only_entry(document)


def _only_entry(index: Index) -> Descriptor:
    entries = index.images or index.manifests
    if len(entries) != 1:
        offered = ", ".join(str(d.platform or d.digest) for d in entries)
        raise UnsupportedError(
            f"pull the index {index.digest} as files",
            f"it has several manifests; choose a platform: {offered}" if offered else "it is empty",
        )
    return entries[0]


def file_layers(manifest: Manifest) -> list[Descriptor]:
    """Return the layers of a manifest that are files or directories.

    An artifact without files has the empty descriptor as its only layer (image spec,
    manifest.md). A layer with a title is a file, whatever its media type.
    """
    return [layer for layer in manifest.layers if layer.title or not layer.is_empty]


def _titled_layers(
    manifest: Manifest,
    tree: FileTree,
    selection: FileSelection,
    title_of: Callable[[Descriptor], str | None],
    unpacks: Callable[[Descriptor], bool],
) -> dict[SafePath, Descriptor]:
    """Return the selected layers by path, each with its checked title."""
    titled: dict[SafePath, Descriptor] = {}
    for layer in filter(selection.layers, file_layers(manifest)):
        title = title_of(layer)
        if title is None:
            continue
        is_directory = unpacks(layer)
        path = sanitize_folder(title) if is_directory else sanitize_path(title)
        if not selection.may_have(path, is_directory=is_directory):
            continue
        names_of(tree).check(path)
        if titled.setdefault(path, layer).digest != layer.digest:
            raise TitleCollisionError(str(path), str(path), "the artifact")
    if collision := find_collision(titled, names_of(tree)):
        title, other = map(str, collision)
        raise TitleCollisionError(title, other, "the artifact")
    return {path: _with_title(layer, str(path)) for path, layer in titled.items()}


def _with_title(layer: Descriptor, title: str) -> Descriptor:
    if layer.title == title:
        return layer
    return layer.with_annotations({media_types.ANNOTATION_TITLE: title})
