"""A repository of a registry as a target."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import TYPE_CHECKING

from oras_core.forks import ConnectionHolder
from oras_core.lazy import made_once
from oras_core.model.limits import Limits
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.model.reference import is_tag
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    Deleter,
    Ingester,
    Mounter,
    MultiTagPusher,
    RangeFetcher,
    Receiver,
    ReferenceFetcher,
    ReferencePusher,
    ReferrerLister,
    TagLister,
    Target,
    Untagger,
    UnverifiedFetcher,
)
from oras_core.ports.http import HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.pagination import paginate_by

if TYPE_CHECKING:
    from oras_core.model.descriptor import Descriptor
    from oras_core.model.digest import Digest
    from oras_core.registry.auth.scope import Scope
    from oras_core.registry.clients import RepositoryClients
    from oras_core.registry.manifests import PushedManifest
    from oras_core.registry.profiles import LearnedProfile
    from oras_core.registry.referrers_batch import ReferrersBatch
    from oras_core.registry.referrers_memory import ReferrersMemory

__all__ = ["RemoteRepository"]


class RemoteRepository(
    ConnectionHolder,
    Target,
    Ingester,
    RangeFetcher,
    Receiver,
    UnverifiedFetcher,
    ReferenceFetcher,
    ReferencePusher,
    ReferrerLister,
    TagLister,
    Mounter,
    MultiTagPusher,
    Deleter,
    Untagger,
):
    """A repository. Made by `RemoteRegistry.repository`. Thread-safe.

    Descriptors with the media type of a manifest or index refer to manifests, all others to
    blobs.

    Attributes:
        registry: the registry as in references, e.g. `docker.io`.
        name: the repository, e.g. `library/alpine`.
        endpoints: the URLs of the repository, for requests that have no method here.
    """

    _in_a_worker = "Send its reference, and make one in the worker."

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        *,
        expect: Callable[[Scope], None],
        profile: Callable[[], LearnedProfile],
        referrers: Callable[[], ReferrersMemory],
        limits: Limits,
    ) -> None:
        """Send requests through `transport`.

        Args:
            transport: follows redirects, retries requests and adds credentials.
            endpoints: the URLs of the repository.
            expect: called with the scopes that later requests will need.
            profile: returns the known abilities of the registry.
            referrers: returns what is known about the referrers API of the registry.
            limits: bounds on responses of the registry.
        """
        self.endpoints = endpoints
        self.registry: str = endpoints.registry
        self.name: str = endpoints.repository
        self._transport = transport
        self._expect = expect
        self._profile = profile
        self._referrers = referrers
        self._limits = limits
        self._batch: ReferrersBatch | None = None

    def __repr__(self) -> str:
        """Return the class and the name of the repository."""
        return f"RemoteRepository({self.endpoints.name!r})"

    @made_once
    def _clients(self) -> RepositoryClients:
        from oras_core.registry.clients import RepositoryClients  # noqa: PLC0415 - lists of tags need none

        return RepositoryClients(
            self._transport,
            self.endpoints,
            self._profile(),
            self._limits,
            memory=self._referrers(),
        )

    # --- Blobs and manifests --------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the repository has a blob or manifest; False if access is denied (R8).

        Raises:
            RegistryError: if the registry fails to answer the question.
        """
        if descriptor.has_successors:
            return self._clients.manifests.exists(descriptor)
        return self._clients.downloader.exists(descriptor.digest)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest that is verified at its end.

        The stream of a blob resumes when the connection fails.

        Raises:
            NotFoundError: if the repository does not have it.
            RegistryError: if the registry refuses.
            TransportError: if the registry does not respond, or the connection fails repeatedly.
            SizeMismatchError: if it has another size.
            DigestMismatchError: if it has another digest.
        """
        if descriptor.has_successors:
            return io.BytesIO(self._clients.manifests.fetch(descriptor))
        return self._clients.downloader.fetch(descriptor)

    def fetch_unverified(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream as `fetch`, whose bytes the caller must verify.

        Raises: as `fetch`.
        """
        if descriptor.has_successors:
            return self.fetch(descriptor)
        return self._clients.downloader.fetch_unverified(descriptor)

    def describe_blob(self, digest: Digest) -> Descriptor:
        """Return the descriptor of a blob whose digest alone is known.

        Raises:
            NotFoundError: if the repository does not have the blob.
            RegistryError: if the registry refuses.
            UnsupportedError: if the registry does not report the size of the blob.
        """
        return self._clients.downloader.describe(digest)

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return `length` bytes of a blob from offset `start`, not verified; raises as `fetch`."""
        return self._clients.downloader.fetch_range(descriptor, start, length)

    @contextmanager
    def receiving(self) -> Iterator[RemoteRepository]:
        """Return the target of one copy, for a block.

        One token serves all its requests (R5), and each list of referrers that clients
        maintain is updated once, at the end (R30).
        """
        self._expect_pushes()
        receiver = copy(self)
        receiver._batch = batch = self._batch or self._clients.new_batch()  # noqa: SLF001 - of this class
        with batch:
            yield receiver

    def expect_blobs(self, count: int) -> None:
        """Choose the lookups of a copy: a few blobs are all looked for at the same time."""
        self._clients.presence.expect(count)

    def _expect_pushes(self) -> None:
        self._expect(self._push_scope)

    @made_once
    def _push_scope(self) -> Scope:
        from oras_core.registry.auth.scope import Scope  # noqa: PLC0415 - only pushes need it

        return Scope("repository", self.name, ("pull", "push"))

    def push(
        self, descriptor: Descriptor, source: ByteSource, *, chunk_size: int | None = None
    ) -> None:
        """Store a blob or manifest, unless the repository has it.

        Args:
            descriptor: the descriptor of the blob or manifest.
            source: its bytes.
            chunk_size: the size of the chunks of a blob, in bytes; None to send it whole
                unless the profile of the registry says otherwise.

        Raises:
            SizeMismatchError: if the source and `descriptor` differ in size.
            DigestMismatchError: if they differ in digest.
            RegistryError: if the registry refuses.
            TransportError: if the registry does not respond.
        """
        self._expect_pushes()
        if not descriptor.has_successors:
            self._clients.uploader.push(descriptor, source, chunk_size=chunk_size)
        elif not self._clients.manifests.exists(descriptor):
            self._put_manifest(descriptor, source, str(descriptor.digest))

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of a blob, and upload it at the same time if possible.

        Raises:
            OrasError: an error of the source.
        """
        return self._clients.uploader.ingest(source, media_type)

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Mount a blob from another repository of the same registry (R21).

        Return False for any other source, for a manifest, and if the registry refuses.
        """
        if not isinstance(source, RemoteRepository) or descriptor.has_successors:
            return False
        if source.endpoints.base_url != self.endpoints.base_url or source.name == self.name:
            return False
        self._expect_pushes()
        return self._clients.uploader.mount(descriptor, source.name)

    def delete(self, descriptor: Descriptor) -> None:
        """Delete a blob, or a manifest with all its tags.

        If the registry has no referrers API, the manifest is also removed from the referrers
        list of its subject (R30).

        Raises:
            NotFoundError: if the repository does not have it.
            UnsupportedError: if the registry does not allow deletion.
        """
        from oras_core.registry.deletion import delete_blob, delete_manifest  # noqa: PLC0415 - rare

        if not descriptor.has_successors:
            delete_blob(self._transport, self.endpoints, descriptor.digest)
            return
        subject = self._clients.referrers.subject_to_prune(descriptor)
        delete_manifest(self._transport, self.endpoints, descriptor.digest)
        if subject is not None:
            self._clients.referrers.prune(subject, descriptor.digest)

    # --- Tags -----------------------------------------------------------------------------

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of the manifest with a tag or digest.

        Raises:
            NotFoundError: if there is no such manifest.
            RegistryError: if the registry refuses.
            InvalidReferenceError: if `reference` is neither a tag nor a digest.
        """
        return self._clients.manifests.resolve(reference)

    def fetch_reference(
        self, reference: str, *, accept: Sequence[str] = ACCEPTED_MANIFESTS
    ) -> tuple[Descriptor, bytes]:
        """Return the manifest with a tag or digest, in one request.

        `accept` lists the media types to request and to accept in the response.

        Returns:
            The descriptor, with the digest of the received bytes; and these bytes.

        Raises:
            NotFoundError: if there is no such manifest.
            DigestMismatchError: if the digest differs from the requested or announced one.
            SizeLimitError: if the manifest exceeds the limit.
            InvalidManifestError: if the manifest has another media type.
            RegistryError: if the registry refuses.
        """
        return self._clients.manifests.fetch_reference(reference, accept=accept)

    def push_manifest(
        self, content: bytes, media_type: str, reference: str | None = None
    ) -> Descriptor:
        """Store the unchanged bytes of a manifest under a tag, or its digest (sha256 if None).

        Raises:
            DigestMismatchError: if `reference` is another digest, or the registry reports
                another one.
            SizeLimitError: if the manifest exceeds the limit of registries.
            RegistryError: if the registry refuses the manifest.
        """
        return self._store(content, media_type, reference)

    def push_reference(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        """Store a manifest under the tag `reference`, in one request; raises as `push`."""
        self._put_manifest(descriptor, source, reference)

    def push_tags(self, descriptor: Descriptor, source: ByteSource, tags: Sequence[str]) -> None:
        """Store a manifest under several tags, if possible in one request; raises as `push`."""
        storer = self._clients.storer
        storer.store_under(storer.read(source, descriptor), descriptor, tags, self._note)

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Point the tag `reference` at a manifest of the repository.

        The manifest is fetched, and put under the tag.

        Raises:
            NotFoundError: if the repository does not have the manifest.
        """
        self._store(self._clients.manifests.fetch(descriptor), descriptor.media_type, reference)

    def untag(self, reference: str) -> None:
        """Remove a tag; its manifest and the other tags stay (R34).

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if the registry allows no way to do so.
        """
        self._clients.new_tag_remover(self.tags).remove(reference)

    def tags(self, page_size: int | None = None) -> Iterator[str]:
        """Iterate over the tags, page by page.

        Entries that are not tags, such as the digests that Artifactory lists, are skipped.

        Args:
            page_size: tags per page; None, or a size that the registry refuses, for its own.

        Raises, during the iteration:
            NotFoundError: if the registry has no such repository.
            RegistryError: if the registry refuses, or the response is not a list of tags.
            SizeLimitError: if there are too many pages.
            UnsafeRedirectError: if a page links to an earlier page or another origin.
        """
        if page_size is not None:
            page_size = min(page_size, self._profile().current.max_page_size or page_size)
        operation = f"list the tags of {self.endpoints.name}"
        for page in paginate_by(
            self._transport, self.endpoints.tags, page_size, operation, limits=self._limits
        ):
            yield from filter(is_tag, page.strings("tags"))

    # --- Referrers ------------------------------------------------------------------------

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests whose subject is a given one, page by page.

        Without a referrers API, the referrers are read from the index under the referrers
        tag of the subject, which `push` and `delete` update (R29, R30).

        Raises, during the iteration:
            NotFoundError: if the registry has no such repository.
            RegistryError: if the registry refuses, or the response is not a list.
            InvalidManifestError: if an entry is malformed.
        """
        return self._clients.referrers.of(descriptor.digest, artifact_type)

    def _put_manifest(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        content = self._clients.storer.read(source, descriptor)
        self._store(content, descriptor.media_type, reference)

    def _store(self, content: bytes, media_type: str, reference: str | None) -> Descriptor:
        return self._clients.storer.store(content, media_type, reference, self._note).descriptor

    def _note(self, pushed: PushedManifest, content: bytes) -> None:
        (self._batch or self._clients.referrers).note(pushed, content)
