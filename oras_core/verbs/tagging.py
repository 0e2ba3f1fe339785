"""Tags for the artifacts of a mirror."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from attrs import evolve

from oras_core.copying.blame import blaming
from oras_core.copying.copy import copy_graph
from oras_core.copying.crew import Crew
from oras_core.copying.options import CopyOptions
from oras_core.errors import NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher, Target
from oras_core.ports.progress import ProgressListener

__all__ = ["create_tags"]


def create_tags(
    source: Fetcher,
    destination: Target,
    tags: Mapping[str, Descriptor],
    options: CopyOptions,
) -> set[str]:
    """Create the tags of artifacts that were copied, unless the destination has them.

    Args:
        source: gives the manifests of the artifacts.
        destination: has the artifacts.
        tags: the artifact of each tag.
        options: how to copy.

    Returns:
        The tags that the destination lacked, or that named another artifact there.

    Raises: as `copy_graph`.
    """
    roots = {found.digest: found.plain() for found in tags.values()}
    names_of: dict[Digest, list[str]] = {}
    for name, found in tags.items():
        names_of.setdefault(found.digest, []).append(name)

    def create(digest: Digest) -> Sequence[str]:
        return _name(source, roots[digest], destination, names_of[digest], options)

    # While distribution stores a manifest again, it answers 404 for it, and would refuse an
    # index that contains it: indexes are tagged later, one by one.
    with Crew(options.concurrency) as crew:
        created = crew.each(create, [digest for digest in names_of if not roots[digest].is_index])
    created += [create(digest) for digest in names_of if roots[digest].is_index]
    return {name for names in created for name in names}


def _name(
    source: Fetcher,
    root: Descriptor,
    destination: Target,
    names: Iterable[str],
    options: CopyOptions,
) -> Sequence[str]:
    """Create those tags of a copied artifact that the destination lacks, and return them."""
    missing = [name for name in names if not _has_name(destination, root, name)]
    if missing:
        quiet = evolve(options, concurrency=1, listener=ProgressListener())
        copy_graph(source, root, destination, further_tags=missing, options=quiet)
    return missing


def _has_name(destination: Target, root: Descriptor, name: str) -> bool:
    with blaming("resolve", "destination", root):
        try:
            return destination.resolve(name).digest == root.digest
        except NotFoundError:
            return False
