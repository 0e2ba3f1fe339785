"""Search for the referrers of graphs, and for those of the referrers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import frozen

from oras_core.content.graph import fetch_document
from oras_core.content.referrers import MAX_REFERRERS, referrers_of
from oras_core.copying.blame import blaming
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.errors import SizeLimitError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.ports.content import Fetcher

__all__ = ["ReferrerFilter", "ReferrerSearch"]


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


class ReferrerSearch:
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
