"""Find what the destination of a copy lacks."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from oras_core.content.foreign_manifests import is_foreign_manifest, refuse_foreign_manifest
from oras_core.content.graph import fetch_document, successors
from oras_core.copying.blame import blaming
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.copying.plan import CopyPlan, Node, arrange, node_of
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Fetcher, Storage

__all__ = ["Walk"]


class Walk:
    """Finds the blobs and manifests that the destination lacks. Threads share `explore`."""

    def __init__(self, source: Fetcher, destination: Storage, options: CopyOptions) -> None:
        """Look for graphs of `source` at `destination`."""
        self._source = source
        self._destination = destination
        self._options = options
        self._nodes: dict[Node, Descriptor] = {}
        self._edges: dict[Node, Sequence[Descriptor]] = {}
        self._present: set[Node] = set()
        self._absent: dict[Node, NotFoundError] = {}

    def plan(
        self, roots: Sequence[Descriptor], crew: Crew, *, named: Collection[Node] = ()
    ) -> tuple[CopyPlan, tuple[Descriptor, ...]]:
        """Walk from the roots, one generation at a time, to what the destination has.

        Returns:
            The plan, and the manifests that are present. Roots in `named` are not among them,
            nor reported to the listener: the copy may still push them, by tag.
        """
        skipped: list[Descriptor] = []
        generation: Sequence[Descriptor] = roots
        while generation:
            new = {
                node: descriptor
                for descriptor in generation
                if self._is_explored(descriptor)
                and (node := node_of(descriptor)) not in self._nodes
            }
            self._nodes |= new
            found = crew.each(self.explore, new.values())
            self._edges |= zip(new, found, strict=True)
            unnamed = [descriptor for node, descriptor in new.items() if node not in named]
            skipped += self._report_present(unnamed)
            generation = [child for children in found for child in children]
        for root in roots:
            if node_of(root) in self._absent:
                raise self._absent[node_of(root)]
        missing = [root for root in roots if node_of(root) not in self._present]
        plan = arrange(missing, {node: self._wanted(node) for node in self._edges})
        return plan, tuple(skipped)

    def _report_present(self, descriptors: Sequence[Descriptor]) -> list[Descriptor]:
        present = [d for d in descriptors if node_of(d) in self._present]
        if present:
            self._options.listener.planned(len(present), sum(d.size for d in present))
        for descriptor in present:
            self._options.listener.skipped(descriptor, "exists")
        return present

    def explore(self, descriptor: Descriptor) -> Sequence[Descriptor]:
        """Return the successors of a manifest; none if it is present, or missing everywhere."""
        node = node_of(descriptor)
        with blaming("look for", "destination", descriptor):
            if self._destination.exists(descriptor):
                self._present.add(node)
                return ()
        try:
            with blaming("fetch", "source", descriptor):
                return self._successors(descriptor)
        except NotFoundError as error:
            self._absent[node] = error
            return ()

    def _is_explored(self, descriptor: Descriptor) -> bool:
        return descriptor.has_successors or (
            self._options.find_successors is not None and is_foreign_manifest(descriptor)
        )

    def _successors(self, descriptor: Descriptor) -> Sequence[Descriptor]:
        limit = self._options.manifest_size
        if self._options.find_successors is not None:
            return self._options.find_successors(self._source, descriptor)
        found = successors(self._source, descriptor, limit=limit)
        for entry in found if descriptor.is_index else ():
            refuse_foreign_manifest(self._source, entry, "copy an index", limit=limit)
        return found

    def _wanted(self, node: Node) -> list[Descriptor]:
        """Return the successors of a manifest that must move before it.

        A subject that the source lacks is left out. It may arrive later, or may have been
        deleted (image spec, manifest.md).
        """
        wanted = []
        for child in self._edges[node]:
            absence = self._absent.get(node_of(child))
            if absence is not None and not self._is_subject(child, self._nodes[node]):
                raise absence
            if absence is None and node_of(child) not in self._present:
                wanted.append(child)
        return wanted

    def _is_subject(self, descriptor: Descriptor, parent: Descriptor) -> bool:
        document = fetch_document(self._source, parent, limit=self._options.manifest_size)
        return document.subject is not None and document.subject.digest == descriptor.digest
