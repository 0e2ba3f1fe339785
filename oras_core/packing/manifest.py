"""Build the manifest of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from oras_core.errors import InvalidManifestError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.manifest import Manifest

__all__ = ["created_at", "empty_config", "pack_manifest"]


def empty_config() -> Descriptor:
    """Return the empty descriptor of the image spec, with its content `{}` embedded."""
    content = media_types.EMPTY_CONFIG
    plain = Descriptor.of(content, media_types.OCI_EMPTY)
    return Descriptor(plain.media_type, plain.digest, plain.size, data=content)


def created_at(seconds: int) -> Mapping[str, str]:
    """Return the annotation with the time of creation (image spec, annotations.md).

    The caller supplies the time: a time from the clock would change the digest of every push.

    Args:
        seconds: seconds since 1970-01-01 UTC, like `SOURCE_DATE_EPOCH`.

    Raises:
        InvalidManifestError: if the number is outside the range of dates.
    """
    from datetime import UTC, datetime  # noqa: PLC0415 - few pushes name a time

    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidManifestError(f"{seconds} seconds since 1970 is not a valid date") from error
    return {media_types.ANNOTATION_CREATED: moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


def pack_manifest(
    layers: Sequence[Descriptor],
    *,
    artifact_type: str | None = None,
    config: Descriptor | None = None,
    subject: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
    version: Literal["1.1", "1.0"] = "1.1",
) -> Manifest:
    """Build an image manifest that refers to `layers`.

    Args:
        layers: descriptors of the blobs, in order. In version 1.1, an artifact with a type
            and without blobs gets the empty descriptor as its layer, for portability (image
            spec, manifest.md, "Guidelines for Artifact Usage").
        artifact_type: the type of the artifact, a media type.
        config: the config; None for the empty config.
        subject: the manifest that this one is attached to.
        annotations: annotations of the manifest. No time of creation is added: it would
            change the digest of every push.
        version: version of the image spec. Version 1.0 has no `artifactType` and no `subject`;
            there the media type of the config is the type of the artifact.

    Raises:
        InvalidManifestError: if the version cannot express an argument.

    Example:
        >>> manifest = pack_manifest([], artifact_type="application/vnd.example.note")
        >>> manifest.artifact_type
        'application/vnd.example.note'
    """
    if artifact_type is not None and not media_types.is_media_type(artifact_type):
        raise InvalidManifestError(
            f"{artifact_type!r} is not of the form type/subtype", location="artifactType"
        )
    if version == "1.0":
        return _pack_1_0(layers, artifact_type, config, subject, annotations)
    if config is None or config.media_type == media_types.OCI_EMPTY:
        # The image spec requires an artifactType if the config is empty.
        artifact_type = artifact_type or media_types.UNKNOWN_ARTIFACT
    if artifact_type is not None and not layers:
        layers = [empty_config()]
    return codec.encode_manifest(
        config=config or empty_config(),
        layers=layers,
        subject=subject and subject.plain(),
        artifact_type=artifact_type,
        annotations=annotations,
    )


def _pack_1_0(
    layers: Sequence[Descriptor],
    artifact_type: str | None,
    config: Descriptor | None,
    subject: Descriptor | None,
    annotations: Mapping[str, str] | None,
) -> Manifest:
    if subject is not None:
        raise InvalidManifestError("image spec 1.0 has no subject; use version 1.1")
    if config is not None and artifact_type is not None:
        raise InvalidManifestError(
            "image spec 1.0 has no artifactType; set the media type of the config instead"
        )
    config = config or Descriptor.of(
        media_types.EMPTY_CONFIG, artifact_type or media_types.UNKNOWN_CONFIG
    )
    return codec.encode_manifest(config=config, layers=layers, annotations=annotations)
