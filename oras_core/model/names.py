"""The rules of operating systems for file names, as pure policies."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Final, Protocol

from oras_core.errors import UnsafePathError
from oras_core.model.paths import SafePath

__all__ = ["MACOS_NAMES", "POSIX_NAMES", "WINDOWS_NAMES", "NamePolicy"]


class NamePolicy(Protocol):
    """Which names a system accepts, and which names it takes for the same."""

    def check(self, path: SafePath) -> None:
        """Check every component of `path`.

        Raises:
            UnsafePathError: if the system refuses a component, or gives it another meaning.
        """
        ...

    def key(self, text: str) -> str:
        """Return a key for a path: equal for paths that the system takes for the same."""
        ...


class _PosixNames:
    """Accept every safe path; names are compared byte by byte."""

    def check(self, path: SafePath) -> None:
        pass

    def key(self, text: str) -> str:
        return text


class _MacNames(_PosixNames):
    """Accept every safe path; case and Unicode normalisation do not tell names apart.

    APFS and HFS+ preserve both, and ignore both in comparisons by default.
    """

    def key(self, text: str) -> str:
        if text.isascii():
            return text.lower()
        return unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())


class _WindowsNames:
    """The rules of Windows (Microsoft, "Naming Files, Paths, and Namespaces")."""

    def check(self, path: SafePath) -> None:
        for part in path.parts:
            if reason := self._objection(part):
                raise UnsafePathError(str(path), f"{reason}, which Windows does not allow")

    def key(self, text: str) -> str:
        # NTFS maps each character to one upper-case character.
        return "".join(upper if len(upper := c.upper()) == 1 else c for c in text)

    def _objection(self, name: str) -> str:
        if found := _refused_by_windows().search(name):
            return f"a component has the character {found.group()!r}"
        if name[-1] in ". ":
            return "a component ends with a dot or a space"
        if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
            return f"the component {name!r} names a device"
        return ""


_DEVICES: Final = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789¹²³"]
)
"""Names of devices in every folder, also with an extension or trailing spaces."""


@cache
def _refused_by_windows() -> re.Pattern[str]:
    # A colon selects an alternate stream of a file; a backslash separates components.
    return re.compile(r'[<>:"|?*\\]')


POSIX_NAMES: Final[NamePolicy] = _PosixNames()
MACOS_NAMES: Final[NamePolicy] = _MacNames()
WINDOWS_NAMES: Final[NamePolicy] = _WindowsNames()
