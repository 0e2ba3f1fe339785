"""The one way from a stranger's string to a path that may touch a disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from attrs import field, frozen

from oras_core.errors import UnsafePathError

__all__ = ["UNFINISHED_SUFFIX", "SafePath", "is_unfinished", "sanitize_path"]

UNFINISHED_SUFFIX: Final = ".oras-partial"
"""Ends the names of files and folders that are not finished, which are nobody else's."""

MAX_PATH_BYTES: Final = 4096
"""Linux' PATH_MAX; nothing longer can be written."""

MAX_COMPONENT_BYTES: Final = 255
"""NAME_MAX of the common file systems."""

_SHOWN: Final = 200
"""Characters of a refused path that a message repeats."""

_MAKER: Final = object()
"""Known to this module alone, which makes `sanitize_path` the only maker of a `SafePath`."""


@frozen(order=True)
class SafePath:
    """A relative path with `/` between its components, which stays inside its folder.

    Made by `sanitize_path` and by joining safe paths, by nothing else. The file system
    may still hold symbolic links in its way: that is the `FileTree`'s to refuse.
    """

    parts: tuple[str, ...]
    _maker: object = field(repr=False, eq=False, order=False)

    def __attrs_post_init__(self) -> None:
        """Refuse to be made around the check.

        Raises:
            TypeError: where a caller constructs the class itself.
        """
        if self._maker is not _MAKER:
            raise TypeError("a SafePath is made by sanitize_path() only")

    @property
    def name(self) -> str:
        """The last component."""
        return self.parts[-1]

    @property
    def parent(self) -> SafePath | None:
        """The folder it lies in; None directly under the root."""
        return SafePath(self.parts[:-1], _MAKER) if len(self.parts) > 1 else None

    def __truediv__(self, other: SafePath) -> SafePath:
        """Join; the result is safe since both are."""
        return SafePath(self.parts + other.parts, _MAKER)

    def is_under(self, other: SafePath) -> bool:
        """Tell whether this path lies below `other`."""
        return len(self.parts) > len(other.parts) and self.parts[: len(other.parts)] == other.parts

    def __str__(self) -> str:
        """Return the components joined by `/`."""
        return "/".join(self.parts)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by the text, so that it is checked again."""
        return sanitize_path, (str(self),)


@cache
def _refused_characters() -> re.Pattern[str]:
    # C0 and C1 control characters and DEL steer terminals and end strings (CWE-150,
    # CWE-158); a bidirectional override or line separator shows a name as another one;
    # a surrogate has no UTF-8. A backslash separates components on Windows.
    return re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\\\\]")


@cache
def _drive() -> re.Pattern[str]:
    # Windows' path functions take any character before a colon for a drive.
    return re.compile(r".:")


@cache
def _leads_up() -> re.Pattern[str]:
    # Windows drops trailing dots and spaces: `.. ` is `..` there.
    return re.compile(r"\.\.[. ]*\Z")


@cache
def _unfinished() -> re.Pattern[str]:
    # However a file system that does not tell cases apart, or Windows, takes it.
    return re.compile(re.escape(UNFINISHED_SUFFIX) + r"[. ]*(?:/|\Z)", re.IGNORECASE)


def is_unfinished(name: str) -> bool:
    """Tell whether a path leads to, or into, a file or folder that is not finished."""
    return _unfinished().search(name) is not None


def sanitize_path(path: str) -> SafePath:
    """Check that `path` stays in the folder it is meant for, and normalise it.

    `.` components and doubled or trailing slashes are dropped, since they change
    nothing. Everything that leads elsewhere, here or on another platform, is refused:
    `..`, absolute paths, drive letters, backslashes, control characters, names that no
    common file system takes; and the names of unfinished files, whose content nobody else
    may put there.

    Raises:
        UnsafePathError: with the reason.
    """
    if reason := next(_objections(path), ""):
        shown = path if len(path) <= _SHOWN else path[:_SHOWN] + "…"
        raise UnsafePathError(shown, reason)
    return SafePath(tuple(part for part in path.split("/") if part not in ("", ".")), _MAKER)


def _objections(path: str) -> Iterator[str]:
    """Say what is wrong with `path`; nothing where it is safe.

    Most paths are, and archives have very many: a look at the whole spares most components.
    """
    parts = path.split("/")
    if not path:
        yield "it is empty"
    if path.startswith("/"):
        yield "it is absolute"
    if found := _refused_characters().search(path):
        yield f"it holds the character {found.group()!r}"
        return  # a surrogate could not be encoded below
    if ":" in path and any(_drive().match(part) for part in parts):
        # Also below a folder: joined component by component, it leads to the drive.
        yield "a component begins with a drive letter"
    if ".." in path and any(_leads_up().match(part) for part in parts):
        yield "it leads out of its folder by '..'"
    if is_unfinished(path):
        yield f"a component ends in {UNFINISHED_SUFFIX!r}, as unfinished files do"
    if all(part in ("", ".") for part in parts):
        yield "it names the folder itself"
    length = len(path.encode())
    if length > MAX_PATH_BYTES:
        yield f"it is longer than {MAX_PATH_BYTES} bytes"
    if length > MAX_COMPONENT_BYTES and any(
        len(part.encode()) > MAX_COMPONENT_BYTES for part in parts
    ):
        yield f"a component is longer than {MAX_COMPONENT_BYTES} bytes"
