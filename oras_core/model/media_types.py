"""Media types and annotation keys of the OCI image spec, of Docker and of ORAS."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

__all__ = ["is_index", "is_manifest", "is_media_type", "is_tolerable", "names_compression"]

OCI_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX: Final = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST: Final = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST: Final = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_ARTIFACT_MANIFEST: Final = "application/vnd.oci.artifact.manifest.v1+json"
"""Of the release candidates of image spec 1.1; removed before its release, still in registries."""
ORAS_ARTIFACT_MANIFEST: Final = "application/vnd.cncf.oras.artifact.manifest.v1+json"
"""The predecessor of `OCI_ARTIFACT_MANIFEST`, by ORAS."""

OCI_LAYER_TAR: Final = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_TAR_GZIP: Final = "application/vnd.oci.image.layer.v1.tar+gzip"
COMPRESSION_SUFFIXES: Final = ("gzip", "zstd")
"""Suffixes, after a `+`, of the image spec's compressed layer types (layer.md)."""
OCI_EMPTY: Final = "application/vnd.oci.empty.v1+json"
OCI_IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
DOCKER_IMAGE_CONFIG: Final = "application/vnd.docker.container.image.v1+json"
UNKNOWN_CONFIG: Final = "application/vnd.unknown.config.v1+json"
UNKNOWN_ARTIFACT: Final = "application/vnd.unknown.artifact.v1"
OCTET_STREAM: Final = "application/octet-stream"

IMAGE_MANIFESTS: Final = (OCI_MANIFEST, DOCKER_MANIFEST)
ARTIFACT_MANIFESTS: Final = (OCI_ARTIFACT_MANIFEST, ORAS_ARTIFACT_MANIFEST)
MANIFESTS: Final = (*IMAGE_MANIFESTS, *ARTIFACT_MANIFESTS)
INDEXES: Final = (OCI_INDEX, DOCKER_MANIFEST_LIST)
ACCEPTED_MANIFESTS: Final = (*MANIFESTS, *INDEXES)
"""The `Accept` header of manifest requests (R25)."""

ANNOTATION_TITLE: Final = "org.opencontainers.image.title"
ANNOTATION_CREATED: Final = "org.opencontainers.image.created"
ANNOTATION_REF_NAME: Final = "org.opencontainers.image.ref.name"
ANNOTATION_CONTENT_DIGEST: Final = "io.deis.oras.content.digest"
"""Annotation of a packed directory: the digest of the tar before compression."""
ANNOTATION_UNPACK: Final = "io.deis.oras.content.unpack"
"""Annotation `true` of a layer that a pull unpacks: a packed directory."""

ANNOTATION_REFERENCE_TYPE: Final = "vnd.docker.reference.type"
"""On an entry of an index by buildx: what the manifest is for the image that it belongs to."""
ATTESTATION: Final = "attestation-manifest"
"""The value of `ANNOTATION_REFERENCE_TYPE` of provenance and SBOM, which are not images."""

EMPTY_CONFIG: Final = b"{}"
"""Content of the empty descriptor; some registries refuse a blob of 0 bytes (R22)."""


@cache
def _rfc_6838() -> re.Pattern[str]:
    # Section 4.2: restricted names of at most 127 characters; no parameters.
    name = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
    return re.compile(rf"{name}/{name}\Z")


@cache
def _visible_ascii() -> re.Pattern[str]:
    return re.compile(r"[!-~]{1,255}\Z")


def is_media_type(text: str) -> bool:
    """Tell whether `text` is `type/subtype` by RFC 6838, as the image spec requires."""
    return _rfc_6838().match(text) is not None


def is_tolerable(text: str) -> bool:
    """Tell whether `text` is accepted as a media type.

    Existing artifacts have types without a `/`, such as `org.dinosaur.tool.data`. They are
    accepted; spaces and control characters are not.
    """
    return _visible_ascii().match(text) is not None


def is_manifest(media_type: str) -> bool:
    """Tell whether a media type is that of an image manifest, of OCI or Docker."""
    return media_type in MANIFESTS


def is_index(media_type: str) -> bool:
    """Tell whether a media type is that of an image index or a Docker manifest list."""
    return media_type in INDEXES


def names_compression(media_type: str) -> bool:
    """Tell whether a media type ends like that of a compressed layer, of OCI or Docker."""
    return media_type.endswith(COMPRESSION_SUFFIXES)
