"""A registry's repository as a target: holds content by digest and names it by tag."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from oras_core.content.verify import read_verified
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.model.reference import is_tag
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    Deleter,
    Ingester,
    Mounter,
    PushExpecter,
    RangeFetcher,
    ReferenceFetcher,
    ReferencePusher,
    ReferrerLister,
    TagLister,
    Target,
    Untagger,
)
from oras_core.ports.http import HttpTransport
from oras_core.registry.auth.scope import Scope
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.upload import BlobUploader
from oras_core.registry.deletion import delete_blob, delete_manifest, delete_tag
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.manifests import ManifestClient
from oras_core.registry.pagination import paginate
from oras_core.registry.profiles import LearnedProfile
from oras_core.registry.referrers import ReferrersClient, ReferrersMemory

__all__ = ["RemoteRepository"]


class RemoteRepository(
    Target,
    Ingester,
    PushExpecter,
    RangeFetcher,
    ReferenceFetcher,
    ReferencePusher,
    ReferrerLister,
    TagLister,
    Mounter,
    Deleter,
    Untagger,
):
    """A repository. Made by `RemoteRegistry.repository`. Thread-safe.

    Content of a manifest's or index' media type is looked for among the manifests, all
    other among the blobs.

    Attributes:
        registry: the registry as references name it, e.g. `docker.io`.
        name: the repository in it, e.g. `library/alpine`.
        endpoints: its addresses, for requests that have no method here.
    """

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        *,
        expect: Callable[[Scope], None],
        profile: LearnedProfile,
        referrers: ReferrersMemory,
        limits: Limits,
    ) -> None:
        """Ask by `transport`, which follows redirects, tries again and has the credentials.

        Args:
            transport: as above.
            endpoints: the repository's addresses.
            expect: told of the scopes that are going to be needed.
            profile: what the registry can do.
            referrers: where the registry keeps its referrers, as far as is known.
            limits: bounds on what the registry sends.
        """
        self.endpoints = endpoints
        self.registry = endpoints.registry
        self.name = endpoints.repository
        self._transport = transport
        self._expect = expect
        self._profile = profile
        self._limits = limits
        self._manifests = ManifestClient(transport, endpoints, limits)
        self._downloader = BlobDownloader(transport, endpoints, limits)
        self._uploader = BlobUploader(transport, endpoints, profile, limits)
        self._referrers = ReferrersClient(
            transport, endpoints, self._manifests, memory=referrers, limits=limits
        )

    def __repr__(self) -> str:
        """Show the name."""
        return f"RemoteRepository({self.endpoints.name!r})"

    # --- Content --------------------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the content is here; a registry that forbids to look says no (R8).

        Raises:
            RegistryError: if the registry gives another answer than yes and no.
        """
        if descriptor.has_successors:
            return self._manifests.exists(descriptor)
        return self._downloader.exists(descriptor)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the content; a blob's goes on where its connection breaks off.

        Raises:
            NotFoundError: if it is not here.
            RegistryError: if the registry refuses.
            TransportError: if there is no answer, or it keeps breaking off.
            SizeMismatchError: if a blob has another size.
        """
        if descriptor.has_successors:
            return io.BytesIO(self._manifests.fetch(descriptor))
        return self._downloader.fetch(descriptor)

    def describe_blob(self, digest: Digest) -> Descriptor:
        """Return the descriptor of a blob of which the digest alone is known.

        Raises:
            NotFoundError: if it is not here.
            RegistryError: if the registry refuses, or does not say how large it is.
        """
        return self._downloader.describe(digest)

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return a stream of `length` bytes of a blob from byte `start` on; unverifiable.

        Raises: as `fetch`, and `InvalidInputError` if the blob has no such part.
        """
        return self._downloader.fetch_range(descriptor, start, length)

    def expect_pushes(self) -> None:
        """Let one token serve all that a push asks for (R5)."""
        self._expect(Scope("repository", self.name, ("pull", "push")))

    def push(
        self, descriptor: Descriptor, source: ByteSource, *, chunk_size: int | None = None
    ) -> None:
        """Store content, unless it is here.

        Nothing needs to be looked for before: the request that begins the upload of a
        blob finds whether it is here, and a manifest is asked about first.

        Args:
            descriptor: what it is.
            source: its bytes.
            chunk_size: bytes of a chunk in which a blob is sent; None to send it whole
                unless the registry's profile says otherwise.

        Raises:
            SizeMismatchError: if the source has another size than `descriptor` says.
            DigestMismatchError: if it has another digest.
            RegistryError: if the registry refuses it.
            TransportError: where there is no answer.
        """
        if not descriptor.has_successors:
            self._uploader.push(descriptor, source, chunk_size=chunk_size)
        elif not self._manifests.exists(descriptor):
            self._put_manifest(descriptor, source, str(descriptor.digest))

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Describe a blob, and store it meanwhile if the registry lets us.

        Raises:
            OrasError: what the source raises.
        """
        return self._uploader.ingest(source, media_type)

    def mount(self, descriptor: Descriptor, source: object) -> bool:
        """Take a blob over from another repository of the same registry (R21).

        False for any other source, for a manifest, and where the registry does not do it.
        """
        if not isinstance(source, RemoteRepository) or descriptor.has_successors:
            return False
        if source.endpoints.base_url != self.endpoints.base_url or source.name == self.name:
            return False
        return self._uploader.mount(descriptor, source.name)

    def delete(self, descriptor: Descriptor) -> None:
        """Remove the content; a manifest with every tag of it.

        Where the registry keeps no list of referrers, a manifest is taken out of that of
        its subject too (R30).

        Raises:
            NotFoundError: if it is not here.
            UnsupportedError: if the registry deletes nothing.
        """
        if not descriptor.has_successors:
            delete_blob(self._transport, self.endpoints, descriptor.digest, self._limits)
            return
        subject = self._referrers.subject_to_prune(descriptor)
        delete_manifest(self._transport, self.endpoints, descriptor.digest, self._limits)
        if subject is not None:
            self._referrers.prune(subject, descriptor.digest)

    # --- Names ----------------------------------------------------------------------------

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of the manifest that a tag or a digest names.

        Raises:
            NotFoundError: if there is none of that name.
            RegistryError: if the registry refuses.
            InvalidReferenceError: if `reference` is neither tag nor digest.
        """
        return self._manifests.resolve(reference)

    def fetch_reference(
        self, reference: str, *, accept: Sequence[str] = ACCEPTED_MANIFESTS
    ) -> tuple[Descriptor, bytes]:
        """Return the manifest that a tag or a digest names, in one request.

        `accept` are the media types asked for, and believed of the answer.

        Returns:
            The descriptor, whose digest is that of the bytes as received; and the bytes.

        Raises:
            NotFoundError: if there is none of that name.
            DigestMismatchError: if it is not what was asked for or announced.
            SizeLimitError: if it is larger than the limit.
            InvalidManifestError: if it is of no type that was asked for.
            RegistryError: if the registry refuses.
        """
        return self._manifests.fetch_reference(reference, accept=accept)

    def push_manifest(
        self, content: bytes, media_type: str, reference: str | None = None
    ) -> Descriptor:
        """Store a manifest's bytes, as they are, under a tag or digest.

        Args:
            content: the bytes.
            media_type: as the manifest's own `mediaType` says.
            reference: a tag, or its digest; its sha256 digest if None.

        Raises:
            DigestMismatchError: if `reference` is the digest of something else, or the
                registry says that it stored something else.
            SizeLimitError: if it is larger than registries take.
            RegistryError: if the registry refuses it.
        """
        return self._store(content, media_type, reference)

    def push_reference(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        """Store a manifest and let the tag `reference` name it, in one request.

        It is put even if it is here: the tag may be new.

        Raises: as `push`.
        """
        self._put_manifest(descriptor, source, reference)

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Let the tag `reference` name a manifest that is here.

        The registry knows no such request: the manifest is fetched and put once more.

        Raises:
            NotFoundError: if it is not here.
        """
        content = self._manifests.fetch(descriptor)
        self._store(content, descriptor.media_type, reference)

    def untag(self, reference: str) -> None:
        """Remove a tag, and never its manifest with it.

        Raises:
            NotFoundError: if there is no such tag.
            UnsupportedError: if the registry removes manifests by digest only (R34).
        """
        delete_tag(self._transport, self.endpoints, reference, self._limits)

    def tags(self, page_size: int | None = None) -> Iterator[str]:
        """Iterate over the tags, page by page.

        What is listed and is no tag, as the digests that Artifactory lists, is left out.

        Args:
            page_size: tags of a page; None for the registry's own choice.

        Raises, while it is iterated over:
            NotFoundError: if the registry has no such repository.
            RegistryError: if it refuses, or its answer is no listing.
            SizeLimitError: if it never ends.
            UnsafeRedirectError: if a page leads in a circle or elsewhere.
        """
        limit = self._profile.current.max_page_size
        if page_size is not None and limit is not None:
            page_size = min(page_size, limit)
        url = self.endpoints.tags(page_size)
        operation = f"list the tags of {self.endpoints.name}"
        for page in paginate(self._transport, url, operation, limits=self._limits):
            yield from filter(is_tag, page.strings("tags"))

    # --- Referrers ------------------------------------------------------------------------

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests whose subject is a given one, page by page.

        By the registry's API or, where it has none, by the list under the tag of the
        subject, which `push` and `delete` keep (R29, R30).

        Raises, while it is iterated over:
            NotFoundError: if the registry says that it has no such repository.
            RegistryError: if it refuses, or its answer is no listing.
            InvalidManifestError: if what is listed is malformed.
            UnsupportedError: if the tag names something else than a list.
        """
        return self._referrers.of(descriptor.digest, artifact_type)

    def _put_manifest(self, descriptor: Descriptor, source: ByteSource, reference: str) -> None:
        with closing(source.open()) as stream:
            content = read_verified(stream, descriptor, limit=self._limits.manifest_size)
        self._store(content, descriptor.media_type, reference)

    def _store(self, content: bytes, media_type: str, reference: str | None) -> Descriptor:
        pushed = self._manifests.push(content, media_type, reference)
        self._referrers.note(pushed, content)
        return pushed.descriptor
