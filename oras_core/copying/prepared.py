"""Copies of several roots with their referrers, in two parts: find the steps, carry them out.

Both parts may run in different processes. A caller with many copies can decide between
them, by the blobs that are about to move.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from oras_core.content.graph import ManifestCache
from oras_core.content.sources import FetchedSource
from oras_core.copying.blame import blaming
from oras_core.copying.copy import carry_out_steps, receiving
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions, Moves
from oras_core.copying.plan import CopyPlan
from oras_core.copying.referrer_search import ReferrerFilter, ReferrerSearch
from oras_core.copying.walk import Walk
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher, ReferencePusher, ReferrerLister, Storage

__all__ = ["Prepared", "carry_out", "prepare"]


@frozen
class Prepared:
    """The steps of a copy. Immutable and picklable.

    Attributes:
        plan: the blobs and manifests that the destination lacks.
        skipped: the manifests that it has.
        referrers: the referrers to copy, by the manifest or index that they refer to.
        manifests: the manifests that were read at the source, by digest.
    """

    plan: CopyPlan
    skipped: tuple[Descriptor, ...]
    referrers: tuple[tuple[Descriptor, tuple[Descriptor, ...]], ...]
    manifests: Mapping[Digest, bytes] = field(repr=False)

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """The blobs below the manifests that the destination lacks, each once."""
        steps = (step.descriptor for level in self.plan.levels for step in level)
        return tuple(descriptor for descriptor in steps if not descriptor.has_successors)

    @property
    def manifest_bytes(self) -> int:
        """The size of all `manifests`, in bytes."""
        return sum(map(len, self.manifests.values()))

    def cache(self, source: Fetcher, options: CopyOptions) -> ManifestCache:
        """Return a cache of `source` that has `manifests`."""
        return ManifestCache(source, limit=options.manifest_size, contents=self.manifests)


def prepare(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
    cached: ManifestCache | None = None,
) -> Prepared:
    """Find the referrers of `roots`, and what the destination lacks of all of them.

    `cached` gives the manifests of `source` that were read before.

    Raises:
        UnsupportedError: if the source cannot list referrers.
        SizeLimitError: if there are more than `MAX_REFERRERS`, or the manifests are too large
            together.
        OrasError: as `copy_graph`.
    """
    options = options or CopyOptions()
    cached = cached or ManifestCache(source, limit=options.manifest_size)
    with Crew(options.concurrency) as crew:
        search = ReferrerSearch(source, cached, referrers or ReferrerFilter(), options)
        found = search.run(roots, crew)
        wanted = {r.digest: r for of_one in found.values() for r in of_one}
        every = [root.plain() for root in (*roots, *wanted.values())]
        plan, skipped = Walk(cached, destination, options).plan(every, crew)
    by_subject = tuple((search.nodes[digest], tuple(some)) for digest, some in found.items())
    return Prepared(plan, skipped, by_subject, cached.contents)


def carry_out(
    prepared: Prepared,
    source: Fetcher,
    destination: Storage,
    *,
    options: CopyOptions | None = None,
) -> Moves:
    """Carry out the steps of a copy. Blobs that have arrived since `prepare` are skipped.

    Raises:
        OrasError: as `copy_graph`.
    """
    options = options or CopyOptions()
    cached = prepared.cache(source, options)
    with receiving(destination) as target:
        with Crew(options.concurrency) as crew:
            moved = carry_out_steps(
                source, cached, target, prepared.plan, crew=crew, options=options
            )
        moves = Moves.sum((Moves(skipped=prepared.skipped), *moved))
        if isinstance(target, ReferrerLister) and isinstance(target, ReferencePusher):
            skipped = {descriptor.digest for descriptor in moves.skipped}
            for subject, of_one in prepared.referrers:
                present = [referrer for referrer in of_one if referrer.digest in skipped]
                if present:
                    _relist(cached, subject, present, target, target)
    return moves


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
