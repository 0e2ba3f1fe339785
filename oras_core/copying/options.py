"""Options and results of copies."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from attrs import field, frozen

from oras_core.content.graph import SuccessorFinder
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.platform import Platform
from oras_core.model.values import Value
from oras_core.ports.progress import ProgressListener

__all__ = ["Copied", "CopyOptions", "Moves"]

DEFAULT_CONCURRENCY: Final = 16
"""Blobs in flight. So many small blobs hide a round trip of about 40 ms, and registries accept as
many connections."""

MountSourceFinder = Callable[[Descriptor], object | None]
"""Returns a target that is known to have a blob; None if no target is known."""


@frozen(eq=False, repr=False)
class CopyOptions(Value):
    """Options of a copy.

    Attributes:
        concurrency: the number of blobs that move at the same time; with 1, the copy runs in
            the caller's thread.
        listener: receives the progress.
        manifest_size: the largest manifest accepted, in bytes.
        find_successors: returns the successors of a manifest or index that are copied with it.
            None copies all of them, except a subject that the source lacks, and refuses
            manifests whose media type this library cannot read.
        platform: selects one manifest of an index; None copies the whole index. `copy` and
            `extended_copy` use it, `copy_graph` does not.
        mount_source: returns another target that is known to have a blob, such as a repository
            of the destination's registry, from which the destination may mount it.
    """

    concurrency: int = DEFAULT_CONCURRENCY
    listener: ProgressListener = field(factory=ProgressListener)
    manifest_size: int = MAX_MANIFEST_SIZE
    find_successors: SuccessorFinder | None = None
    platform: Platform | None = None
    mount_source: MountSourceFinder | None = None


def _count(descriptors: tuple[Descriptor, ...]) -> str:
    return f"<{len(descriptors)} descriptors>"


@frozen(eq=False, repr=False)
class Moves(Value):
    """The blobs and manifests of one or more graphs, by the way they arrived.

    Attributes:
        moved: transferred from the source.
        skipped: present at the destination; of a present manifest, the manifest alone.
        mounted: taken by the registry from another of its repositories.
    """

    # A mirror moves many thousand: a representation with all of them would be too long.
    moved: tuple[Descriptor, ...] = field(default=(), repr=_count)
    skipped: tuple[Descriptor, ...] = field(default=(), repr=_count)
    mounted: tuple[Descriptor, ...] = field(default=(), repr=_count)

    @classmethod
    def sum(cls, all_moves: Iterable[Moves]) -> Moves:
        """Return all moves together."""
        each = list(all_moves)
        return Moves(
            tuple(descriptor for moves in each for descriptor in moves.moved),
            tuple(descriptor for moves in each for descriptor in moves.skipped),
            tuple(descriptor for moves in each for descriptor in moves.mounted),
        )

    @property
    def bytes(self) -> int:
        """The size of all transferred blobs and manifests, in bytes."""
        return sum(descriptor.size for descriptor in self.moved)

    def __str__(self) -> str:
        """Return the counts, such as `moved 3 (4,096 bytes), skipped 2, mounted 0`."""
        return (
            f"moved {len(self.moved):,} ({self.bytes:,} bytes), "
            f"skipped {len(self.skipped):,}, mounted {len(self.mounted):,}"
        )


@frozen(eq=False, repr=False)
class Copied(Moves):
    """The result of the copy of one graph.

    Attributes:
        root: the descriptor of the blob, manifest or index that was copied.
    """

    root: Descriptor = field(kw_only=True)

    @classmethod
    def of(cls, root: Descriptor, moves: Moves) -> Copied:
        """Return the result of a copy of `root`."""
        return cls(moves.moved, moves.skipped, moves.mounted, root=root)
