"""Titles of one artifact, whose paths must not collide on the disk."""

from __future__ import annotations

from collections.abc import Iterable

from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import SafePath

__all__ = ["find_collision"]


def find_collision(
    titles: Iterable[SafePath], names: NamePolicy = POSIX_NAMES
) -> tuple[SafePath, SafePath] | None:
    """Return the first two titles of which one equals the other or lies inside it.

    A file `a` leaves no room for a file `a/b`. A directory `a` may have a file `b`, so the
    file `a/b` would depend on which of the two is written last.

    Args:
        titles: the titles, in the order of the manifest.
        names: the rules of the system that the files are for.
    """
    known: dict[tuple[str, ...], SafePath] = {}
    ordered = list(titles)
    for title in ordered:
        other = known.setdefault(_key(title, names), title)
        if other is not title:
            return other, title
    for title in ordered:
        parts = _key(title, names)
        for depth in range(len(parts)):
            if (outer := known.get(parts[:depth])) is not None:
                return outer, title
    return None


def _key(path: SafePath, names: NamePolicy) -> tuple[str, ...]:
    return tuple(names.key(part) for part in path.parts)
