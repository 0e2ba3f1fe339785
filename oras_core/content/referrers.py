"""Referrers: the manifests and indexes that name another one as their subject."""

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
"""Referrers found in one walk: ends a registry that always invents a further one."""


def as_referrer(document: Manifest | Index) -> Descriptor:
    """Describe a manifest or index as a list of referrers does (distribution spec, end-12).

    The artifact type is its own, or in want of one its config's media type; its
    annotations are copied (R30).
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
    """Iterate over those of `candidates` that have the subject, described as referrers.

    Those that have vanished are left out.

    Raises:
        ContentError: if one is not what its descriptor promises.
        InvalidManifestError: if one is malformed.
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
    """Iterate over the referrers that a target holds, by whichever way it knows them.

    Raises:
        UnsupportedError: if it can tell neither referrers nor predecessors.
        OrasError: whatever the target raises.
    """
    if isinstance(source, ReferrerLister):
        return source.referrers(subject, artifact_type)
    if isinstance(source, PredecessorFinder):
        found = source.predecessors(subject)
        return referrers_among(source, found, subject, artifact_type, limit=limit)
    raise UnsupportedError(f"list the referrers of {subject.digest}", "the target cannot tell them")


# --- Which ones ---------------------------------------------------------------------------


def is_of_type(*artifact_types: str) -> Callable[[Descriptor], bool]:
    """Return a test that holds for referrers of one of these artifact types."""
    return lambda referrer: referrer.artifact_type in artifact_types


def has_annotations(items: Mapping[str, str | None]) -> Callable[[Descriptor], bool]:
    """Return a test that holds for referrers with all these annotations; None for any value."""
    return lambda referrer: all(
        key in referrer.annotations and value in (None, referrer.annotations[key])
        for key, value in items.items()
    )
