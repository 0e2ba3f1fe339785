"""Copy an artifact with its referrers: signatures, attestations, and their own referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.referrers import MAX_REFERRERS, referrers_of
from oras_core.content.sources import FetchedSource
from oras_core.copying.blame import blaming
from oras_core.copying.copy import copy_graph, copy_graphs, find_root, receiving
from oras_core.copying.crew import Crew
from oras_core.copying.options import Copied, CopyOptions, Moves
from oras_core.errors import SizeLimitError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.ports.content import (
    Fetcher,
    ReadOnlyTarget,
    ReferencePusher,
    ReferrerLister,
    Storage,
    Target,
)
from oras_core.ports.progress import ProgressListener

__all__ = ["ReferrerFilter", "extended_copy", "extended_copy_graphs"]


def _every(_: Descriptor) -> bool:
    return True


@frozen
class ReferrerFilter:
    """Selects the referrers to copy.

    Attributes:
        includes: tells whether to copy a referrer, by its descriptor with artifact type and
            annotations. The referrers of an excluded referrer are excluded too.
            `oras_core.content.referrers` makes such predicates.
        depth: the number of levels of referrers of referrers; None for all.
    """

    includes: Callable[[Descriptor], bool] = _every
    depth: int | None = None


def extended_copy(
    source: ReadOnlyTarget,
    reference: str,
    destination: Target,
    destination_reference: str | None = None,
    *,
    referrers: ReferrerFilter | None = None,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Copied:
    """Copy an artifact, everything that it refers to, and everything that refers to it.

    Referrers of the root, of the manifests of an index, and of other referrers are copied.
    They arrive before the tag is created: a client that sees the tag finds the signatures.

    Args:
        source: the target to copy from; it must list referrers or predecessors.
        reference: a tag or a digest in the source.
        destination: the target to copy to.
        destination_reference: the tag to create; `reference` if None. No tag is created for
            a digest.
        referrers: selects the referrers; all by default.
        further_tags: more tags to create.
        options: how to copy.

    Returns:
        The root, and what was moved for it and its referrers.

    Raises:
        UnsupportedError: if the source cannot list referrers.
        SizeLimitError: if there are more than `MAX_REFERRERS`.
        OrasError: as `copy`.
    """
    options = options or CopyOptions()
    root = find_root(source, reference, options)
    name = destination_reference or reference
    tags = [tag for tag in (name, *further_tags) if ":" not in tag]
    with receiving(destination) as target:
        moves = extended_copy_graphs(source, [root], target, referrers=referrers, options=options)
        if tags:
            # The listener has been told about the root.
            quiet = evolve(options, listener=ProgressListener())
            copy_graph(source, root.plain(), target, further_tags=tags, options=quiet)
    return Copied.of(root, moves)


def extended_copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
) -> Moves:
    """Copy several roots with their referrers, without tags.

    The limits hold for each root with its referrers: roots that exceed them together are copied
    one after the other.

    Raises: as `extended_copy`.
    """
    options, referrers = options or CopyOptions(), referrers or ReferrerFilter()
    with receiving(destination) as target:
        return Moves.sum(_copy_within_limits(source, roots, target, referrers, options))


def _copy_within_limits(
    source: Fetcher,
    roots: Sequence[Descriptor],
    target: Storage,
    referrers: ReferrerFilter,
    options: CopyOptions,
) -> list[Moves]:
    try:
        return [_copy_together(source, roots, target, referrers, options)]
    except SizeLimitError:
        if len(roots) < 2:
            raise
    half = len(roots) // 2
    return [
        moves
        for part in (roots[:half], roots[half:])
        for moves in _copy_within_limits(source, part, target, referrers, options)
    ]


def _copy_together(
    source: Fetcher,
    roots: Sequence[Descriptor],
    target: Storage,
    referrers: ReferrerFilter,
    options: CopyOptions,
) -> Moves:
    cached = ManifestCache(source, limit=options.manifest_size)
    with Crew(options.concurrency) as crew:
        search = _Search(source, cached, referrers, options)
        found = search.run(roots, crew)
    wanted = {r.digest: r for of_one in found.values() for r in of_one}
    moves = copy_graphs(
        source,
        [*(root.plain() for root in roots), *(referrer.plain() for referrer in wanted.values())],
        target,
        cached=cached,
        options=options,
    )
    if isinstance(target, ReferrerLister) and isinstance(target, ReferencePusher):
        skipped = {descriptor.digest for descriptor in moves.skipped}
        for subject, of_one in found.items():
            present = [referrer for referrer in of_one if referrer.digest in skipped]
            if present:
                _relist(cached, search.nodes[subject], present, target, target)
    return moves


class _Search:
    """Finds referrers, one generation at a time. Threads share its methods.

    Attributes:
        nodes: the manifests and indexes whose referrers were requested, by digest.
    """

    def __init__(
        self,
        source: Fetcher,
        cached: Fetcher,
        referrers: ReferrerFilter,
        options: CopyOptions,
    ) -> None:
        self.nodes: dict[Digest, Descriptor] = {}
        self._source = source
        self._cached = cached
        self._referrers = referrers
        self._limit = options.manifest_size
        self._count = 0
        self._lock = ForkSafeLock()

    def run(self, roots: Iterable[Descriptor], crew: Crew) -> Mapping[Digest, Sequence[Descriptor]]:
        """Return the referrers of each manifest that has any, by the digest of the manifest."""
        found: dict[Digest, Sequence[Descriptor]] = {}
        depth = self._referrers.depth
        generation = list(roots)
        while generation and depth != 0:
            depth = None if depth is None else depth - 1
            new = self._new(node for below in crew.each(self._below, generation) for node in below)
            by_subject = crew.each(self._referrers_of, new)
            generation = []
            for subject, of_one in zip(new, by_subject, strict=True):
                if of_one:
                    found[subject.digest] = of_one
                    generation.extend(of_one)
        return found

    def _new(self, nodes: Iterable[Descriptor]) -> list[Descriptor]:
        new = {node.digest: node for node in nodes if node.digest not in self.nodes}
        self.nodes |= new
        return list(new.values())

    def _below(self, root: Descriptor) -> list[Descriptor]:
        """Return `root` and, for an index, every manifest in it, at any depth."""
        below: dict[Digest, Descriptor] = {}
        waiting = [root]
        while waiting:
            node = waiting.pop()
            if not node.has_successors or node.digest in below:
                continue
            below[node.digest] = node
            if node.is_index:
                with blaming("fetch", "source", node):
                    document = fetch_document(self._cached, node.plain(), limit=self._limit)
                if isinstance(document, Index):
                    waiting.extend(document.manifests)
        return list(below.values())

    def _referrers_of(self, subject: Descriptor) -> Sequence[Descriptor]:
        with blaming("list the referrers of", "source", subject):
            found: dict[Digest, Descriptor] = {}
            for referrer in referrers_of(self._source, subject, limit=self._limit):
                self._count_one()
                if self._referrers.includes(referrer):
                    found.setdefault(referrer.digest, referrer)
            return tuple(found.values())

    def _count_one(self) -> None:
        with self._lock:
            self._count += 1
            if self._count > MAX_REFERRERS:
                raise SizeLimitError("the tree of referrers", MAX_REFERRERS, unit="referrers")


def _relist(
    source: Fetcher,
    subject: Descriptor,
    referrers: Iterable[Descriptor],
    lister: ReferrerLister,
    pusher: ReferencePusher,
) -> None:
    """Push again the referrers that are present but not listed at the destination.

    Without the referrers API each client updates the list itself. A client may have ended
    between its push and its update.
    """
    with blaming("list the referrers of", "destination", subject):
        listed = {referrer.digest for referrer in lister.referrers(subject)}
    for referrer in referrers:
        if referrer.digest not in listed:
            with blaming("push", "destination", referrer):
                plain = referrer.plain()
                pusher.push_reference(plain, FetchedSource(source, plain), str(referrer.digest))
