"""Making the manifest of an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from oras_core.errors import InvalidManifestError
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.manifest import Manifest

__all__ = ["created_at", "empty_config", "pack_manifest"]


def empty_config() -> Descriptor:
    """Return the image spec's descriptor of empty content, `{}`, embedded."""
    content = media_types.EMPTY_CONFIG
    plain = Descriptor.of(content, media_types.OCI_EMPTY)
    return Descriptor(plain.media_type, plain.digest, plain.size, data=content)


def created_at(seconds: int) -> Mapping[str, str]:
    """Return the annotation that says when an artifact was made (image spec, annotations.md).

    Whoever wants it names the time: one taken from a clock would give every push another
    digest.

    Args:
        seconds: since 1970-01-01 UTC, as `SOURCE_DATE_EPOCH` has them.

    Raises:
        InvalidManifestError: if there is no such date.
    """
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidManifestError(f"{seconds} seconds are no date") from error
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
    """Make an image manifest that refers to `layers`.

    Args:
        layers: the content, in order.
        artifact_type: what the artifact is, a media type.
        config: a config of one's own; without one it is the empty config.
        subject: the manifest to which this one is attached.
        annotations: of the manifest. Nothing is added to them: a time of creation would
            give every push another digest.
        version: of the image spec. Version 1.0 has no `artifactType` and no `subject`;
            there the config's media type says what the artifact is.

    Raises:
        InvalidManifestError: for what the version cannot express.
    """
    if artifact_type is not None and not media_types.is_media_type(artifact_type):
        raise InvalidManifestError(
            f"{artifact_type!r} is not of the form type/subtype", location="artifactType"
        )
    if version == "1.0":
        return _pack_1_0(layers, artifact_type, config, subject, annotations)
    if config is None or config.media_type == media_types.OCI_EMPTY:
        # The image spec demands a type of the artifact where the config says nothing.
        artifact_type = artifact_type or media_types.UNKNOWN_ARTIFACT
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
        raise InvalidManifestError("image spec 1.0 has no subject; pack by version 1.1")
    if config is not None and artifact_type is not None:
        raise InvalidManifestError(
            "image spec 1.0 has no artifactType; the config's media type takes its place"
        )
    config = config or Descriptor.of(
        media_types.EMPTY_CONFIG, artifact_type or media_types.UNKNOWN_CONFIG
    )
    return codec.encode_manifest(config=config, layers=layers, annotations=annotations)
