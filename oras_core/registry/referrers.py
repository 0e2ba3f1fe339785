"""List the referrers of a manifest by the registry's API, or by a tag that clients maintain.

Without the API (R31) the list is an image index under the tag `sha256-HEX` of the subject.
Every client that pushes or deletes a referrer must rewrite it (distribution spec,
"Referrers Tag Schema"). The protocol does not prevent two clients from writing at once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Final

from attrs import evolve

from oras_core.content.referrers import as_referrer
from oras_core.errors import (
    AccessDeniedError,
    ContentError,
    InvalidManifestError,
    NotFoundError,
    RegistryError,
    RegistryNotFoundError,
    UnsupportedError,
)
from oras_core.forks import ForkSafeLock
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.wire import from_wire
from oras_core.ports.http import HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.manifests import ManifestClient, PushedManifest
from oras_core.registry.pagination import Page, paginate

__all__ = ["ReferrersClient", "ReferrersMemory", "is_referrers_tag", "referrers_tag"]

_logger = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 10
"""Attempts to write a list; another client may overwrite it each time."""

MAX_ALGORITHM: Final = 32
MAX_ENCODED: Final = 64
"""Characters of the two parts of the tag; a tag has at most 128."""

LOCKS: Final = 16
"""Lists that threads may write at the same time."""


def referrers_tag(subject: Digest) -> str:
    """Return the tag that lists the referrers of `subject` (distribution spec, R29)."""
    return f"{subject.algorithm[:MAX_ALGORITHM]}-{subject.encoded[:MAX_ENCODED]}"


def is_referrers_tag(tag: str) -> bool:
    """Tell whether `tag` has the form of a referrers tag."""
    return re.fullmatch(r"sha(256|512)-[0-9a-f]{64}", tag) is not None


class ReferrersMemory:
    """Which repositories have a referrers API, and locks for writing lists. Thread-safe."""

    def __init__(self) -> None:
        """Start with no knowledge."""
        self._available: dict[str, bool] = {}
        self._locks = tuple(ForkSafeLock() for _ in range(LOCKS))

    def has_api(self, repository: str) -> bool | None:
        """Tell whether `repository` has a referrers API; None if that is not known yet."""
        return self._available.get(repository)

    def learn(self, repository: str, *, has_api: bool) -> None:
        """Remember whether `repository` has a referrers API."""
        self._available[repository] = has_api

    def writing(self, repository: str, subject: Digest) -> AbstractContextManager[object]:
        """Return a context that only one thread at a time enters for one list."""
        return self._locks[hash((repository, subject)) % LOCKS]


class ReferrersClient:
    """Reads and writes lists of referrers in one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        manifests: ManifestClient,
        *,
        memory: ReferrersMemory,
        limits: Limits,
    ) -> None:
        """Send API requests through `transport`; read and write lists by `manifests`."""
        self._transport = transport
        self._endpoints = endpoints
        self._manifests = manifests
        self._memory = memory
        self._limits = limits

    # --- Reading --------------------------------------------------------------------------

    def of(self, subject: Digest, artifact_type: str | None = None) -> Iterator[Descriptor]:
        """Iterate over the referrers of `subject`, each once.

        The first listing of a repository shows whether it has the API; if not, the list
        under the tag is read (R29).

        Raises:
            NotFoundError: if the registry has no such repository.
            RegistryError: if the registry refuses, or its answer is not a list.
            InvalidManifestError: if an entry is malformed.
        """
        seen: set[Digest] = set()
        for descriptor in self._listed(subject, artifact_type):
            if descriptor.digest not in seen:
                seen.add(descriptor.digest)
                yield descriptor

    def _listed(self, subject: Digest, artifact_type: str | None) -> Iterator[Descriptor]:
        pages = self._pages(subject, artifact_type)
        if pages is None:
            yield from _of_type(self._tagged_list(subject), artifact_type)
            return
        for page in pages:
            applied = page.response.headers.get("OCI-Filters-Applied", "")
            is_filtered = "artifactType" in {name.strip() for name in applied.split(",")}
            yield from _of_type(_descriptors(page), None if is_filtered else artifact_type)

    def _pages(self, subject: Digest, artifact_type: str | None = None) -> Iterator[Page] | None:
        """Return the pages of the API, the first already read; None if there is no API."""
        if self._memory.has_api(self._endpoints.repository) is False:
            return None
        pages = paginate(
            self._transport,
            self._endpoints.referrers(subject, artifact_type),
            f"list the referrers of {subject} in {self._endpoints.name}",
            limits=self._limits,
            accept=media_types.OCI_INDEX,
        )
        first = self._first(pages)
        self._memory.learn(self._endpoints.repository, has_api=first is not None)
        return None if first is None else _chained(first, pages)

    def _first(self, pages: Iterator[Page]) -> Page | None:
        try:
            page = next(pages)
        except RegistryNotFoundError as error:
            if "NAME_UNKNOWN" in error.codes:
                raise  # It says nothing about the API (R29).
            _logger.debug("no referrers API: %s", error)
            return None
        except RegistryError as error:
            if error.status != 200:
                raise
            _logger.debug("no referrers API: %s", error)  # The body is a web page.
            return None
        kind = page.response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        is_index = media_types.OCI_INDEX in (kind, page.members.get("mediaType"))
        return page if is_index else None

    def _tagged_list(self, subject: Digest) -> tuple[Descriptor, ...]:
        try:
            index = self._tagged(subject)
        except UnsupportedError as error:
            _logger.debug("treated as no referrers: %s", error)
            return ()
        return index.manifests if index else ()

    def _tagged(self, subject: Digest) -> Index | None:
        """Return the list under the tag; None if there is no such tag.

        Raises:
            UnsupportedError: if the tag does not name a list.
        """
        tag = referrers_tag(subject)
        try:
            descriptor, content = self._manifests.fetch_reference(tag)
        except NotFoundError:
            return None
        document = codec.decode(content, descriptor.media_type, limit=self._limits.manifest_size)
        if document.media_type != media_types.OCI_INDEX or not isinstance(document, Index):
            raise UnsupportedError(
                f"list the referrers of {subject} in {self._endpoints.name}",
                f"the tag {tag} does not name an image index",
            )
        return document

    # --- Writing --------------------------------------------------------------------------

    def note(self, pushed: PushedManifest, content: bytes) -> None:
        """Add a pushed manifest to the list of its subject (R30).

        A registry that answers with `OCI-Subject` has already done so.

        Raises:
            UnsupportedError: if the tag does not name a list, or other clients keep
                overwriting it.
            RegistryError: if the registry refuses.
        """
        if pushed.subject is not None:
            self._memory.learn(self._endpoints.repository, has_api=True)
            return
        document = _decoded(pushed.descriptor, content)
        if document is None or document.subject is None:
            return
        # The registry may know the manifest by a digest of another algorithm.
        referrer = evolve(as_referrer(document), digest=pushed.descriptor.digest)
        self._rewrite(document.subject.digest, lambda listed: {**listed, referrer.digest: referrer})

    def subject_to_prune(self, descriptor: Descriptor) -> Digest | None:
        """Return the subject from whose list a manifest must be taken when it is deleted.

        None if the manifest has no subject, or if the registry maintains the list itself.

        Raises:
            NotFoundError: if the repository does not have the manifest.
        """
        if self._memory.has_api(self._endpoints.repository):
            return None
        try:
            document = _decoded(descriptor, self._manifests.fetch(descriptor))
        except (AccessDeniedError, ContentError) as error:
            _logger.debug("subject of %s is unknown: %s", descriptor, error)
            return None
        if document is None or document.subject is None:
            return None
        has_api = self._pages(document.subject.digest) is not None
        return None if has_api else document.subject.digest

    def prune(self, subject: Digest, referrer: Digest) -> None:
        """Remove a deleted manifest from the list of its subject (R30).

        Raises: as `note`.
        """
        self._rewrite(
            subject, lambda listed: {d: item for d, item in listed.items() if d != referrer}
        )

    def _rewrite(
        self,
        subject: Digest,
        change: Callable[[Mapping[Digest, Descriptor]], Mapping[Digest, Descriptor]],
    ) -> None:
        """Write the list until a second read shows that the change was kept."""
        with self._memory.writing(self._endpoints.repository, subject):
            for _ in range(MAX_ATTEMPTS):
                index = self._tagged(subject)
                present = index.manifests if index else ()
                wanted = tuple(change({item.digest: item for item in present}).values())
                if wanted == present:
                    return
                written = codec.encode_index(
                    manifests=wanted,
                    artifact_type=index.artifact_type if index else None,
                    annotations=(index.annotations or None) if index else None,
                )
                self._manifests.push(written.content, written.media_type, referrers_tag(subject))
        raise UnsupportedError(
            f"update the list of the referrers of {subject} in {self._endpoints.name}",
            "other clients keep overwriting it; push the referrer again",
        )


def _chained(first: Page, rest: Iterator[Page]) -> Iterator[Page]:
    yield first
    yield from rest


def _descriptors(page: Page) -> Iterator[Descriptor]:
    for number, entry in enumerate(page.entries("manifests")):
        yield from_wire(entry, Descriptor, location=f"manifests[{number}]")


def _of_type(found: Iterable[Descriptor], artifact_type: str | None) -> Iterator[Descriptor]:
    return (d for d in found if artifact_type is None or d.artifact_type == artifact_type)


def _decoded(descriptor: Descriptor, content: bytes) -> Manifest | Index | None:
    """Return the document; None if no subject can be read from it."""
    if b'"subject"' not in content:
        return None
    try:
        return codec.decode(content, descriptor.media_type)
    except InvalidManifestError as error:
        _logger.debug("subject of %s is unknown: %s", descriptor, error)
        return None
