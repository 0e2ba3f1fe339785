"""Create an index from manifests in a target, and change an index."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import platform_of
from oras_core.content.roots import read_root
from oras_core.copying.copy import copy_graph
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.model import codec, media_types
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.platform import Platform
from oras_core.ports.content import ReadOnlyTarget, Target

__all__ = ["IndexChange", "create_index", "describe_entry", "read_index", "update_index"]

_DOCKER_ENTRIES = (media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST_LIST)


def describe_entry(
    source: ReadOnlyTarget,
    reference: str,
    *,
    platform: Platform | None = None,
    annotations: Mapping[str, str] | None = None,
    limit: int = MAX_MANIFEST_SIZE,
) -> Descriptor:
    """Return the descriptor of a manifest or index as an entry of an index.

    Args:
        source: the target that holds it.
        reference: a tag or a digest in `source`.
        platform: the platform of the entry; None for the platform in the image's config.
        annotations: annotations of the entry.
        limit: the largest manifest and config to accept, in bytes.

    Raises:
        NotFoundError: if `source` has no such reference.
        OrasError: any error of the source.

    Example:
        >>> linux = Platform("linux", "amd64")
        >>> entry = describe_entry(repository, "v1", platform=linux)
        >>> root = create_index(repository, [entry], tags=["images"])
    """
    cached = ManifestCache(source, limit=limit)
    root = read_root(source, reference, cached=cached)
    document = fetch_document(cached, root, limit=limit)
    if platform is None and isinstance(document, Manifest):
        platform = platform_of(source, document, limit=limit)
    return evolve(
        root,
        artifact_type=document.artifact_type,
        platform=platform,
        annotations=Annotations(annotations),
    )


def read_index(source: ReadOnlyTarget, reference: str, *, limit: int = MAX_MANIFEST_SIZE) -> Index:
    """Return the OCI index or Docker manifest list that `reference` names.

    Raises:
        NotFoundError: if `source` has no such reference.
        UnsupportedError: if `reference` names a manifest.
        OrasError: any error of the source.

    Example:
        >>> len(read_index(repository, "multi").manifests)
        2
    """
    cached = ManifestCache(source, limit=limit)
    document = fetch_document(cached, read_root(source, reference, cached=cached), limit=limit)
    if isinstance(document, Manifest):
        raise UnsupportedError(f"read {reference} as an index", "it is an image manifest")
    return document


def create_index(
    target: Target,
    entries: Iterable[str | Descriptor],
    *,
    tags: Sequence[str] = (),
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    subject: Descriptor | None = None,
) -> Descriptor:
    """Create an index of manifests in a target, and push it to that target.

    Args:
        target: the target that holds the entries.
        entries: tags, digests, or descriptors from `describe_entry`, in order; duplicate
            digests are dropped.
        tags: the tags to create; without one the index is known by its digest alone.
        artifact_type: the artifact type of the index, a media type.
        annotations: annotations of the index.
        subject: the manifest that the index refers to.

    Returns:
        The descriptor of the index.

    Raises:
        NotFoundError: if an entry does not exist.
        OrasError: any error of the target.

    Example:
        >>> root = create_index(repository, ["v1", "v2"], tags=["all"])
        >>> len(read_index(repository, "all").manifests)
        2
    """
    index = codec.encode_index(
        manifests=tuple(_by_digest(_described(target, entries)).values()),
        artifact_type=artifact_type,
        annotations=annotations,
        subject=subject and subject.plain(),
    )
    return _push(target, index, tags)


@frozen
class IndexChange:
    """A change of an index: entries are removed, then merged, then added.

    Attributes:
        remove: entries to remove, by tag, digest or platform; each must be in the index.
        merge: tags or digests of other indexes whose entries are added.
        add: tags, digests, or descriptors to add. An entry with the digest of a present
            entry replaces it.
        annotations: annotations to add to those of the index.
        artifact_type: the new type of the index, a media type; empty for no type, None to
            keep the type.
    """

    remove: Sequence[str | Platform] = ()
    merge: Sequence[str] = ()
    add: Sequence[str | Descriptor] = ()
    annotations: Mapping[str, str] | None = None
    artifact_type: str | None = None


def update_index(
    target: Target, reference: str, change: IndexChange, *, tags: Sequence[str] | None = None
) -> Descriptor:
    """Push a changed copy of an index.

    The old index stays, known by its digest. A Docker manifest list remains one as long as
    all its entries have Docker's media types.

    Args:
        target: the target that holds the index.
        reference: a tag or a digest in `target`.
        change: the change to make.
        tags: the tags of the new index; None for `reference`, if that is a tag.

    Returns:
        The descriptor of the new index.

    Raises:
        NotFoundError: if there is no such index, or an entry does not exist.
        UnsupportedError: if `reference`, or an index to merge, is a manifest.
        OrasError: any error of the target.

    Example:
        >>> root = update_index(repository, "multi", IndexChange(remove=["v2"]))
        >>> len(read_index(repository, "multi").manifests)
        1
    """
    index = read_index(target, reference)
    entries = _by_digest(index.manifests)
    for unwanted in change.remove:
        for digest in _found(target, index, unwanted):
            entries.pop(digest, None)
    for other in change.merge:
        entries |= _by_digest(read_index(target, other).manifests)
    entries |= _by_digest(_described(target, change.add))
    manifests = tuple(entries.values())
    same_type = change.artifact_type is None
    changed = codec.encode_index(
        manifests=manifests,
        artifact_type=index.artifact_type if same_type else change.artifact_type,
        annotations=(index.annotations | (change.annotations or {})) or None,
        subject=index.subject,
        media_type=_media_type(index, manifests),
    )
    if tags is None:
        tags = () if ":" in reference else (reference,)
    return _push(target, changed, tags)


def _by_digest(entries: Iterable[Descriptor]) -> dict[Digest, Descriptor]:
    return {entry.digest: entry for entry in entries}


def _described(target: Target, entries: Iterable[str | Descriptor]) -> Iterable[Descriptor]:
    for entry in entries:
        yield describe_entry(target, entry) if isinstance(entry, str) else entry


def _found(target: Target, index: Index, unwanted: str | Platform) -> list[Digest]:
    if isinstance(unwanted, Platform):
        found = [
            entry.digest
            for entry in index.manifests
            if entry.platform is not None and unwanted.accepts(entry.platform)
        ]
    else:
        digest = Digest.parse(unwanted) if ":" in unwanted else target.resolve(unwanted).digest
        found = [entry.digest for entry in index.manifests if entry.digest == digest]
    if not found:
        raise NotFoundError(str(unwanted), f"index {index.digest}")
    return found


def _media_type(index: Index, entries: Iterable[Descriptor]) -> str:
    is_docker = index.media_type == media_types.DOCKER_MANIFEST_LIST
    stays = is_docker and all(entry.media_type in _DOCKER_ENTRIES for entry in entries)
    return media_types.DOCKER_MANIFEST_LIST if stays else media_types.OCI_INDEX


def _push(target: Target, index: Index, tags: Sequence[str]) -> Descriptor:
    source = ManifestCache(target)
    source.remember(index.descriptor, index.content)
    copy_graph(
        source,
        index.descriptor.plain(),
        target,
        further_tags=tags,
        # The entries are in the target; the target reports a missing one.
        options=CopyOptions(find_successors=lambda _, __: ()),
    )
    return index.descriptor
