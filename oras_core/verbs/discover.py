"""Discover: find the referrers of a manifest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import frozen

from oras_core.content.referrers import MAX_REFERRERS, referrers_of
from oras_core.content.roots import find_root
from oras_core.copying.options import CopyOptions
from oras_core.errors import SizeLimitError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher, ReadOnlyTarget

__all__ = ["Referrers", "discover"]

MAX_DEPTH: Final = 100
"""Levels of referrers of referrers; a hostile registry could invent levels forever."""


@frozen
class Referrers:
    """A manifest and the tree of its referrers.

    Attributes:
        descriptor: the descriptor of the manifest; for a referrer it has the artifact type
            and the annotations.
        referrers: the referrers of the manifest, each with its own; empty if there are
            none, and below the requested depth.
    """

    descriptor: Descriptor
    referrers: tuple[Referrers, ...] = ()

    def walk(self) -> Iterator[tuple[int, Descriptor]]:
        """Iterate over the tree in preorder; yield each manifest with its depth, 0 for the root."""
        waiting: list[tuple[int, Referrers]] = [(0, self)]
        while waiting:
            depth, node = waiting.pop()
            yield depth, node.descriptor
            waiting.extend((depth + 1, child) for child in reversed(node.referrers))


def discover(
    target: ReadOnlyTarget,
    reference: str,
    *,
    artifact_type: str | None = None,
    depth: int | None = 1,
    options: CopyOptions | None = None,
) -> Referrers:
    """Find the referrers of a manifest.

    Args:
        target: the target that holds the manifest; it must list referrers or predecessors.
        reference: a tag or a digest in `target`.
        artifact_type: the artifact type to look for, on every level; None for all.
        depth: the number of levels; None for the whole tree.
        options: if they name a platform, the manifest of that platform in an index is the
            subject.

    Raises:
        NotFoundError: if `target` has no such reference.
        UnsupportedError: if `target` cannot list referrers.
        SizeLimitError: if there are more than `MAX_REFERRERS`, or `MAX_DEPTH` levels.
        OrasError: any error of the target.

    Example:
        >>> found = discover(repository, "v1", depth=None)
        >>> [(depth, one.artifact_type) for depth, one in found.walk() if depth]
        [(1, 'application/spdx+json')]
    """
    options = options or CopyOptions()
    root = find_root(target, reference, platform=options.platform, limit=options.manifest_size)
    finder = _Finder(target, artifact_type)
    return finder.tree(root, MAX_DEPTH + 1 if depth is None else depth, frozenset())


class _Finder:
    def __init__(self, target: Fetcher, artifact_type: str | None) -> None:
        self._target = target
        self._artifact_type = artifact_type
        self._count = 0

    def tree(self, node: Descriptor, depth: int, above: frozenset[Digest]) -> Referrers:
        """Return the tree below `node`; `above` holds the manifests that it is below."""
        if depth <= 0 or node.digest in above:
            return Referrers(node)
        if len(above) >= MAX_DEPTH:
            raise SizeLimitError("the tree of referrers", MAX_DEPTH, unit="levels")
        found = {r.digest: r for r in referrers_of(self._target, node, self._artifact_type)}
        self._count += len(found)
        if self._count > MAX_REFERRERS:
            raise SizeLimitError("the tree of referrers", MAX_REFERRERS, unit="referrers")
        below = above | {node.digest}
        return Referrers(
            node, tuple(self.tree(child, depth - 1, below) for child in found.values())
        )
