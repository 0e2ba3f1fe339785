"""Find the compression of packed directories by name.

A named library is used or reported as missing, never replaced. `auto` only chooses a library
whose output is the same on every machine that has it: see docs/configuration.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

from attrs import frozen

from oras_adapters.compression.zstd_compression import DEFAULT_LEVEL as ZSTD_LEVEL
from oras_adapters.compression.zstd_compression import MAX_LEVEL, Zstd
from oras_core.archives.gzip_streams import DEFAULT_LEVEL, Gzip
from oras_core.archives.plain import PLAIN, Automatic
from oras_core.errors import InvalidConfigurationError, UnsupportedError
from oras_core.ports.compression import Compression, CompressionChooser

__all__ = ["AUTO", "all_compressions", "find_compression"]

AUTO: Final = "auto"

MAX_GZIP_LEVEL: Final = 9

IN_ISAL: Final = (0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
"""ISA-L's level for each level of zlib; ISA-L has levels up to 3."""


@frozen
class _Library:
    """A library with the interface of `zlib`.

    Attributes:
        module: name of the module.
        extra: the extra that installs it; empty for the standard library.
        level: returns the library's level for a level of zlib.
    """

    module: str
    extra: str
    level: Callable[[int], int]


def _as_it_is(level: int) -> int:
    return level


GZIP_LIBRARIES: Final[Mapping[str, _Library]] = {
    "zlib-ng": _Library("zlib_ng.zlib_ng", "fast", _as_it_is),
    "zlib": _Library("zlib", "", _as_it_is),
    "isal": _Library("isal.isal_zlib", "isal", IN_ISAL.__getitem__),
}

FIRST_DETERMINISTIC: Final = (2, 2)
"""First version of zlib-ng whose output does not depend on the processor. Earlier versions
hash with the CRC32 instruction if the processor has it."""


def find_compression(
    format_name: str, implementation: str, level: int | None
) -> Compression | CompressionChooser:
    """Return the compression for packed directories.

    Args:
        format_name: `none`, `gzip`, `zstd`, or `auto` for no compression of directories whose
            files do not compress, and gzip for others.
        implementation: `auto` or the name of a library.
        level: compression level; None for the default.

    Raises:
        InvalidConfigurationError: if a name or the level is unknown; the error lists the
            known ones.
        UnsupportedError: if the library is not installed; the error names the extra.
    """
    formats: dict[str, Callable[[str, int | None], Compression | CompressionChooser]] = {
        "none": _none,
        "gzip": _gzip,
        "zstd": _zstd,
        "auto": _auto,
    }
    if format_name not in formats:
        known = ", ".join(formats)
        raise InvalidConfigurationError(
            "archive.format", f"unknown format {format_name!r}; known formats: {known}"
        )
    return formats[format_name](implementation, level)


def all_compressions() -> tuple[Compression, ...]:
    """Return the compressions that a pull accepts; using a missing library raises an error."""
    return _gzip(AUTO, None), Zstd()


def _none(implementation: str, level: int | None) -> Compression:
    _check_name(implementation, (AUTO,), "none")
    if level is not None:
        raise InvalidConfigurationError("archive.level", "the format none has no levels")
    return PLAIN


def _auto(implementation: str, level: int | None) -> CompressionChooser:
    return Automatic(_gzip(implementation, level))


def _zstd(implementation: str, level: int | None) -> Zstd:
    _check_name(implementation, (AUTO, "zstd"), "zstd")
    return Zstd(_checked(level, MAX_LEVEL, ZSTD_LEVEL, "zstd"))


def _gzip(implementation: str, level: int | None) -> Gzip:
    _check_name(implementation, (AUTO, *GZIP_LIBRARIES), "gzip")
    number = _checked(level, MAX_GZIP_LEVEL, DEFAULT_LEVEL, "gzip")
    if implementation == AUTO:
        implementation = "zlib-ng" if _has_deterministic_zlib_ng() else "zlib"
    library = GZIP_LIBRARIES[implementation]
    return Gzip(implementation, _load(implementation), library.level(number))


def _has_deterministic_zlib_ng() -> bool:
    try:
        version = str(_load("zlib-ng").ZLIBNG_VERSION)
    except (UnsupportedError, AttributeError):
        return False
    found = re.match(r"(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= FIRST_DETERMINISTIC


def _load(name: str) -> Any:  # noqa: ANN401 - a module like zlib
    library = GZIP_LIBRARIES[name]
    try:
        return import_module(library.module)
    except ImportError as error:
        install = f"pip install 'oras-sdk[{library.extra}]'"
        reason = f"the library of archive.implementation is not installed: {install}"
        raise UnsupportedError(f"compress by {name}", reason) from error


def _check_name(implementation: str, known: tuple[str, ...], format_name: str) -> None:
    if implementation not in known:
        raise InvalidConfigurationError(
            "archive.implementation",
            f"unknown implementation {implementation!r} of {format_name}; "
            f"known implementations: {', '.join(known)}",
        )


def _checked(level: int | None, highest: int, usual: int, format_name: str) -> int:
    if level is None:
        return usual
    if not 1 <= level <= highest:
        raise InvalidConfigurationError(
            "archive.level", f"{level} is not a level of {format_name}; levels are 1 to {highest}"
        )
    return level
