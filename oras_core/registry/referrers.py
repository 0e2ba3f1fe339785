"""List the referrers of a manifest by the registry's API, or by a tag that clients maintain.

Without the API (R31) the list is an image index under the tag `sha256-HEX` of the subject.
Every client that pushes or deletes a referrer must rewrite it (distribution spec,
"Referrers Tag Schema"). The protocol does not prevent two clients from writing at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from attrs import evolve, frozen

from oras_core.content.referrers import as_referrer
from oras_core.errors import (
    AccessDeniedError,
    AuthenticationError,
    ContentError,
    InvalidManifestError,
    NotFoundError,
    RegistryError,
    RegistryNotFoundError,
    UnsupportedError,
)
from oras_core.model import codec, media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.wire import from_wire
from oras_core.ports.http import HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.header_fields import content_type
from oras_core.registry.manifests import ManifestClient, PushedManifest
from oras_core.registry.pagination import Page, paginate
from oras_core.registry.referrers_list import ReferrersList, referrers_tag
from oras_core.registry.referrers_memory import ListChange, ReferrersMemory
from oras_core.registry.referrers_update import ListUpdate

__all__ = ["ListEntry", "ReferrersClient"]

_logger = logging.getLogger(__name__)


@frozen
class ListEntry:
    """A pushed manifest to add to the list of its subject.

    Attributes:
        subject: the digest of the subject.
        referrer: the descriptor of the manifest, for the list.
    """

    subject: Digest
    referrer: Descriptor


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
            yield from _of_type(self._tagged_referrers(subject), artifact_type)
            return
        for page in pages:
            applied = page.response.headers.get("OCI-Filters-Applied", "")
            is_filtered = "artifactType" in {name.strip() for name in applied.split(",")}
            yield from _of_type(_descriptors(page), None if is_filtered else artifact_type)

    def has_api(self, subject: Digest) -> bool:
        """Tell whether the repository has a referrers API; ask only if that is not known.

        Raises: as `of`.
        """
        known = self._memory.has_api(self._endpoints.repository)
        return self._pages(subject) is not None if known is None else known

    def _pages(self, subject: Digest, artifact_type: str | None = None) -> Iterator[Page] | None:
        """Return the pages of the API, the first already read; None if there is no API."""
        known = self._memory.has_api(self._endpoints.repository)
        if known is False:
            return None
        pages = paginate(
            self._transport,
            self._endpoints.referrers(subject, artifact_type),
            f"list the referrers of {subject} in {self._endpoints.name}",
            limits=self._limits,
            accept=media_types.OCI_INDEX,
        )
        try:
            first = next(pages)
        except RegistryError as error:
            if not self._means_no_api(error, subject):
                raise
            _logger.debug("no referrers API: %s", error)
        else:
            if _is_index(first):
                self._memory.learn(self._endpoints.repository, has_api=True)
                return _chained(first, pages)
            _logger.debug("no referrers API: the answer is not an image index")
        if known is None:
            self._memory.learn(self._endpoints.repository, has_api=False)
        return None

    def _means_no_api(self, error: RegistryError, subject: Digest) -> bool:
        """Tell whether an error is that of a server without the referrers API (R29)."""
        if isinstance(error, RegistryNotFoundError) and "NAME_UNKNOWN" in error.codes:
            return False  # It says nothing about the API.
        if isinstance(error, AuthenticationError | AccessDeniedError):
            # The credential may be at fault: then it may not read the tag either.
            try:
                self._tagged(subject)
            except (AuthenticationError, AccessDeniedError):
                return False
            except UnsupportedError:
                pass
            return True
        if error.status in (408, 429):
            return False
        return error.status == 200 or 400 <= error.status < 500 or error.status == 501

    def _tagged_referrers(self, subject: Digest) -> Iterable[Descriptor]:
        try:
            listed = self._tagged(subject)
        except UnsupportedError as error:
            _logger.debug("treated as no referrers: %s", error)
            return ()
        return (entry for entry in listed.entries if self._may_refer(entry, subject))

    def _tagged(self, subject: Digest) -> ReferrersList:
        """Return the list under the tag; an empty one if there is no such tag.

        Raises:
            UnsupportedError: if the tag does not name a list.
        """
        tag = referrers_tag(subject)
        operation = f"list the referrers of {subject} in {self._endpoints.name}"
        try:
            descriptor, content = self._manifests.fetch_reference(tag)
        except NotFoundError:
            return ReferrersList.empty()
        if subject.matches(content):
            reason = f"the registry reads the tag {tag} as the digest of the subject"
            raise UnsupportedError(operation, reason)
        if descriptor.media_type != media_types.OCI_INDEX:
            raise UnsupportedError(operation, f"the tag {tag} does not name an image index")
        limit = self._limits.manifest_size
        listed = ReferrersList.parse(content, descriptor.media_type, limit=limit)
        if listed.entries and not any(self._may_refer(e, subject) for e in listed.entries):
            reason = f"the tag {tag} names an index of manifests that have another subject or none"
            raise UnsupportedError(operation, reason)
        return listed

    def _may_refer(self, entry: Descriptor, subject: Digest) -> bool:
        """Tell whether an entry of a list refers to the subject.

        Clients that write lists give each entry the artifact type and no platform; such an
        entry is used. For another one, the manifest decides.
        """
        if not entry.has_successors:
            return False
        if entry.artifact_type and entry.platform is None:
            return True
        try:
            content = self._manifests.fetch(entry)
        except NotFoundError:
            return entry.platform is None  # it may have been deleted
        document = _decoded(entry, content)
        if document is None or document.subject is None:
            return False
        return document.subject.digest == subject

    # --- Writing --------------------------------------------------------------------------

    def note(self, pushed: PushedManifest, content: bytes) -> None:
        """Add a pushed manifest to the list of its subject (R30).

        Raises: as `missing_entry` and `add`.
        """
        entry = self.missing_entry(pushed, content)
        if entry is not None:
            self.add(entry.subject, [entry.referrer])

    def missing_entry(self, pushed: PushedManifest, content: bytes) -> ListEntry | None:
        """Return the entry that a client must add to the list of a pushed manifest's subject.

        None if the manifest has no subject, and if the registry maintains the list itself.

        Raises:
            RegistryError: if the registry refuses to tell whether it has the API.
        """
        if pushed.subject is not None:
            self._memory.learn(self._endpoints.repository, has_api=True)
            return None
        document = _decoded(pushed.descriptor, content)
        if document is None or document.subject is None or self.has_api(document.subject.digest):
            return None
        # The registry may know the manifest by a digest of another algorithm.
        referrer = evolve(as_referrer(document), digest=pushed.descriptor.digest)
        return ListEntry(document.subject.digest, referrer)

    def add(self, subject: Digest, referrers: Sequence[Descriptor]) -> None:
        """Add referrers to the list of their subject, in one update.

        Raises:
            UnsupportedError: if the tag does not name a list, or other clients keep
                overwriting it.
            RegistryError: if the registry refuses.
        """
        self._change(subject, lambda listed: listed.with_entries(referrers))

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
        subject = document.subject.digest
        return None if self.has_api(subject) else subject

    def prune(self, subject: Digest, referrer: Digest) -> None:
        """Remove a deleted manifest from the list of its subject (R30).

        Raises: as `add`.
        """
        self._change(subject, lambda listed: listed.without(referrer))

    def _change(self, subject: Digest, change: ListChange) -> None:
        self._memory.change(
            self._endpoints.repository,
            subject,
            change,
            lambda changes: self._rewrite(subject, changes),
        )

    def _rewrite(self, subject: Digest, changes: Sequence[ListChange]) -> None:
        """Write the list until the changes last."""
        tag = referrers_tag(subject)
        update = ListUpdate(
            lambda: self._tagged(subject),
            lambda listed: self._manifests.push(listed.encode(), media_types.OCI_INDEX, tag),
            self._manifests.exists,
        )

        def change(listed: ReferrersList) -> ReferrersList:
            for one in changes:
                listed = one(listed)
            return listed

        if not update.run(change):
            raise UnsupportedError(
                f"update the list of the referrers of {subject} in {self._endpoints.name}",
                "other clients keep overwriting it; push the referrer again",
            )


def _is_index(page: Page) -> bool:
    types = content_type(page.response.headers), page.members.get("mediaType")
    return media_types.OCI_INDEX in types


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
