"""Mirror: copy a whole repository, with its tags and referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, Protocol, runtime_checkable

from attrs import evolve

from oras_core.content.graph import fetch_document
from oras_core.copying.blame import blaming
from oras_core.copying.copy import CopyOptions, copy_graph
from oras_core.copying.crew import Crew
from oras_core.copying.extended import ReferrerFilter, extended_copy_graphs
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.ports.content import ReadOnlyTarget, RootLister, TagLister, Target
from oras_core.ports.progress import ProgressListener
from oras_core.registry.referrers_list import is_referrers_tag

__all__ = ["MirrorSource", "mirror"]

BATCH: Final = 64
"""Artifacts copied together: their manifests are held in memory."""


@runtime_checkable
class MirrorSource(ReadOnlyTarget, TagLister, Protocol):
    """A target that can be mirrored: it lists its tags."""


def _every(_: str) -> bool:
    return True


def mirror(
    source: MirrorSource,
    destination: Target,
    *,
    includes: Callable[[str], bool] = _every,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
) -> Mapping[str, Descriptor]:
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
        The descriptor of the artifact of each tag.

    Raises:
        UnsupportedError: if the source cannot list referrers.
        OrasError: as `extended_copy`.
    """
    options = options or CopyOptions()
    with blaming("list the tags", "source", None):
        names = list(source.tags())
    chosen = [name for name in names if includes(name)]
    with Crew(options.concurrency) as crew:
        named = _resolved(source, chosen, crew)
        lists = {name: found for name, found in named.items() if _is_list(name, found)}
        referring = [d for found in lists.values() for d in _listed(source, found, options)]
        listed = _resolved(source, dict.fromkeys(str(d.digest) for d in referring), crew)
    tags = {name: found for name, found in named.items() if name not in lists}
    roots = {found.digest: found.plain() for found in (*tags.values(), *listed.values())}
    if isinstance(source, RootLister) and chosen == names:
        roots = {**{root.digest: root.plain() for root in source.roots()}, **roots}
    for batch in _batches(roots.values()):
        extended_copy_graphs(source, batch, destination, referrers=referrers, options=options)
    names_of = _by_digest(tags)

    def give_names(digest: Digest) -> None:
        _name(source, roots[digest], destination, names_of[digest], options)

    # While distribution stores a manifest again, it answers 404 for it, and would refuse an
    # index that contains it: indexes are tagged later, one by one.
    with Crew(options.concurrency) as crew:
        crew.each(give_names, [digest for digest in names_of if not roots[digest].is_index])
    for digest in names_of:
        if roots[digest].is_index:
            give_names(digest)
    return tags


def _resolved(source: ReadOnlyTarget, names: Iterable[str], crew: Crew) -> Mapping[str, Descriptor]:
    """Resolve the names; leave out a name that was removed since it was listed."""

    def resolve(name: str) -> Descriptor | None:
        try:
            with blaming("resolve", "source", None):
                return source.resolve(name)
        except NotFoundError:
            return None

    names = list(names)
    found = crew.each(resolve, names)
    return {name: d for name, d in zip(names, found, strict=True) if d is not None}


def _is_list(name: str, found: Descriptor) -> bool:
    return is_referrers_tag(name) and found.is_index


def _listed(
    source: ReadOnlyTarget, found: Descriptor, options: CopyOptions
) -> tuple[Descriptor, ...]:
    with blaming("fetch", "source", found):
        document = fetch_document(source, found.plain(), limit=options.manifest_size)
    return document.manifests if isinstance(document, Index) else ()


def _batches(roots: Iterable[Descriptor]) -> Iterator[list[Descriptor]]:
    waiting = list(roots)
    while waiting:
        yield waiting[:BATCH]
        waiting = waiting[BATCH:]


def _by_digest(tags: Mapping[str, Descriptor]) -> Mapping[Digest, list[str]]:
    names: dict[Digest, list[str]] = {}
    for name, found in tags.items():
        names.setdefault(found.digest, []).append(name)
    return names


def _name(
    source: ReadOnlyTarget,
    root: Descriptor,
    destination: Target,
    names: Iterable[str],
    options: CopyOptions,
) -> None:
    """Create those tags of a copied artifact that the destination lacks."""
    missing = [name for name in names if not _has_name(destination, root, name)]
    if missing:
        quiet = evolve(options, concurrency=1, listener=ProgressListener())
        copy_graph(source, root, destination, further_tags=missing, options=quiet)


def _has_name(destination: Target, root: Descriptor, name: str) -> bool:
    with blaming("resolve", "destination", root):
        try:
            return destination.resolve(name).digest == root.digest
        except NotFoundError:
            return False
