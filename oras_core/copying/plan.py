"""The plan of a copy: what moves, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from oras_core.errors import InvalidManifestError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.values import Value

__all__ = ["CopyPlan", "CopyStep", "Node", "arrange", "node_of"]

Node = tuple[Digest, bool]
"""A digest, and whether it is used as a manifest or index: the same bytes may be a layer too."""


@frozen(eq=False, repr=False)
class CopyStep(Value):
    """A blob or manifest to move once, and the further titles to place it under."""

    descriptor: Descriptor
    further_titles: tuple[Descriptor, ...] = ()


@frozen(eq=False, repr=False)
class CopyPlan(Value):
    """Steps in levels: a level refers only to blobs and manifests of earlier levels."""

    levels: tuple[tuple[CopyStep, ...], ...]

    def __contains__(self, descriptor: Descriptor) -> bool:
        """Tell whether a step moves this blob or manifest."""
        node = node_of(descriptor)
        return any(node_of(step.descriptor) == node for level in self.levels for step in level)

    @property
    def contents(self) -> int:
        """The number of steps."""
        return sum(len(level) for level in self.levels)

    @property
    def blobs(self) -> int:
        """The number of steps that move a blob."""
        return sum(not step.descriptor.has_successors for level in self.levels for step in level)

    @property
    def size(self) -> int:
        """The bytes of all steps."""
        return sum(step.descriptor.size for level in self.levels for step in level)


def node_of(descriptor: Descriptor) -> Node:
    """Return the node of the graph for a descriptor."""
    return descriptor.digest, descriptor.has_successors


def arrange(roots: Sequence[Descriptor], edges: Mapping[Node, Sequence[Descriptor]]) -> CopyPlan:
    """Order everything reachable from `roots`, leaves first.

    Args:
        roots: the graphs to copy.
        edges: the successors of each manifest and index to move. A node that is not a key is a
            leaf.

    Raises:
        InvalidManifestError: if a manifest refers to itself, which honest digests exclude.
    """
    uses: dict[Node, dict[str | None, Descriptor]] = {}
    heights: dict[Node, int] = {}
    open_nodes: set[Node] = set()
    # An explicit stack: the nesting of indexes is untrusted and must not hit Python's limit.
    stack: list[tuple[Descriptor, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        descriptor, children_done = stack.pop()
        node = node_of(descriptor)
        children = edges.get(node, ())
        if children_done:
            open_nodes.discard(node)
            heights[node] = 1 + max(heights[node_of(child)] for child in children)
            continue
        uses.setdefault(node, {}).setdefault(descriptor.title, descriptor)
        if node in open_nodes:
            raise InvalidManifestError(f"{descriptor.digest} refers to itself")
        if node in heights:
            continue
        if not children:
            heights[node] = 0
            continue
        open_nodes.add(node)
        stack.append((descriptor, True))
        stack.extend((child, False) for child in reversed(children))
    levels: list[list[CopyStep]] = [
        [] for _ in range(1 + max((heights[node_of(r)] for r in roots), default=-1))
    ]
    for node, by_title in uses.items():
        first, *others = by_title.values()
        levels[heights[node]].append(CopyStep(first, tuple(others)))
    return CopyPlan(tuple(tuple(level) for level in levels))
