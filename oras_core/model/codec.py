"""Decode manifests and indexes strictly, and encode them canonically.

Decoding coerces no types (`"1"` is not a size), refuses documents that two readers could
interpret differently, and keeps the bytes. Encoding gives the same bytes for the same values
on any machine: fixed order of keys, sorted annotations, no white space, UTF-8.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from oras_core.errors import InvalidManifestError, SizeLimitError
from oras_core.model import media_types
from oras_core.model.annotations import Annotations
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.model.wire import from_wire, json_kind, to_wire

__all__ = ["decode", "decode_index", "decode_manifest", "encode_index", "encode_manifest"]

SCHEMA_VERSION: Final = 2

_EXCLUSIVE: Final = (("manifests",), ("layers", "config"), ("blobs",))
"""Members of an index, an image manifest and an artifact manifest; a document has one kind."""

_EMPTY_DESCRIPTOR: Final = Descriptor(
    media_types.OCI_EMPTY,
    Digest.of(media_types.EMPTY_CONFIG),
    len(media_types.EMPTY_CONFIG),
    data=media_types.EMPTY_CONFIG,
)


class _Document:
    """A parsed JSON object, with errors that name its members."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._members = members

    def __contains__(self, key: str) -> bool:
        return key in self._members

    def require(self, key: str, kind: Any) -> Any:  # noqa: ANN401
        if key not in self._members:
            raise InvalidManifestError(f"{key} is missing")
        return from_wire(self._members[key], kind, location=key)

    def get(self, key: str, kind: Any, default: Any = None) -> Any:  # noqa: ANN401
        if self._members.get(key) is None:
            return default
        return from_wire(self._members[key], kind, location=key)


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return members


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _load(content: bytes, limit: int) -> _Document:
    if len(content) > limit:
        raise SizeLimitError("manifest", limit)
    try:
        document = json.loads(
            content.decode(), object_pairs_hook=_unique_keys, parse_constant=_refuse_constant
        )
    except RecursionError as error:
        raise InvalidManifestError("it is nested too deeply") from error
    except ValueError as error:
        raise InvalidManifestError(f"it is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InvalidManifestError(f"expected an object, found {json_kind(document)}")
    return _Document(document)


# --- Reading ------------------------------------------------------------------------------


def decode(
    content: bytes, media_type: str | None = None, *, limit: int = MAX_MANIFEST_SIZE
) -> Manifest | Index:
    """Decode a manifest or an index.

    Args:
        content: the bytes as received.
        media_type: the media type from a descriptor, or from a `Content-Type` without its
            parameters; None if unknown.
        limit: the largest accepted size, in bytes.

    Raises:
        InvalidManifestError: if the document is malformed, has an unsupported type or a
            `mediaType` other than `media_type`, or has the members of both a manifest and
            an index (CVE-2021-41190, R25).
        SizeLimitError: if the document is larger than `limit`.
    """
    document = _load(content, limit)
    _refuse_ambiguity(document)
    found = document.get("mediaType", str)
    if media_type and found and found != media_type:
        raise InvalidManifestError(
            f"it was announced as {media_type}, but says {found!r}", location="mediaType"
        )
    actual = found or media_type
    if actual is None:
        # mediaType is optional in the image spec; without it the members decide.
        actual = media_types.OCI_INDEX if "manifests" in document else media_types.OCI_MANIFEST
    if actual in media_types.ARTIFACT_MANIFESTS:
        return Manifest(
            media_type=actual,
            config=_EMPTY_DESCRIPTOR,
            layers=document.get("blobs", tuple[Descriptor, ...], ()),
            **_common_members(document),
            content=content,
        )
    version = document.require("schemaVersion", int)
    if version != SCHEMA_VERSION:
        raise InvalidManifestError(f"{version} is not supported, only 2", location="schemaVersion")
    if media_types.is_manifest(actual):
        return Manifest(
            media_type=actual,
            config=document.require("config", Descriptor),
            layers=document.require("layers", tuple[Descriptor, ...]),
            **_common_members(document),
            content=content,
        )
    if media_types.is_index(actual):
        return Index(
            media_type=actual,
            manifests=document.require("manifests", tuple[Descriptor, ...]),
            **_common_members(document),
            content=content,
        )
    raise InvalidManifestError(
        f"{actual!r} is neither an image manifest nor an image index", location="mediaType"
    )


def _refuse_ambiguity(document: _Document) -> None:
    found = [members for members in _EXCLUSIVE if any(name in document for name in members)]
    if len(found) > 1:
        names = " and ".join(" or ".join(map(repr, members)) for members in found)
        raise InvalidManifestError(f"it has {names}: it is ambiguous")


def _common_members(document: _Document) -> dict[str, Any]:
    return {
        "subject": document.get("subject", Descriptor),
        "artifact_type": _artifact_type(document.get("artifactType", str)),
        "annotations": document.get("annotations", Annotations, Annotations()),
    }


def _artifact_type(text: str | None) -> str | None:
    """Check an artifactType, which descriptors repeat; empty counts as absent."""
    if text and not media_types.is_tolerable(text):
        raise InvalidManifestError(
            f"{text!r} is not 1 to 255 visible ASCII characters", location="artifactType"
        )
    return text or None


def decode_manifest(
    content: bytes, media_type: str | None = None, *, limit: int = MAX_MANIFEST_SIZE
) -> Manifest:
    """Decode a manifest; raise the errors of `decode`, also for an index."""
    document = decode(content, media_type, limit=limit)
    if not isinstance(document, Manifest):
        raise InvalidManifestError("expected an image manifest, found an image index")
    return document


def decode_index(
    content: bytes, media_type: str | None = None, *, limit: int = MAX_MANIFEST_SIZE
) -> Index:
    """Decode an index; raise the errors of `decode`, also for a manifest."""
    document = decode(content, media_type, limit=limit)
    if not isinstance(document, Index):
        raise InvalidManifestError("expected an image index, found an image manifest")
    return document


# --- Writing ------------------------------------------------------------------------------


def encode_manifest(
    *,
    config: Descriptor,
    layers: Sequence[Descriptor],
    subject: Descriptor | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    media_type: str = media_types.OCI_MANIFEST,
) -> Manifest:
    """Build a manifest and its canonical bytes; None for annotations omits the member.

    Raises:
        InvalidManifestError: if a value cannot be encoded, or the size exceeds the limit.
    """
    if media_type in media_types.ARTIFACT_MANIFESTS:
        raise InvalidManifestError(
            "artifact manifests are read and not written; "
            "write an image manifest with an artifact type",
            location="mediaType",
        )
    members = _write(
        {"config": config, "layers": list(layers)},
        media_type=media_type,
        subject=subject,
        artifact_type=artifact_type,
        annotations=annotations,
    )
    return Manifest(config=config, layers=tuple(layers), **members)


def encode_index(
    *,
    manifests: Sequence[Descriptor],
    subject: Descriptor | None = None,
    artifact_type: str | None = None,
    annotations: Mapping[str, str] | None = None,
    media_type: str = media_types.OCI_INDEX,
) -> Index:
    """Build an index and its canonical bytes; raise the errors of `encode_manifest`."""
    members = _write(
        {"manifests": list(manifests)},
        media_type=media_type,
        subject=subject,
        artifact_type=artifact_type,
        annotations=annotations,
    )
    return Index(manifests=tuple(manifests), **members)


def _write(
    referred: Mapping[str, Any],
    *,
    media_type: str,
    subject: Descriptor | None,
    artifact_type: str | None,
    annotations: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Encode the bytes, and return the arguments of a `Document`."""
    kept = Annotations(annotations)
    artifact_type = _artifact_type(artifact_type)
    content = _dump(
        {
            "schemaVersion": SCHEMA_VERSION,
            "mediaType": media_type,
            "artifactType": artifact_type,
            **referred,
            "subject": subject,
            "annotations": None if annotations is None else kept,
        }
    )
    return {
        "media_type": media_type,
        "subject": subject,
        "artifact_type": artifact_type,
        "annotations": kept,
        "content": content,
    }


def _dump(members: Mapping[str, Any]) -> bytes:
    present = {name: value for name, value in members.items() if value is not None}
    try:
        content = json.dumps(
            present, default=to_wire, ensure_ascii=False, separators=(",", ":")
        ).encode()
    except UnicodeEncodeError as error:
        raise InvalidManifestError("an annotation has text that is not valid Unicode") from error
    if len(content) > MAX_MANIFEST_SIZE:
        raise InvalidManifestError(
            f"it has {len(content)} bytes, registries accept {MAX_MANIFEST_SIZE}; "
            "push the files as a folder, or push fewer files"
        )
    return content
