"""Convert values of the domain to and from JSON, strictly.

No type is coerced: `"1"` is not a size. Errors give the location in the document. The zero
values that Go's clients write for absent members are read as absent, and never written.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any, Final

from oras_core.errors import InvalidInputError, InvalidManifestError
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.platform import Platform

__all__ = ["from_wire", "json_kind", "to_wire"]

Json = Any
"""A parsed value of JSON, of any type."""

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


def from_wire(value: object, kind: Any, *, location: str) -> Any:  # noqa: ANN401 - of that type
    """Convert parsed JSON to a value of type `kind`, one of the types that documents have.

    Raises:
        InvalidManifestError: with the location of the first error, at or below `location`.
    """
    return _READERS[kind](value, location)


def to_wire(value: Descriptor | Platform | Annotations) -> dict[str, Any]:
    """Convert a value for `json.dumps`, with the members in the order of Go's clients."""
    if isinstance(value, Descriptor):
        return _written_descriptor(value)
    return _written_platform(value) if isinstance(value, Platform) else dict(sorted(value.items()))


def _expect(value: object, kind: type, location: str, *, holding: str = "") -> None:
    if type(value) is not kind:  # not isinstance: True is not a number here
        raise InvalidManifestError(
            f"expected {_JSON_KINDS[kind]}{holding}, found {json_kind(value)}", location=location
        )


# --- Reading ------------------------------------------------------------------------------


def _text(value: Json, location: str) -> str:
    _expect(value, str, location)
    return value  # type: ignore[no-any-return]


def _integer(value: Json, location: str) -> int:
    _expect(value, int, location)
    return value  # type: ignore[no-any-return]


def _annotations(value: Json, location: str) -> Annotations:
    # Go encodes a nil map as null, and decodes a null into a string that stays empty.
    if value is None:
        return Annotations()
    _expect(value, dict, location, holding=" of strings")
    try:
        return Annotations({key: "" if text is None else text for key, text in value.items()})
    except InvalidInputError as error:
        raise InvalidManifestError(str(error), location=location) from error


def _texts(value: Json, location: str) -> tuple[str, ...]:
    if value is None:  # as for annotations
        return ()
    _expect(value, list, location)
    return tuple(_text(item, f"{location}[{number}]") for number, item in enumerate(value))


def _descriptors(value: Json, location: str) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    _expect(value, list, location)
    return tuple(_descriptor(item, f"{location}[{number}]") for number, item in enumerate(value))


def _required(members: Mapping[str, Json], name: str, location: str) -> Json:
    if name not in members:
        raise InvalidManifestError(f"{name} is missing", location=location)
    return members[name]


def _given(members: Mapping[str, Json], name: str) -> Json:
    """Return an optional member; None for Go's zero values, which mean that it is absent."""
    value = members.get(name)
    return None if value in ("", {}) else value


def _optional_text(members: Mapping[str, Json], name: str, location: str) -> str | None:
    value = _given(members, name)
    return None if value is None else _text(value, f"{location}.{name}")


def _descriptor(value: Json, location: str) -> Descriptor:
    _expect(value, dict, location)
    media_type = _text(_required(value, "mediaType", location), f"{location}.mediaType")
    digest = _digest(_required(value, "digest", location), f"{location}.digest")
    size = _integer(_required(value, "size", location), f"{location}.size")
    data = value.get("data")
    try:
        return Descriptor(
            media_type,
            digest,
            size,
            _texts(_given(value, "urls"), f"{location}.urls"),
            _annotations(_given(value, "annotations"), f"{location}.annotations"),
            None if data is None else _bytes(data, f"{location}.data"),  # "" is 0 bytes
            _optional_text(value, "artifactType", location),
            _platform_of(value, f"{location}.platform"),
        )
    except InvalidInputError as error:
        raise InvalidManifestError(str(error), location=location) from error


def _digest(value: Json, location: str) -> Digest:
    try:
        return Digest.parse(value)
    except InvalidInputError as error:
        raise InvalidManifestError(str(error), location=location) from error


def _bytes(value: Json, location: str) -> bytes:
    _expect(value, str, location, holding=" of base64")
    try:
        return base64.b64decode(value, validate=True)
    except ValueError as error:
        raise InvalidManifestError(str(error), location=location) from error


def _platform_of(descriptor: Mapping[str, Json], location: str) -> Platform | None:
    """Return the platform of a descriptor; None if it names no system or no architecture."""
    value = _given(descriptor, "platform")
    unnamed = isinstance(value, dict) and not (value.get("os") and value.get("architecture"))
    return None if value is None or unnamed else _platform(value, location)


def _platform(value: Json, location: str) -> Platform:
    _expect(value, dict, location)
    return Platform(
        _text(_required(value, "os", location), f"{location}.os"),
        _text(_required(value, "architecture", location), f"{location}.architecture"),
        _optional_text(value, "variant", location),
        _optional_text(value, "os.version", location),
        _texts(_given(value, "os.features"), f"{location}.os.features"),
    )


_READERS: Final[Mapping[object, Callable[[Json, str], object]]] = {
    str: _text,
    int: _integer,
    Annotations: _annotations,
    Platform: _platform,
    Descriptor: _descriptor,
    tuple[str, ...]: _texts,
    tuple[Descriptor, ...]: _descriptors,
}


# --- Writing ------------------------------------------------------------------------------


def _written_descriptor(value: Descriptor) -> dict[str, Any]:
    members: dict[str, Any] = {
        "mediaType": value.media_type,
        "digest": str(value.digest),
        "size": value.size,
    }
    if value.urls:
        members["urls"] = list(value.urls)
    if value.annotations:
        members["annotations"] = to_wire(value.annotations)
    if value.data is not None:
        members["data"] = base64.b64encode(value.data).decode()
    if value.platform is not None:
        members["platform"] = to_wire(value.platform)
    if value.artifact_type is not None:
        members["artifactType"] = value.artifact_type
    return members


def _written_platform(value: Platform) -> dict[str, Any]:
    members: dict[str, Any] = {"architecture": value.architecture, "os": value.os}
    if value.os_version is not None:
        members["os.version"] = value.os_version
    if value.os_features:
        members["os.features"] = list(value.os_features)
    if value.variant is not None:
        members["variant"] = value.variant
    return members
