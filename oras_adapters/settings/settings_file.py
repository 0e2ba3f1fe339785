"""The strict reader of TOML files: the settings file, and the rules of a mirror."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from attrs import fields, fields_dict
from cattrs import Converter
from cattrs.errors import BaseValidationError, ForbiddenExtraKeysError
from cattrs.v import transform_error

from oras_core.errors import InvalidConfigurationError

__all__ = ["load", "read", "strict_converter", "structure"]

T = TypeVar("T")


def read(path: Path, kind: type[T]) -> tuple[T, Mapping[str, Mapping[str, Any]]]:
    """Read a settings file.

    Args:
        path: the file.
        kind: an attrs class whose attributes are the sections.

    Returns:
        The settings, and the sections that the file contains.

    Raises:
        InvalidConfigurationError: if the file or a setting is invalid; names both.
    """
    document = load(path)
    if "environment" in document:
        raise InvalidConfigurationError(str(path), "a settings file must not contain secrets")
    sections = fields_dict(kind)  # type: ignore[arg-type]
    for name, section in document.items():
        if name in sections and not isinstance(section, dict):
            raise InvalidConfigurationError(name, "it is a section, not a value")
    return structure(document, kind, source=str(path)), document


def load(path: Path) -> dict[str, Any]:
    """Parse a file.

    Raises:
        InvalidConfigurationError: if it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise InvalidConfigurationError(str(path), f"it cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InvalidConfigurationError(str(path), f"it is not TOML: {error}") from None


def structure(
    document: dict[str, Any], kind: type[T], *, source: str, converter: Converter | None = None
) -> T:
    """Convert a parsed file to an attrs class.

    Args:
        document: the parsed file.
        kind: the class.
        source: the name of the file, for errors.
        converter: a `strict_converter` with further types, if they are needed.

    Raises:
        InvalidConfigurationError: if a value has another type, or a name is unknown.
    """
    try:
        return (converter or _converter()).structure(document, kind)
    except (BaseValidationError, TypeError, ValueError) as error:
        raise InvalidConfigurationError(source, "; ".join(_complaints(error))) from None


def strict_converter() -> Converter:
    """Return a converter that coerces no types and refuses unknown names."""
    converter = Converter(forbid_extra_keys=True)
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _strict)
    converter.register_structure_hook_func(lambda wanted: wanted == tuple[str, ...], _strings)
    return converter


@cache  # a new converter generates the code for all sections again: 10 ms
def _converter() -> Converter:
    return strict_converter()


def _strict(value: Any, kind: type) -> Any:  # noqa: ANN401 - TOML's own types
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, found {value!r}")
    return value


def _strings(value: Any, _: type) -> tuple[str, ...]:  # noqa: ANN401 - as above
    # A string is a sequence of strings too: refuse it.
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError(f"expected a list of strings, found {value!r}")
    return tuple(value)


def _complaints(error: Exception) -> list[str]:
    def describe(cause: BaseException, _: type | None) -> str:
        if isinstance(cause, ForbiddenExtraKeysError):
            known = ", ".join(attribute.name for attribute in fields(cause.cl))
            return f"unknown {', '.join(sorted(cause.extra_fields))}, known are {known}"
        return str(cause)

    return transform_error(error, path="settings", format_exception=describe)
