"""Mirror: copy a whole repository, with its tags and referrers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

from attrs import field, frozen

from oras_core.content.foreign_manifests import refuse_foreign_manifest
from oras_core.content.graph import fetch_document
from oras_core.copying.blame import blaming
from oras_core.copying.copy import receiving
from oras_core.copying.crew import Crew
from oras_core.copying.extended import ReferrerFilter, extended_copy_graphs
from oras_core.copying.options import CopyOptions, Moves
from oras_core.copying.roots import from_roots
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.ports.content import ReadOnlyTarget, RootLister, TagLister, Target
from oras_core.registry.referrers_list import is_referrers_list
from oras_core.verbs.tagging import create_tags

__all__ = ["MirrorSource", "Mirrored", "mirror"]

_logger = logging.getLogger(__name__)

BATCH: Final = 64
"""Artifacts copied together: their manifests are held in memory."""


@runtime_checkable
class MirrorSource(ReadOnlyTarget, TagLister, Protocol):
    """A target that can be mirrored: it lists its tags."""


def _every(_: str) -> bool:
    return True


@frozen
class Mirrored(Moves):
    """The result of a mirror, a backup or a restore.

    Attributes:
        tags: the artifact of each selected tag, in the order of the source.
        created: those of the tags that the destination lacked, or that named another artifact
            there.
        left_out: tags, and digests of untagged artifacts, that the source lists but
            lacks: they were removed after the listing, or the source is damaged.
    """

    tags: Mapping[str, Descriptor] = field(kw_only=True)
    created: tuple[str, ...] = field(kw_only=True)
    left_out: tuple[str, ...] = field(kw_only=True)

    def __str__(self) -> str:
        """Return the counts, such as `2 tags, 1 created: moved 3 (4,096 bytes), ...`."""
        return f"{len(self.tags):,} tags, {len(self.created):,} created: {super().__str__()}"


def mirror(
    source: MirrorSource,
    destination: Target,
    *,
    includes: Callable[[str], bool] = _every,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
) -> Mirrored:
    """Copy every tagged artifact of a target, with its referrers.

    Other artifacts of the destination stay. Untagged artifacts are copied if the source can
    list them, as an OCI layout can. A registry without the referrers API lists referrers
    under tags of their own. Those tags are not copied: the referrers are, and the destination
    lists them in its own way.

    Args:
        source: the target to copy from; it must list referrers or predecessors.
        destination: the target to copy to.
        includes: selects the tags. Unless it selects all, untagged artifacts are not copied.
        referrers: selects the referrers; all by default.
        options: how to copy.

    Returns:
        The tags that were copied, and what was moved for them.

    Raises:
        UnsupportedError: if the source cannot list referrers, or has a manifest of a type whose
            successors cannot be found.
        OrasError: as `extended_copy`.

    Example:
        >>> done = mirror(repository, MemoryStore(), includes=lambda tag: tag != "multi")
        >>> sorted(done.tags)
        ['v1', 'v2']
    """
    options = options or CopyOptions()
    with blaming("list the tags", "source", None):
        names = list(source.tags())
    chosen = [name for name in names if includes(name)]

    def named() -> Mapping[str, Descriptor]:
        with Crew(options.concurrency) as crew:
            return _resolved(source, chosen, crew)

    def copied(named: Mapping[str, Descriptor]) -> Mirrored:
        found = _find(source, chosen, named, options, with_untagged=chosen == names)
        with receiving(destination) as target:
            moves = [
                extended_copy_graphs(source, batch, target, referrers=referrers, options=options)
                for batch in _batches(found.roots)
            ]
            created = create_tags(source, target, found.tags, options)
        sums = Moves.sum(moves)
        return Mirrored(
            sums.moved,
            sums.skipped,
            sums.mounted,
            tags=found.tags,
            created=tuple(tag for tag in found.tags if tag in created),
            left_out=found.left_out,
        )

    return from_roots(named, copied)


@frozen
class _Found:
    """The artifacts that a mirror copies.

    Attributes:
        tags: the artifacts that are tagged, by tag.
        roots: all artifacts, each once.
        left_out: tags and digests that the source lists and does not have.
    """

    tags: Mapping[str, Descriptor]
    roots: Sequence[Descriptor]
    left_out: tuple[str, ...]


def _find(
    source: MirrorSource,
    chosen: Sequence[str],
    named: Mapping[str, Descriptor],
    options: CopyOptions,
    *,
    with_untagged: bool,
) -> _Found:
    """Return the artifacts of the tags that were resolved, and those without a tag."""
    with Crew(options.concurrency) as crew:
        lists = {name: found for name, found in named.items() if is_referrers_list(name, found)}
        referring = [d for found in lists.values() for d in _listed(source, found, options)]
        listed = _resolved(source, dict.fromkeys(str(d.digest) for d in referring), crew)
        untagged = []
        if with_untagged and isinstance(source, RootLister):
            untagged = [str(root.digest) for root in source.roots()]
        others = _resolved(source, untagged, crew)
    left_out = tuple(name for name in (*chosen, *untagged) if name not in {**named, **others})
    for name in left_out:
        _logger.warning("left out %s: the source lists it, but does not have its manifest", name)
    tags = {name: found for name, found in named.items() if name not in lists}
    roots = {d.digest: d.plain() for d in (*others.values(), *tags.values(), *listed.values())}
    if options.find_successors is None:
        for root in roots.values():
            with blaming("read", "source", root):
                refuse_foreign_manifest(source, root, "copy it", limit=options.manifest_size)
    return _Found(tags, tuple(roots.values()), left_out)


def _resolved(source: ReadOnlyTarget, names: Iterable[str], crew: Crew) -> Mapping[str, Descriptor]:
    """Resolve the names; leave out those that the source does not have."""

    def resolve(name: str) -> Descriptor | None:
        try:
            with blaming("resolve", "source", None):
                return source.resolve(name)
        except NotFoundError:
            return None

    names = list(names)
    found = crew.each(resolve, names)
    return {name: d for name, d in zip(names, found, strict=True) if d is not None}


def _listed(
    source: ReadOnlyTarget, found: Descriptor, options: CopyOptions
) -> tuple[Descriptor, ...]:
    with blaming("fetch", "source", found):
        document = fetch_document(source, found.plain(), limit=options.manifest_size)
    return document.manifests if isinstance(document, Index) else ()


def _batches(roots: Sequence[Descriptor]) -> Iterator[Sequence[Descriptor]]:
    for start in range(0, len(roots), BATCH):
        yield roots[start : start + BATCH]
