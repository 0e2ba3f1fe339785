"""Find the roots of a copy, with few requests that count for a registry.

A registry resolves a tag by HEAD, whose answer may be wrong (R23), and the owner of
the tag may move it. Only reading the manifest shows that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from oras_core.content.foreign_manifests import refuse_foreign_manifest
from oras_core.content.platforms import select_manifest
from oras_core.copying.blame import blaming
from oras_core.copying.options import CopyOptions
from oras_core.errors import ContentError, InvalidManifestError, NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ReadOnlyTarget

__all__ = ["find_copied_root", "from_roots"]

R = TypeVar("R")
T = TypeVar("T")


def find_copied_root(source: ReadOnlyTarget, reference: str, options: CopyOptions) -> Descriptor:
    """Return the descriptor that `copy` copies, with the platform of `options` applied.

    Raises: as `copy`.
    """

    def resolve() -> Descriptor:
        with blaming("resolve", "source", None):
            return source.resolve(reference)

    def select(root: Descriptor) -> Descriptor:
        if options.find_successors is None:
            with blaming("read", "source", root):
                refuse_foreign_manifest(source, root, "copy it", limit=options.manifest_size)
        if options.platform is None:
            return root
        with blaming("select", "source", root):
            return select_manifest(source, root, options.platform, limit=options.manifest_size)

    return from_roots(resolve, select)


def from_roots(find: Callable[[], R], work: Callable[[R], T]) -> T:
    """Return `work(find())`; repeat it once if that fails because the roots were wrong.

    A source that has found the answer to a HEAD wrong resolves by GET from then on.

    Args:
        find: resolves the roots.
        work: reads them.

    Raises: what `find` and `work` raise.
    """
    roots = find()
    try:
        return work(roots)
    except (NotFoundError, ContentError, InvalidManifestError):
        found = find()
        if found == roots:
            raise
    return work(found)
