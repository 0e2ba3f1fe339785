"""The date and the type of an artifact, from its manifest and its config."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime

from oras_core.content.graph import fetch_document
from oras_core.content.platforms import IMAGE_CONFIGS
from oras_core.content.verify import read_verified
from oras_core.errors import NotFoundError
from oras_core.mirroring.selection import Candidate
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher

__all__ = ["candidate_of"]

CREATED = "org.opencontainers.image.created"
"""The annotation with the date of an artifact, by RFC 3339 (image spec, annotations.md)."""


def candidate_of(
    source: Fetcher, tag: str, root: Descriptor, *, limit: int = MAX_MANIFEST_SIZE
) -> Candidate:
    """Read the manifest of a tagged artifact.

    The date is the annotation `CREATED`. Without it, the date of an image is `created` in its
    config, and the date of an index is that of its first manifest.

    Raises:
        OrasError: as `fetch_document`.
    """
    document = fetch_document(source, root, limit=limit)
    if isinstance(document, Manifest):
        created = _date(document.annotations.get(CREATED))
        return Candidate(
            tag, created or _in_config(source, document, limit), document.effective_artifact_type
        )
    created, artifact_type = _date(document.annotations.get(CREATED)), document.artifact_type
    if document.manifests and (created is None or artifact_type is None):
        first = document.manifests[0]
        try:
            inner = candidate_of(source, tag, first.plain(), limit=limit)
        except NotFoundError:  # an index of which the registry has other platforms only
            inner = Candidate(tag)
        created, artifact_type = created or inner.created, artifact_type or inner.artifact_type
    return Candidate(tag, created, artifact_type)


def _in_config(source: Fetcher, manifest: Manifest, limit: int) -> datetime | None:
    if manifest.config.media_type not in IMAGE_CONFIGS:
        return None
    with closing(source.fetch(manifest.config)) as stream:
        content = read_verified(stream, manifest.config, limit=limit)
    try:
        return _date(json.loads(content).get("created"))
    except (ValueError, AttributeError, RecursionError):
        return None


def _date(text: object) -> datetime | None:
    """Read a date of RFC 3339; None for anything else."""
    if not isinstance(text, str):
        return None
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return None
    return date.replace(tzinfo=UTC) if date.tzinfo is None else date
