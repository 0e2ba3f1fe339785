"""JSON schemas of layers, manifests and indexes, as plain dictionaries.

Pass one as `validation_schema` to `get_manifest`, or use it with a JSON schema validator.
The library itself validates manifests with `oras_core.model.codec`, which is stricter.
"""

from __future__ import annotations

from typing import Any, Final

schema_url: Final = "http://json-schema.org/draft-07/schema"

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_ANNOTATIONS: Final = {"type": ["object", "null", "array"]}
_SUBJECT: Final = {"type": ["null", "object"]}


def _document(title: str, required: list[str]) -> dict[str, Any]:
    return {
        "$schema": schema_url,
        "title": title,
        "type": "object",
        "required": required,
        "additionalProperties": True,
    }


def _descriptor_properties() -> dict[str, Any]:
    return {
        "mediaType": dict(_TEXT),
        "size": dict(_NUMBER),
        "digest": dict(_TEXT),
        "annotations": dict(_ANNOTATIONS),
    }


layerProperties: Final[dict[str, Any]] = {
    "type": "object",
    "properties": _descriptor_properties(),
}

layer: Final[dict[str, Any]] = {
    **_document("Layer Schema", ["mediaType", "size", "digest"]),
    **layerProperties,
}

manifestProperties: Final[dict[str, Any]] = {
    "schemaVersion": dict(_NUMBER),
    "subject": dict(_SUBJECT),
    "mediaType": dict(_TEXT),
    "layers": {"type": "array", "items": layerProperties},
    "config": layerProperties,
    "annotations": dict(_ANNOTATIONS),
}

manifest: Final[dict[str, Any]] = {
    **_document("Manifest Schema", ["schemaVersion", "config", "layers"]),
    "properties": manifestProperties,
}

manifestRefProperties: Final[dict[str, Any]] = _descriptor_properties()

manifestRef: Final[dict[str, Any]] = {
    **_document("Manifest reference", ["mediaType", "size", "digest"]),
    "properties": manifestRefProperties,
}

indexProperties: Final[dict[str, Any]] = {
    "schemaVersion": {**_NUMBER, "minimum": 2, "maximum": 2},
    "mediaType": dict(_TEXT),
    "artifactType": dict(_TEXT),
    "subject": dict(_SUBJECT),
    "manifests": {"type": "array", "items": manifestRef},
    "annotations": dict(_ANNOTATIONS),
}

index: Final[dict[str, Any]] = {
    **_document("OpenContainer Image Index", ["schemaVersion", "manifests"]),
    "properties": indexProperties,
}
