"""Copy a graph of blobs and manifests from one target to another; push and pull are copies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar, cast

from oras_core.content.foreign_manifests import refuse_foreign_manifest
from oras_core.content.graph import ManifestCache
from oras_core.content.platforms import select_manifest
from oras_core.copying.blame import blaming
from oras_core.copying.crew import Crew
from oras_core.copying.mover import Mover
from oras_core.copying.options import Copied, CopyOptions, Moves
from oras_core.copying.plan import node_of
from oras_core.copying.walk import Walk
from oras_core.errors import NotFoundError, SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import (
    Fetcher,
    ReadOnlyTarget,
    Receiver,
    ReferenceFetcher,
    Storage,
    Target,
)

__all__ = ["CopyOptions", "copy", "copy_graph", "copy_graphs", "find_root", "receiving"]

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
    """
    options = options or CopyOptions()
    root = find_root(source, reference, options)
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

    try:
        return copied(root)
    except (NotFoundError, SizeMismatchError):
        # The answer to a HEAD may be wrong (R23); the manifest itself is not.
        if options.platform is not None or not isinstance(source, ReferenceFetcher):
            raise
        found, _ = source.fetch_reference(reference)
        if found.plain() == root.plain():
            raise
        return copied(found)


def find_root(source: ReadOnlyTarget, reference: str, options: CopyOptions) -> Descriptor:
    """Return the descriptor that `copy` copies, with the platform of `options` applied.

    Raises: as `copy`.
    """
    with blaming("resolve", "source", None):
        root = source.resolve(reference)
    if options.find_successors is None:
        with blaming("read", "source", root):
            refuse_foreign_manifest(source, root, "copy it", limit=options.manifest_size)
    if options.platform is None:
        return root
    with blaming("select", "source", root):
        return select_manifest(source, root, options.platform, limit=options.manifest_size)


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
    """
    tags = [tag for tag in (reference, *further_tags) if tag is not None]
    return Copied.of(
        root, _copy_graphs(source, [root], destination, tags, options or CopyOptions())
    )


def copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    cached: ManifestCache | None = None,
    options: CopyOptions | None = None,
) -> Moves:
    """Copy several graphs at once, which may share blobs; otherwise as `copy_graph`.

    `cached` gives the manifests of `source` that were read before.
    """
    return _copy_graphs(source, roots, destination, (), options or CopyOptions(), cached=cached)


def _copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    tags: Sequence[str],
    options: CopyOptions,
    *,
    cached: ManifestCache | None = None,
) -> Moves:
    """Copy the roots; `tags` are created for the single root."""
    cached = cached or ManifestCache(source, limit=options.manifest_size)
    named = {node_of(root) for root in roots if tags}
    with receiving(destination) as target, Crew(options.concurrency) as crew:
        plan, skipped = Walk(cached, target, options).plan(roots, crew, named=named)
        tagged = [root for root in roots if node_of(root) in named and root not in plan]
        if contents := plan.contents + len(tagged):
            options.listener.planned(contents, plan.size + sum(root.size for root in tagged))
        mover = Mover(source, cached, target, options.listener, crew.token)
        moves = [Moves(skipped=skipped)]
        for level in plan.levels:
            unnamed = [step for step in level if node_of(step.descriptor) not in named]
            moves += crew.each(mover.move, unnamed)
        if tags:
            moves += [mover.name(root, tags) for root in roots]
    return Moves.sum(moves)


@contextmanager
def receiving(destination: S) -> Iterator[S]:
    """Return the target of one copy to `destination`, for a block; see `Receiver`."""
    receiver: object = destination
    if isinstance(receiver, Receiver):
        with receiver.receiving() as target:
            yield cast("S", target)
    else:
        yield destination
