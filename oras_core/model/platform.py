"""Platforms: the operating system and architecture of a manifest in an index."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from attrs import frozen

from oras_core.errors import InvalidPlatformError

__all__ = ["Platform"]

_DEFAULT_VARIANTS: Final = {"arm64": "v8", "arm": "v7"}
"""The default variant of an architecture, as container engines use it."""


@cache
def _component() -> re.Pattern[str]:
    return re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z")


@frozen
class Platform:
    """The image spec's platform object (image-index.md)."""

    os: str
    architecture: str
    variant: str | None = None
    os_version: str | None = None
    os_features: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Parse `os/architecture[/variant]`, e.g. `linux/arm64/v8`.

        Raises:
            InvalidPlatformError: for another form.
        """
        parts = text.split("/") if isinstance(text, str) else []
        if len(parts) not in (2, 3) or not all(_component().match(part) for part in parts):
            raise InvalidPlatformError(
                text, "expected OS/ARCHITECTURE[/VARIANT], e.g. linux/amd64 or linux/arm/v7"
            )
        return cls(parts[0], parts[1], "".join(parts[2:]) or None)

    def accepts(self, other: Platform) -> bool:
        """Tell whether a manifest for `other` satisfies a request for this platform.

        An OS version or feature that the request does not name is not compared. Without a
        variant, the default variant of the architecture is compared.
        """
        if (self.os, self.architecture) != (other.os, other.architecture):
            return False
        if self._effective_variant() != other._effective_variant():
            return False
        if self.os_version is not None and self.os_version != other.os_version:
            return False
        return set(self.os_features) <= set(other.os_features)

    def _effective_variant(self) -> str | None:
        return self.variant or _DEFAULT_VARIANTS.get(self.architecture)

    def __str__(self) -> str:
        """Return the form that `parse` accepts."""
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)
