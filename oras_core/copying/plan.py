"""The plan of a copy: what moves, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import frozen

from oras_core.errors import InvalidManifestError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest

__all__ = ["CopyPlan", "CopyStep", "arrange"]


@frozen
class CopyStep:
    """A blob or manifest to move once, and the further titles to place it under."""

    descriptor: Descriptor
    further_titles: tuple[Descriptor, ...] = ()


@frozen
class CopyPlan:
    """Steps in levels: a level refers only to blobs and manifests of earlier levels."""

    levels: tuple[tuple[CopyStep, ...], ...]

    def __contains__(self, descriptor: Descriptor) -> bool:
        """Tell whether a step moves the blob or manifest with this digest."""
        return any(
            step.descriptor.digest == descriptor.digest for level in self.levels for step in level
        )

    @property
    def contents(self) -> int:
        """The number of steps."""
        return sum(len(level) for level in self.levels)

    @property
    def size(self) -> int:
        """The bytes of all steps."""
        return sum(step.descriptor.size for level in self.levels for step in level)


def arrange(roots: Sequence[Descriptor], edges: Mapping[Digest, Sequence[Descriptor]]) -> CopyPlan:
    """Order everything reachable from `roots`, leaves first.

    Args:
        roots: the graphs to copy.
        edges: the successors of each manifest and index to move. A digest that is not a key
            is a leaf.

    Raises:
        InvalidManifestError: if a manifest refers to itself, which honest digests exclude.
    """
    uses: dict[Digest, dict[str | None, Descriptor]] = {}
    heights: dict[Digest, int] = {}
    open_nodes: set[Digest] = set()
    # An explicit stack: the nesting of indexes is untrusted and must not hit Python's limit.
    stack: list[tuple[Descriptor, bool]] = [(root, False) for root in reversed(roots)]
    while stack:
        node, children_done = stack.pop()
        children = edges.get(node.digest, ())
        if children_done:
            open_nodes.discard(node.digest)
            heights[node.digest] = 1 + max((heights[c.digest] for c in children), default=-1)
            continue
        uses.setdefault(node.digest, {}).setdefault(node.title, node)
        if node.digest in open_nodes:
            raise InvalidManifestError(f"{node.digest} refers to itself")
        if node.digest in heights:
            continue
        open_nodes.add(node.digest)
        stack.append((node, True))
        stack.extend((child, False) for child in reversed(children))
    levels: list[list[CopyStep]] = [
        [] for _ in range(1 + max((heights[r.digest] for r in roots), default=-1))
    ]
    for digest, by_title in uses.items():
        first, *others = by_title.values()
        levels[heights[digest]].append(CopyStep(first, tuple(others)))
    return CopyPlan(tuple(tuple(level) for level in levels))
