"""The verbs of indexes: make one of manifests that a target holds, and change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.platforms import platform_of
from oras_core.copying.copy import CopyOptions, copy_graph
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
    """Describe a manifest or index as an index lists it.

    Args:
        source: where it is.
        reference: a tag or a digest there.
        platform: for which it is meant; if None, what an image's config names.
        annotations: of the entry.
        limit: the largest manifest and config accepted, in bytes.

    Raises:
        NotFoundError: if there is no such name.
        OrasError: whatever the source raises.
    """
    root = source.resolve(reference).plain()
    document = fetch_document(source, root, limit=limit)
    if platform is None and isinstance(document, Manifest):
        platform = platform_of(source, document, limit=limit)
    return evolve(
        root,
        artifact_type=document.artifact_type,
        platform=platform,
        annotations=Annotations(annotations),
    )


def read_index(source: ReadOnlyTarget, reference: str, *, limit: int = MAX_MANIFEST_SIZE) -> Index:
    """Return the index, of OCI or of Docker, that `reference` names.

    Raises:
        NotFoundError: if there is no such name.
        UnsupportedError: if it names a manifest.
        OrasError: whatever the source raises.
    """
    document = fetch_document(source, source.resolve(reference).plain(), limit=limit)
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
    """Make an index of what a target holds, and push it there.

    Args:
        target: where the entries are.
        entries: tags, digests, or descriptors as `describe_entry` makes them; in order,
            each digest once.
        tags: that shall name the index; without one it is known by its digest.
        artifact_type: what it is, a media type.
        annotations: of the index.
        subject: the manifest to which it is attached.

    Returns:
        The descriptor of the index.

    Raises:
        NotFoundError: if an entry names nothing.
        OrasError: whatever the target raises.
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
    """What shall become of an index: first entries go, then come those of others, then new ones.

    Attributes:
        remove: entries that go, by tag, digest or platform; each must be there.
        merge: tags or digests of other indexes, whose entries come.
        add: tags, digests, or descriptors that come. One of a digest that is listed takes
            that entry's place.
        annotations: of the index, besides those that it has.
    """

    remove: Sequence[str | Platform] = ()
    merge: Sequence[str] = ()
    add: Sequence[str | Descriptor] = ()
    annotations: Mapping[str, str] | None = None


def update_index(
    target: Target, reference: str, change: IndexChange, *, tags: Sequence[str] | None = None
) -> Descriptor:
    """Make a changed index, and push it.

    The old one stays, known by its digest. A Docker list stays one as long as all its
    entries are Docker's.

    Args:
        target: where the index is.
        reference: a tag or a digest there.
        change: what shall become of it.
        tags: that shall name the new index; if None, `reference` if that is a tag.

    Returns:
        The descriptor of the new index.

    Raises:
        NotFoundError: if there is no such index, or an entry names nothing.
        UnsupportedError: if `reference`, or one that is merged, names a manifest.
        OrasError: whatever the target raises.
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
    changed = codec.encode_index(
        manifests=manifests,
        artifact_type=index.artifact_type,
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
        # All that it refers to is there, or is missed by the target itself.
        options=CopyOptions(find_successors=lambda _, __: ()),
    )
    return index.descriptor
