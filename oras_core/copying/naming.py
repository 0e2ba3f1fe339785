"""Tell which tags of a manifest have to be written."""

from __future__ import annotations

from collections.abc import Iterable

from oras_core.copying.blame import blaming
from oras_core.errors import AccessDeniedError, NotFoundError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import Resolver

__all__ = ["missing_tags"]


def missing_tags(destination: Resolver, root: Descriptor, tags: Iterable[str]) -> list[str]:
    """Return the tags that do not name `root` at the destination.

    Raises:
        OrasError: an error of the destination, except that it denies access: writing may be
            allowed.
    """
    return [tag for tag in tags if not _is_named(destination, root, tag)]


def _is_named(destination: Resolver, root: Descriptor, tag: str) -> bool:
    with blaming("resolve", "destination", root):
        try:
            return destination.resolve(tag).digest == root.digest
        except (NotFoundError, AccessDeniedError):
            return False
