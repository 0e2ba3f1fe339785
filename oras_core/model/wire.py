"""Convert values of the domain to and from JSON, strictly, with cattrs.

By default cattrs coerces `1` to `"1"` and back. These hooks check each type, and errors give
the location in the document.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

from attrs import NOTHING, fields
from cattrs import AttributeValidationNote, Converter
from cattrs.errors import BaseValidationError, ClassValidationError, IterableValidationError
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from oras_core.errors import InvalidManifestError
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.platform import Platform

__all__ = ["from_wire", "json_kind", "to_wire"]

_WIRE_NAMES: Final = {
    "media_type": "mediaType",
    "artifact_type": "artifactType",
    "os_version": "os.version",
    "os_features": "os.features",
}

_WIRE_ORDER: Final[dict[type, tuple[str, ...]]] = {
    Platform: ("architecture", "os", "os.version", "os.features", "variant"),
    Descriptor: (
        "mediaType",
        "digest",
        "size",
        "urls",
        "annotations",
        "data",
        "platform",
        "artifactType",
    ),
}
"""The order of members in the image spec's Go types: Go's clients write the same bytes."""

_JSON_KINDS: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a fraction",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def json_kind(value: object) -> str:
    """Return the JSON type of a parsed value, for a message."""
    return _JSON_KINDS[type(value)]


def _expect(value: object, kind: type, *, holding: str = "") -> None:
    if type(value) is not kind:  # not isinstance: True is not a number here
        raise TypeError(f"expected {_JSON_KINDS[kind]}{holding}, found {json_kind(value)}")


def _structure_scalar(value: object, kind: type) -> object:
    _expect(value, kind)
    return value


def _structure_bytes(value: object, _: type) -> bytes:
    _expect(value, str, holding=" of base64")
    return base64.b64decode(value, validate=True)  # type: ignore[arg-type]


def _structure_digest(value: object, _: type) -> Digest:
    return Digest.parse(value)  # type: ignore[arg-type]


def _structure_annotations(value: object, _: type) -> Annotations:
    # Go encodes a nil map as null.
    if value is None:
        return Annotations()
    _expect(value, dict, holding=" of strings")
    items: dict[str, object] = value  # type: ignore[assignment]
    # Go decodes a null into a string that stays empty.
    return Annotations({key: "" if text is None else text for key, text in items.items()})  # type: ignore[misc]


def _structure_tuple(value: object, kind: Any, converter: Converter) -> tuple[object, ...]:  # noqa: ANN401 - a type expression
    if value is None:  # as for annotations
        return ()
    _expect(value, list)
    item = kind.__args__[0]
    return tuple(converter.structure(value, list[item]))  # type: ignore[valid-type]


def _structure_object(
    value: object, kind: type, structure: Callable[[Any, type], object]
) -> object:
    _expect(value, dict)
    return structure(_without_zero_values(value, kind), kind)  # type: ignore[arg-type]


def _without_zero_values(members: dict[str, object], kind: type) -> dict[str, object]:
    """Drop optional members with Go's zero values: other clients write them for absent ones.

    A platform without an operating system or an architecture names none.
    """
    optional = {
        _WIRE_NAMES.get(attribute.name, attribute.name)
        for attribute in fields(kind)
        if attribute.default is not NOTHING and attribute.name != "data"  # "" is 0 bytes
    }
    kept = {
        name: value
        for name, value in members.items()
        if name not in optional or value not in (None, "", {})
    }
    platform = kept.get("platform")
    if isinstance(platform, dict) and not (platform.get("os") and platform.get("architecture")):
        del kept["platform"]
    return kept


def _in_order(
    value: object, write: Callable[[Any], dict[str, Any]], order: tuple[str, ...]
) -> dict[str, Any]:
    members = write(value)
    return {name: members[name] for name in order if name in members}


def _is_tuple(kind: Any) -> bool:  # noqa: ANN401 - a type expression
    return getattr(kind, "__origin__", None) is tuple


@cache
def _converter() -> Converter:
    converter = Converter()
    for scalar in (str, int):
        converter.register_structure_hook(scalar, _structure_scalar)
    converter.register_structure_hook(bytes, _structure_bytes)
    converter.register_structure_hook(Digest, _structure_digest)
    converter.register_structure_hook(Annotations, _structure_annotations)
    converter.register_structure_hook_func(
        _is_tuple, partial(_structure_tuple, converter=converter)
    )
    converter.register_unstructure_hook(Digest, str)
    converter.register_unstructure_hook(Annotations, lambda items: dict(sorted(items.items())))
    converter.register_unstructure_hook(bytes, lambda data: base64.b64encode(data).decode())
    for kind, order in _WIRE_ORDER.items():
        renames: dict[str, Any] = {
            attribute: override(rename=wire)
            for attribute, wire in _WIRE_NAMES.items()
            if hasattr(kind, attribute)
        }
        members: Callable[[Any, type], object] = make_dict_structure_fn(kind, converter, **renames)
        converter.register_structure_hook(kind, partial(_structure_object, structure=members))
        write: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
            kind, converter, _cattrs_omit_if_default=True, **renames
        )
        converter.register_unstructure_hook(kind, partial(_in_order, write=write, order=order))
    return converter


def from_wire(value: object, kind: Any, *, location: str) -> Any:  # noqa: ANN401 - cattrs' own types
    """Convert parsed JSON to a value of type `kind`.

    Raises:
        InvalidManifestError: with the location of the first error, below `location`.
    """
    try:
        return _converter().structure(value, kind)
    except (BaseValidationError, TypeError, ValueError) as error:
        steps, leaf = _first_failure(error)
        reason = f"{leaf.args[0]} is missing" if isinstance(leaf, KeyError) else str(leaf)
        raise InvalidManifestError(reason, location=location + "".join(steps)) from leaf


def to_wire(value: object) -> object:
    """Convert a value, or a mapping or list of values, for `json.dumps`."""
    return _converter().unstructure(value)


def _first_failure(error: BaseException) -> tuple[list[str], BaseException]:
    """Return the first leaf of a group of validation errors, and the location of it."""
    if isinstance(error, ClassValidationError):
        in_members, others = error.group_exceptions()
        if not in_members:
            return [], others[0]
        cause, note = in_members[0]
        steps, leaf = _first_failure(cause)
        # A missing member has no location of its own; its object is reported.
        return ([] if isinstance(cause, KeyError) else [_step(note), *steps]), leaf
    if isinstance(error, IterableValidationError):
        cause, element = error.group_exceptions()[0][0]
        steps, leaf = _first_failure(cause)
        return [f"[{element.index}]", *steps], leaf
    return [], error


def _step(note: AttributeValidationNote) -> str:
    return f".{_WIRE_NAMES.get(note.name, note.name)}"
