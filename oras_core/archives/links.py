"""Check that the symbolic links of a folder stay inside it, also through one another.

A link is resolved through all other links of the folder, and not judged by its text:
`a -> .` and `b -> a/..` each look harmless (CVE-2025-4517). So all links must be known
before the check, and none may exist on the disk before the check passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from oras_core.errors import UnsafePathError
from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import sanitize_path

__all__ = ["find_unsafe_link", "objection_to_target"]

MAX_LINKS_IN_A_ROW: Final = 40
"""Links that one path may pass through, the limit of Linux; this also ends cycles."""

MAX_STEPS: Final = 20_000_000
"""Path components examined for all links together; real folders need some thousands."""

_DOTS: Final = ("", ".", "..")


def objection_to_target(target: str, system: NamePolicy = POSIX_NAMES) -> str:
    """Return why the text of a link target is refused; empty if it may be valid.

    A target must be relative, and each of its names must be valid in a path.
    """
    if not target:
        return "it is a link with an empty target"
    if target.startswith("/"):
        return f"it is a link to the absolute path {target!r}"
    names = "/".join(part for part in target.split("/") if part not in _DOTS)
    if names:
        try:
            system.check(sanitize_path(names))
        except UnsafePathError as error:
            return f"it is a link to {target!r}: {error.reason}"
    return ""


def find_unsafe_link(
    links: Mapping[str, str],
    superseded: Iterable[tuple[str, str]] = (),
    *,
    folder: tuple[str, ...] = (),
) -> tuple[str, str] | None:
    """Return the first link that leads out of the folder, and the reason; None if all stay.

    Args:
        links: targets of all links by their path in the folder; each has passed
            `objection_to_target`.
        superseded: path and target of links that later members replaced. They are never
            created, but an archive with a link that leads out is refused as a whole.
        folder: components of the folder's own path. A link may leave the folder by `..` if
            the next components lead back into it.
    """
    walk = _Walk(links, folder)
    for path, target in (*links.items(), *superseded):
        if reason := walk.objection(path, target):
            return path, f"it is a link to {target!r}, which {reason}"
    return None


class _Walk:
    """Resolves links, and counts the steps of all of them together."""

    def __init__(self, links: Mapping[str, str], folder: tuple[str, ...]) -> None:
        self._links = links
        self._folder = folder
        self._steps = 0
        self._place = ""
        self._above = 0
        """Components of `folder` that `..` has left."""

    def objection(self, path: str, target: str) -> str:
        """Return why the link at `path` is unsafe; empty if it stays inside."""
        hops = 0
        self._place, self._above = path.rpartition("/")[0], 0
        ahead = _reversed_parts(target)
        while ahead:
            self._steps += 1
            name = ahead.pop()
            if not self._enter(name):
                return "is outside"
            further = self._links.get(self._place) if name != ".." and not self._above else None
            if further is None:
                continue
            self._place = self._place.rpartition("/")[0]
            ahead.extend(_reversed_parts(further))
            hops += 1
            if hops > MAX_LINKS_IN_A_ROW or self._steps > MAX_STEPS:
                return "leads through too many links"
        return "is outside" if self._above else ""

    def _enter(self, name: str) -> bool:
        """Go to `name`; return False if that is outside for certain."""
        if name == "..":
            if self._place:
                self._place = self._place.rpartition("/")[0]
            else:
                self._above += 1
            return self._above <= len(self._folder)
        if self._above:
            self._above -= 1
            return name == self._folder[len(self._folder) - self._above - 1]
        self._place = f"{self._place}/{name}" if self._place else name
        return True


def _reversed_parts(target: str) -> list[str]:
    return [part for part in reversed(target.split("/")) if part not in ("", ".")]
