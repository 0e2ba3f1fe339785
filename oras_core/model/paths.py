"""Safe relative paths: the only way from an untrusted string to a path on disk."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from attrs import field, frozen

from oras_core.errors import UnsafePathError

__all__ = ["UNFINISHED_SUFFIX", "SafePath", "is_unfinished", "sanitize_folder", "sanitize_path"]

UNFINISHED_SUFFIX: Final = ".oras-partial"
"""Suffix of partial files and folders, reserved for them."""

MAX_PATH_BYTES: Final = 4096
"""PATH_MAX of Linux; a longer path cannot be written."""

MAX_COMPONENT_BYTES: Final = 255
"""NAME_MAX of common file systems."""

_SHOWN: Final = 200
"""Characters of a refused path that a message shows."""

_MAKER: Final = object()
"""Private to this module, so that only `sanitize_path` can create a `SafePath`."""


@frozen(order=True)
class SafePath:
    """A relative path with `/` between its components, which stays inside its folder.

    Only `sanitize_path`, `sanitize_folder` and joining safe paths create one. The file system
    may still have symbolic links on the path; the `FileTree` refuses those. A system may have
    further rules for names; its `NamePolicy` knows them.
    """

    parts: tuple[str, ...]
    _maker: object = field(repr=False, eq=False, order=False)

    def __attrs_post_init__(self) -> None:
        """Refuse construction without the check.

        Raises:
            TypeError: if a caller constructs the class directly.
        """
        if self._maker is not _MAKER:
            raise TypeError("use sanitize_path() to create a SafePath")

    @property
    def name(self) -> str:
        """The last component; `.` for the folder itself."""
        return self.parts[-1] if self.parts else "."

    @property
    def parent(self) -> SafePath | None:
        """The parent folder; None directly under the root."""
        return SafePath(self.parts[:-1], _MAKER) if len(self.parts) > 1 else None

    def __truediv__(self, other: SafePath) -> SafePath:
        """Join two paths; the result is safe because both are."""
        return SafePath(self.parts + other.parts, _MAKER)

    def is_under(self, other: SafePath) -> bool:
        """Tell whether this path is below `other`."""
        return len(self.parts) > len(other.parts) and self.parts[: len(other.parts)] == other.parts

    def __str__(self) -> str:
        """Return the components joined by `/`; `.` for the folder itself."""
        return "/".join(self.parts) or "."

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the text, so that unpickling checks it again."""
        return sanitize_folder, (str(self),)


@cache
def _refused_characters() -> re.Pattern[str]:
    # C0 and C1 control characters and DEL control terminals and end strings (CWE-150,
    # CWE-158). Bidirectional overrides and line separators disguise a name. A surrogate has
    # no UTF-8.
    return re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@cache
def _drive() -> re.Pattern[str]:
    # As a whole component; `a:b` is a file name on POSIX.
    return re.compile(r"(?:\A|[/\\])[A-Za-z]:(?:[/\\]|\Z)")


@cache
def _leads_up() -> re.Pattern[str]:
    # Windows drops trailing dots and spaces, so `.. ` is `..` there, and it separates
    # components with backslashes too.
    return re.compile(r"(?:\A|[/\\])\.\.[. ]*(?:[/\\]|\Z)")


@cache
def _unfinished() -> re.Pattern[str]:
    # In every spelling that Windows or a case-insensitive file system takes for the suffix.
    return re.compile(re.escape(UNFINISHED_SUFFIX) + r"[. ]*(?:/|\Z)", re.IGNORECASE)


def is_unfinished(name: str) -> bool:
    """Tell whether a path names a partial file or folder, or an entry in one."""
    return _unfinished().search(name) is not None


def sanitize_path(path: str) -> SafePath:
    """Check that `path` stays inside its folder, and normalise it.

    `.` components and doubled or trailing slashes are dropped. Paths that lead elsewhere, on
    this or another platform, are refused: `..`, absolute paths, drive letters. Control
    characters, names too long for common file systems, and the reserved names of partial files
    are refused too. Other backslashes and colons are legal characters on POSIX systems; the
    `NamePolicy` of Windows refuses them.

    Raises:
        UnsafePathError: with the reason.
    """
    safe = sanitize_folder(path)
    if not safe.parts:
        raise UnsafePathError(path, "it names the folder itself")
    return safe


def sanitize_folder(path: str) -> SafePath:
    """Check `path` as `sanitize_path` does, but also accept `.`, the folder itself.

    Raises:
        UnsafePathError: with the reason.
    """
    if reason := next(_objections(path), ""):
        shown = path if len(path) <= _SHOWN else path[:_SHOWN] + "…"
        raise UnsafePathError(shown, reason)
    return SafePath(tuple(part for part in path.split("/") if part not in ("", ".")), _MAKER)


def _objections(path: str) -> Iterator[str]:
    """Yield the reasons to refuse `path`; none for a safe path.

    Archives have many paths, so cheap checks of the whole come before checks of components.
    """
    parts = path.split("/")
    if not path:
        yield "it is empty"
    if path.startswith(("/", "\\\\")):  # two backslashes: a share of Windows
        yield "it is absolute"
    if found := _refused_characters().search(path):
        yield f"it has the character {found.group()!r}"
        return  # the checks below cannot encode a surrogate
    if ":" in path and _drive().search(path):
        # In every component: Windows resolves a drive letter in the middle too.
        yield "a component is a drive letter"
    if ".." in path and _leads_up().search(path):
        yield "it leads out of its folder by '..'"
    if is_unfinished(path):
        yield f"a component ends in {UNFINISHED_SUFFIX!r}, which is reserved for partial files"
    length = len(path.encode())
    if length > MAX_PATH_BYTES:
        yield f"it is longer than {MAX_PATH_BYTES} bytes"
    if length > MAX_COMPONENT_BYTES and any(
        len(part.encode()) > MAX_COMPONENT_BYTES for part in parts
    ):
        yield f"a component is longer than {MAX_COMPONENT_BYTES} bytes"
