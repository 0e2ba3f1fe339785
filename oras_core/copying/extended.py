"""Copy an artifact with its referrers: signatures, attestations, and their own referrers."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from oras_core.copying.copy import copy_graph, receiving, tag_copied
from oras_core.copying.options import Copied, CopyOptions, Moves
from oras_core.copying.prepared import carry_out, prepare
from oras_core.copying.referrer_search import ReferrerFilter
from oras_core.copying.roots import find_copied_root, from_roots
from oras_core.errors import SizeLimitError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Fetcher, ReadOnlyTarget, Storage, Target
from oras_core.ports.progress import ProgressListener

__all__ = ["ReferrerFilter", "extended_copy", "extended_copy_graphs"]


def extended_copy(
    source: ReadOnlyTarget,
    reference: str,
    destination: Target,
    destination_reference: str | None = None,
    *,
    referrers: ReferrerFilter | None = None,
    further_tags: Sequence[str] = (),
    options: CopyOptions | None = None,
) -> Copied:
    """Copy an artifact, everything that it refers to, and everything that refers to it.

    Referrers of the root, of the manifests of an index, and of other referrers are copied.
    They arrive before the tag is created: a client that sees the tag finds the signatures.

    Args:
        source: the target to copy from; it must list referrers or predecessors.
        reference: a tag or a digest in the source.
        destination: the target to copy to.
        destination_reference: the tag to create; `reference` if None. No tag is created for
            a digest.
        referrers: selects the referrers; all by default.
        further_tags: more tags to create.
        options: how to copy.

    Returns:
        The root, and what was moved for it and its referrers.

    Raises:
        UnsupportedError: if the source cannot list referrers.
        SizeLimitError: if there are more than `MAX_REFERRERS`.
        OrasError: as `copy`.

    Example:
        >>> store = MemoryStore()
        >>> copied = extended_copy(repository, "v1", store)
        >>> len(discover(store, "v1").referrers)
        1
    """
    options = options or CopyOptions()
    name = destination_reference or reference
    tags = [tag for tag in (name, *further_tags) if ":" not in tag]

    def copied(root: Descriptor) -> Copied:
        with receiving(destination) as target:
            moves = extended_copy_graphs(
                source, [root], target, referrers=referrers, options=options
            )
            plain = root.plain()
            if tags and plain in moves.moved:
                tag_copied(source, plain, target, tags, options)
            elif tags:
                # The listener has received the root already.
                quiet = evolve(options, listener=ProgressListener())
                copy_graph(source, plain, target, further_tags=tags, options=quiet)
        return Copied.of(root, moves)

    return from_roots(lambda: find_copied_root(source, reference, options), copied)


def extended_copy_graphs(
    source: Fetcher,
    roots: Sequence[Descriptor],
    destination: Storage,
    *,
    referrers: ReferrerFilter | None = None,
    options: CopyOptions | None = None,
) -> Moves:
    """Copy several roots with their referrers, without tags.

    The limits hold for each root with its referrers: roots that exceed them together are copied
    one after the other.

    Raises: as `extended_copy`.
    """
    options, referrers = options or CopyOptions(), referrers or ReferrerFilter()
    with receiving(destination) as target:
        return Moves.sum(_copy_within_limits(source, roots, target, referrers, options))


def _copy_within_limits(
    source: Fetcher,
    roots: Sequence[Descriptor],
    target: Storage,
    referrers: ReferrerFilter,
    options: CopyOptions,
) -> list[Moves]:
    try:
        prepared = prepare(source, roots, target, referrers=referrers, options=options)
        return [carry_out(prepared, source, target, options=options)]
    except SizeLimitError:
        if len(roots) < 2:
            raise
    half = len(roots) // 2
    return [
        moves
        for part in (roots[:half], roots[half:])
        for moves in _copy_within_limits(source, part, target, referrers, options)
    ]
