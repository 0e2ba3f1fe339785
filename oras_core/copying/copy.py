"""Copy a graph of blobs and manifests from one target to another; push and pull are copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from attrs import evolve

from oras_core.content.graph import ManifestCache
from oras_core.copying.crew import Crew
from oras_core.copying.mover import Mover
from oras_core.copying.options import Copied, CopyOptions, Moves
from oras_core.copying.plan import CopyPlan, Node, node_of
from oras_core.copying.roots import find_copied_root, from_roots
from oras_core.copying.walk import Walk
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import (
    BlobExpecter,
    Fetcher,
    ReadOnlyTarget,
    Receiver,
    Storage,
    Target,
)
from oras_core.ports.progress import ProgressListener

__all__ = [
    "carry_out_steps",
    "copy",
    "copy_graph",
    "receiving",
    "tag_copied",
]

S = TypeVar("S", bound=Storage)


def copy(
    source: ReadOnlyTarget,
    reference: str,
    destination: Target,
    destination_reference: str | None = None,
    *,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Copied:
    """Copy an artifact: a manifest or index, and everything that it refers to.

    Args:
        source: the target to copy from.
        reference: a tag or a digest in the source.
        destination: the target to copy to.
        destination_reference: the tag to create; `reference` if None. No tag is created for
            a digest.
        further_tags: more tags to create.
        options: how to copy. With a platform, only the manifest for that platform is copied
            and tagged, not the index.

    Returns:
        The root that was copied, and what was moved for it.

    Raises: as `copy_graph`, and `NotFoundError` if the source has no such reference, or no
        manifest for the platform.

    Example:
        >>> store = MemoryStore()
        >>> copied = copy(repository, "v1", store, "stable")
        >>> store.resolve("stable").digest == copied.root.digest
        True
    """
    options = options or CopyOptions()
    name = destination_reference or reference

    def copied(root: Descriptor) -> Copied:
        moves = copy_graph(
            source,
            root.plain(),
            destination,
            reference=None if ":" in name else name,
            further_tags=further_tags,
            options=options,
        )
        return Copied.of(root, moves)

    return from_roots(lambda: find_copied_root(source, reference, options), copied)


def copy_graph(
    source: Fetcher,
    root: Descriptor,
    destination: Storage,
    *,
    reference: str | None = None,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Copied:
    """Copy `root` and everything that it refers to, except what the destination has.

    Blobs arrive before the manifests that refer to them. The first failure ends the copy:
    no further transfer starts, running transfers are cancelled, and no manifest is pushed.
    Blobs that have arrived stay, so that the next run resumes there.

    Args:
        source: the target to copy from.
        root: the blob, manifest or index to copy.
        destination: the target to copy to.
        reference: the tag to create for the root; needs a `Target`.
        further_tags: more tags to create.
        options: how to copy.

    Returns:
        The root, and what was moved for it.

    Raises:
        OrasError: an error of the source or the destination; a note names the side and the
            descriptor.
        UnsupportedError: if a manifest has a type whose successors cannot be found.
        CancelledError: within a second of the cancellation of the thread's `CancelToken`.
        CopyError: in place of an exception that is not an `OrasError`.

    Example:
        >>> store = MemoryStore()
        >>> moves = copy_graph(repository, repository.resolve("v1"), store)
        >>> store.exists(repository.resolve("v1"))
        True
    """
    tags = [tag for tag in (reference, *further_tags) if tag is not None]
    return Copied.of(
        root, _copy_graphs(source, [root], destination, tags, options or CopyOptions())
    )


def _copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    tags: Sequence[str],
    options: CopyOptions,
) -> Moves:
    """Copy the roots; `tags` are created for the single root."""
    cached = ManifestCache(source, limit=options.manifest_size)
    named = {node_of(root): root for root in roots if tags}
    with receiving(destination) as target, Crew(options.concurrency) as crew:
        plan, skipped = Walk(cached, target, options).plan(roots, crew, named=named)
        moves = carry_out_steps(
            source, cached, target, plan, crew=crew, options=options, named=named
        )
        if tags:
            mover = Mover(source, cached, target, options, crew.token)
            for root in roots:
                name = mover.name if root in plan else mover.name_present
                moves.append(name(root, tags))
    return Moves.sum((Moves(skipped=skipped), *moves))


def tag_copied(
    source: Fetcher,
    root: Descriptor,
    destination: Storage,
    tags: Sequence[str],
    options: CopyOptions,
) -> None:
    """Create the tags of a root that has just been copied, without a call of the listener.

    Raises: as `copy_graph`.
    """
    quiet = evolve(options, listener=ProgressListener())
    cached = ManifestCache(source, limit=options.manifest_size)
    with receiving(destination) as target, Crew(1) as crew:
        Mover(source, cached, target, quiet, crew.token).name(root, tags)


def carry_out_steps(
    source: Fetcher,
    cached: ManifestCache,
    target: Storage,
    plan: CopyPlan,
    *,
    crew: Crew,
    options: CopyOptions,
    named: Mapping[Node, Descriptor] | None = None,
) -> list[Moves]:
    """Move the blobs and manifests of a plan but those in `named`, which get tags later.

    Raises: as `copy_graph`.
    """
    named = named or {}
    tagged = [root for root in named.values() if root not in plan]
    if contents := plan.contents + len(tagged):
        options.listener.planned(contents, plan.size + sum(root.size for root in tagged))
    if isinstance(target, BlobExpecter):
        target.expect_blobs(plan.blobs)
    mover = Mover(source, cached, target, options, crew.token)
    moves: list[Moves] = []
    for level in plan.levels:
        absent = []
        for step in level:
            if node_of(step.descriptor) in named:
                continue
            if mover.is_at_hand(step):
                moves.append(mover.skip(step))
            else:
                absent.append(step)
        moves += crew.each(mover.move, absent)
    return moves


@contextmanager
def receiving(destination: S) -> Iterator[S]:
    """Return the target of one copy to `destination`, for a block; see `Receiver`."""
    receiver: object = destination
    if isinstance(receiver, Receiver):
        with receiver.receiving() as target:
            yield cast("S", target)
    else:
        yield destination
