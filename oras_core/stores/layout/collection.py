"""The garbage collection of an OCI image layout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal

from attrs import frozen

from oras_core.cancellation import current_token
from oras_core.content.foreign_manifests import refuse_foreign_manifest
from oras_core.content.graph import SuccessorFinder, fetch_document
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher
from oras_core.stores.layout.files import LayoutFiles
from oras_core.stores.layout.graph import LayoutGraph
from oras_core.stores.layout.index import LayoutIndex

__all__ = ["CollectedGarbage", "Collection"]

COLLECTING: Final = "collect the garbage of the layout"


@frozen
class CollectedGarbage:
    """The result of a garbage collection.

    Attributes:
        digests: of the removed blobs.
        size: of the removed blobs in sum, in bytes.
    """

    digests: tuple[Digest, ...]
    size: int


class Collection:
    """One collection; the caller excludes copies, other collections and changes of the index.

    Every manifest is read again and verified, since a wrong answer would remove blobs.
    """

    def __init__(
        self,
        files: LayoutFiles,
        fetcher: Fetcher,
        *,
        limit: int,
        find_successors: SuccessorFinder | None,
    ) -> None:
        """Read nothing yet; see `OciLayoutStore.collect_garbage` for the arguments."""
        self._files = files
        self._fetcher = fetcher
        self._limit = limit
        self._find_successors = find_successors
        self._graph = LayoutGraph()

    def run(self, *, keep: Literal["listed", "tagged"]) -> CollectedGarbage:
        """Remove everything that is not reachable; see `OciLayoutStore.collect_garbage`."""
        index = self._files.read_index()
        listed = index.descriptors
        dropped = self._drop_untagged(index) if keep == "tagged" else False
        self._reach(index.descriptors)
        self._follow_foreign_manifests(listed)
        self._graph.raise_if_unreadable()
        unwanted = [
            (digest, entry.size)
            for digest, entry in self._files.blobs()
            if digest not in self._graph.reached
        ]
        if dropped:
            self._files.write_index(index)
        token = current_token()
        for digest, _ in unwanted:
            token.raise_if_cancelled(COLLECTING)
            self._files.remove_blob(digest)
        self._files.remove_partials()
        return CollectedGarbage(
            tuple(digest for digest, _ in unwanted), sum(size for _, size in unwanted)
        )

    def _reach(self, roots: Iterable[Descriptor]) -> list[Digest]:
        return self._graph.reach(self._fetcher, roots, limit=self._limit)

    def _drop_untagged(self, index: LayoutIndex) -> bool:
        """Remove from `index` the entries without a name whose subject is not kept."""
        untagged = {
            entry.descriptor.digest: entry.descriptor for entry in index if entry.name is None
        }
        by_subject: dict[Digest, list[Descriptor]] = {}
        for descriptor in untagged.values():
            subject = self._subject_of(descriptor)
            if subject is not None:
                by_subject.setdefault(subject, []).append(descriptor)
        todo = self._reach(entry.descriptor for entry in index if entry.name is not None)
        while todo:
            for referrer in by_subject.pop(todo.pop(), ()):
                del untagged[referrer.digest]
                todo += self._reach([referrer])
        for digest in untagged:
            index.remove(digest)
        return bool(untagged)

    def _subject_of(self, descriptor: Descriptor) -> Digest | None:
        current_token().raise_if_cancelled(COLLECTING)
        if not descriptor.has_successors:
            return None
        try:
            document = fetch_document(self._fetcher, descriptor.plain(), limit=self._limit)
        except NotFoundError:
            return None
        return None if document.subject is None else document.subject.digest

    def _follow_foreign_manifests(self, listed: Iterable[Descriptor]) -> None:
        """Reach what manifests of unknown types refer to, or raise an error."""
        todo = [*listed, *self._graph.leaves.values()]
        followed: set[Digest] = set()
        while todo:
            leaf = todo.pop()
            if leaf.has_successors or leaf.digest in followed:
                continue
            followed.add(leaf.digest)
            if self._find_successors is None:
                refuse_foreign_manifest(self._fetcher, leaf, COLLECTING, limit=self._limit)
            else:
                self._reach(self._find_successors(self._fetcher, leaf))
                todo.extend(self._graph.leaves.values())
