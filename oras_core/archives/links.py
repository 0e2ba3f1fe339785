"""Check that the symbolic links of a folder stay inside it, also through one another.

A link is resolved through all other links of the folder, and not judged by its text:
`a -> .` and `b -> a/..` each look harmless (CVE-2025-4517). So all links must be known
before the check, and none may exist on the disk before the check passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from oras_core.errors import UnsafePathError
from oras_core.model.paths import sanitize_path

__all__ = ["find_unsafe_link", "objection_to_target"]

MAX_LINKS_IN_A_ROW: Final = 40
"""Links that one path may pass through, the limit of Linux; this also ends cycles."""

MAX_STEPS: Final = 20_000_000
"""Path components examined for all links together; real folders need some thousands."""

_DOTS: Final = ("", ".", "..")


def objection_to_target(target: str) -> str:
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
            sanitize_path(names)
        except UnsafePathError as error:
            return f"it is a link to {target!r}: {error.reason}"
    return ""


def find_unsafe_link(
    links: Mapping[str, str], superseded: Iterable[tuple[str, str]] = ()
) -> tuple[str, str] | None:
    """Return the first link that leads out of the folder, and the reason; None if all stay.

    Args:
        links: targets of all links by their path in the folder; each has passed
            `objection_to_target`.
        superseded: path and target of links that later members replaced. They are never
            created, but an archive with a link that leads out is refused as a whole.
    """
    steps = 0
    for path, target in (*links.items(), *superseded):
        hops = 0
        place = path.rpartition("/")[0]
        ahead = _reversed_parts(target)
        while ahead:
            steps += 1
            name = ahead.pop()
            if name == "..":
                if not place:
                    return path, f"it is a link to {target!r}, which is outside"
                place = place.rpartition("/")[0]
                continue
            inner = f"{place}/{name}" if place else name
            further = links.get(inner)
            if further is None:
                place = inner
                continue
            ahead.extend(_reversed_parts(further))
            hops += 1
            if hops > MAX_LINKS_IN_A_ROW or steps > MAX_STEPS:
                return path, f"it is a link to {target!r}, which leads through too many links"
    return None


def _reversed_parts(target: str) -> list[str]:
    return [part for part in reversed(target.split("/")) if part not in ("", ".")]
