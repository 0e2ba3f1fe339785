"""Referrers: manifests and indexes whose subject is another manifest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from oras_core.content.graph import fetch_document
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.ports.content import Fetcher, PredecessorFinder, ReferrerLister

__all__ = [
    "MAX_REFERRERS",
    "as_referrer",
    "has_annotations",
    "is_of_type",
    "referrers_among",
    "referrers_of",
]

MAX_REFERRERS: Final = 10_000
"""Referrers in one walk; a hostile registry could invent referrers forever."""


def as_referrer(document: Manifest | Index) -> Descriptor:
    """Return the descriptor of a manifest or index for a list of referrers (end-12).

    Its artifact type is that of the manifest, or the media type of the config if the
    manifest has none. The annotations are copied (R30).
    """
    own = document.artifact_type
    return Descriptor(
        document.media_type,
        document.digest,
        len(document.content),
        annotations=document.annotations,
        artifact_type=document.effective_artifact_type if isinstance(document, Manifest) else own,
    )


def referrers_among(
    fetcher: Fetcher,
    candidates: Iterable[Descriptor],
    subject: Descriptor,
    artifact_type: str | None = None,
    *,
    limit: int = MAX_MANIFEST_SIZE,
) -> Iterator[Descriptor]:
    """Iterate over the candidates with the given subject, described as referrers.

    Candidates that no longer exist are left out.

    Raises:
        ContentError: if a candidate does not match its descriptor.
        InvalidManifestError: if a candidate is malformed.
    """
    for candidate in candidates:
        try:
            document = fetch_document(fetcher, candidate.plain(), limit=limit)
        except NotFoundError:
            continue
        if document.subject is None or document.subject.digest != subject.digest:
            continue
        described = as_referrer(document)
        if artifact_type is None or described.artifact_type == artifact_type:
            yield described


def referrers_of(
    source: Fetcher,
    subject: Descriptor,
    artifact_type: str | None = None,
    *,
    limit: int = MAX_MANIFEST_SIZE,
) -> Iterator[Descriptor]:
    """Iterate over the referrers of `subject` in a target.

    Raises:
        UnsupportedError: if the target lists neither referrers nor predecessors.
        OrasError: any error of the target.
    """
    if isinstance(source, ReferrerLister):
        return source.referrers(subject, artifact_type)
    if isinstance(source, PredecessorFinder):
        found = source.predecessors(subject)
        return referrers_among(source, found, subject, artifact_type, limit=limit)
    raise UnsupportedError(
        f"list the referrers of {subject.digest}",
        "the target lists neither referrers nor predecessors",
    )


# --- Selecting ----------------------------------------------------------------------------


def is_of_type(*artifact_types: str) -> Callable[[Descriptor], bool]:
    """Return a predicate for referrers of one of these artifact types."""
    return lambda referrer: referrer.artifact_type in artifact_types


def has_annotations(items: Mapping[str, str | None]) -> Callable[[Descriptor], bool]:
    """Return a predicate for referrers with all these annotations; None allows any value."""
    return lambda referrer: all(
        key in referrer.annotations and value in (None, referrer.annotations[key])
        for key, value in items.items()
    )
