"""The name, version and requirements of this distribution, read from its metadata."""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any, Final

from oras_core.version import __version__

__all__ = [
    "AUTHOR",
    "DESCRIPTION",
    "DOCKER_REQUIRES",
    "ECR_REQUIRES",
    "EMAIL",
    "INSTALL_REQUIRES",
    "INSTALL_REQUIRES_ALL",
    "KEYWORDS",
    "LICENSE",
    "NAME",
    "PACKAGE_URL",
    "TESTS_REQUIRES",
    "__version__",
]

Requirement = tuple[str, dict[str, str | None]]
"""A distribution's name, and its `min_version` or `exact_version`; None allows any version."""

DISTRIBUTION: Final = "oras-sdk"

NAME: Final = "oras"
"""The import name, as in oras-py. The distribution is called `oras-sdk`."""

AUTHOR: str
DESCRIPTION: str
DOCKER_REQUIRES: tuple[Requirement, ...]
ECR_REQUIRES: tuple[Requirement, ...]
EMAIL: str
INSTALL_REQUIRES: tuple[Requirement, ...]
INSTALL_REQUIRES_ALL: tuple[Requirement, ...]
KEYWORDS: str
LICENSE: str
PACKAGE_URL: str
TESTS_REQUIRES: tuple[Requirement, ...]

_FIELDS: Final = {
    "AUTHOR": ("Author",),
    "DESCRIPTION": ("Summary",),
    "EMAIL": ("Author-email",),
    "KEYWORDS": ("Keywords",),
    "LICENSE": ("License-Expression", "License"),
    "PACKAGE_URL": ("Home-page",),
}
_EXTRAS: Final = {
    "INSTALL_REQUIRES": "",
    "DOCKER_REQUIRES": "docker",
    "ECR_REQUIRES": "ecr",
    "TESTS_REQUIRES": "tests",
}


def _reader() -> ModuleType:
    # Lazy: importing importlib.metadata takes longer than importing the rest of `oras`.
    return import_module("importlib.metadata")


def _metadata(names: tuple[str, ...]) -> str:
    metadata = _reader()
    try:
        fields = metadata.metadata(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return ""
    return next((str(fields[name]) for name in names if name in fields), "")


@cache
def _requirements(extra: str) -> tuple[Requirement, ...]:
    metadata = _reader()
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()
    found = []
    for line in lines:
        specifier, _, marker = line.partition(";")
        wanted = re.search(r"""extra\s*==\s*["']([^"']+)["']""", marker)
        if (wanted[1] if wanted else "") != extra:
            continue
        parts = re.match(r"\s*([A-Za-z0-9._-]+)\s*(?:(>=|==)\s*([^,\s]+))?", specifier)
        if parts:
            key = "exact_version" if parts[2] == "==" else "min_version"
            found.append((parts[1], {key: parts[3]}))
    return tuple(found)


def __getattr__(name: str) -> Any:
    """Read a field of the metadata on first access (PEP 562)."""
    if name in _FIELDS:
        return _metadata(_FIELDS[name])
    if name in _EXTRAS:
        return _requirements(_EXTRAS[name])
    if name == "INSTALL_REQUIRES_ALL":
        return tuple(line for extra in _EXTRAS.values() for line in _requirements(extra))
    raise AttributeError(f"module 'oras.version' has no attribute {name!r}")
