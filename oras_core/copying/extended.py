"""Copy an artifact with its referrers: signatures, attestations, and their own referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import evolve, frozen

from oras_core.content.graph import ManifestCache, fetch_document
from oras_core.content.referrers import MAX_REFERRERS, referrers_of
from oras_core.content.sources import FetchedSource
from oras_core.copying.blame import blaming
from oras_core.copying.copy import CopyOptions, copy_graph, copy_graphs, find_root
from oras_core.copying.crew import Crew
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
from oras_core.ports.progress import ProgressListener, SkipReason

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
) -> Descriptor:
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
        The descriptor of the root.

    Raises:
        UnsupportedError: if the source cannot list referrers.
        SizeLimitError: if there are more than `MAX_REFERRERS`.
        OrasError: as `copy`.
    """
    options = options or CopyOptions()
    root = find_root(source, reference, options)
    extended_copy_graphs(source, [root], destination, referrers=referrers, options=options)
    name = destination_reference or reference
    tags = [tag for tag in (name, *further_tags) if ":" not in tag]
    if tags:
        first, *others = tags
        copy_graph(
            source,
            root.plain(),
            destination,
            reference=first,
            further_tags=others,
            options=evolve(options, listener=ProgressListener()),  # it has been told already
        )
    return root


def extended_copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
) -> None:
    """Copy several roots with their referrers, without tags.

    Raises: as `extended_copy`.
    """
    options = options or CopyOptions()
    cached = ManifestCache(source, limit=options.manifest_size)
    with Crew(options.concurrency) as crew:
        search = _Search(source, cached, referrers or ReferrerFilter(), options)
        found = search.run(roots, crew)
    noting = _SkipNoter(options.listener)
    wanted = {r.digest: r for of_one in found.values() for r in of_one}
    copy_graphs(
        source,
        [*(root.plain() for root in roots), *(referrer.plain() for referrer in wanted.values())],
        destination,
        options=evolve(options, listener=noting),
    )
    if isinstance(destination, ReferrerLister):
        for subject, of_one in found.items():
            if noting.skipped_digests.intersection(r.digest for r in of_one):
                _relist(cached, search.nodes[subject], of_one, destination)


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
    destination: ReferrerLister,
) -> None:
    """Push again the referrers that are present but not listed at the destination.

    Without the referrers API each client updates the list itself. A client may have ended
    between its push and its update.
    """
    if not isinstance(destination, ReferencePusher):
        return
    with blaming("list the referrers of", "destination", subject):
        listed = {referrer.digest for referrer in destination.referrers(subject)}
    for referrer in referrers:
        if referrer.digest not in listed:
            with blaming("push", "destination", referrer):
                plain = referrer.plain()
                destination.push_reference(
                    plain, FetchedSource(source, plain), str(referrer.digest)
                )


class _SkipNoter(ProgressListener):
    """Forwards every event, and notes the digests that were present."""

    def __init__(self, listener: ProgressListener) -> None:
        self.skipped_digests: set[Digest] = set()
        self._listener = listener

    def preparation_started(self, title: str, size: int) -> None:
        self._listener.preparation_started(title, size)

    def preparation_advanced(self, title: str, count: int) -> None:
        self._listener.preparation_advanced(title, count)

    def preparation_ended(self, title: str) -> None:
        self._listener.preparation_ended(title)

    def planned(self, contents: int, size: int) -> None:
        self._listener.planned(contents, size)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        self._listener.restarted(descriptor, moved)

    def started(self, descriptor: Descriptor) -> None:
        self._listener.started(descriptor)

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        self._listener.advanced(descriptor, count)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        self._listener.resumed(descriptor, kept)

    def finished(self, descriptor: Descriptor) -> None:
        self._listener.finished(descriptor)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        self._listener.failed(descriptor, error)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        if reason == "exists":
            self.skipped_digests.add(descriptor.digest)
        self._listener.skipped(descriptor, reason)
