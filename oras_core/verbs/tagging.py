"""Tags for the artifacts of a mirror."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oras_core.copying.copy import tag_copied
from oras_core.copying.crew import Crew
from oras_core.copying.naming import missing_tags
from oras_core.copying.options import CopyOptions
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import Fetcher, Target

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
        missing = missing_tags(destination, roots[digest], names_of[digest])
        if missing:
            tag_copied(source, roots[digest], destination, missing, options)
        return missing

    # While distribution stores a manifest again, it answers 404 for it, and would refuse an
    # index that contains it: indexes are tagged later, one by one.
    with Crew(options.concurrency) as crew:
        created = crew.each(create, [digest for digest in names_of if not roots[digest].is_index])
    created += [create(digest) for digest in names_of if roots[digest].is_index]
    return {name for names in created for name in names}
