"""The graph of manifests, indexes and the blobs that they refer to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Final

from attrs import frozen

from oras_core.content.sources import BytesSource, FetchedSource, RangedSource
from oras_core.content.verify import read_verified
from oras_core.errors import InvalidManifestError, SizeLimitError
from oras_core.forks import ForkSafeLock
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_GRAPH_SIZE, MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.ports.content import ByteSource, ByteStream, Fetcher, RangeFetcher, UnverifiedFetcher

__all__ = ["ManifestCache", "SuccessorFinder", "fetch_document", "successors"]

SuccessorFinder = Callable[[Fetcher, Descriptor], Sequence[Descriptor]]
"""Returns the successors of a manifest or index, which the fetcher gives."""

SMALLEST: Final = 1024
"""The least number of bytes that one manifest counts for: the overhead of its cache entry."""


def fetch_document(
    fetcher: Fetcher, descriptor: Descriptor, *, limit: int = MAX_MANIFEST_SIZE
) -> Manifest | Index:
    """Fetch, verify and decode a manifest or an index.

    Data embedded in the descriptor is used without a request: the descriptor verified it.

    Raises:
        NotFoundError: if the target does not have the document.
        ContentError: if the document does not match the descriptor.
        InvalidManifestError: if the document is malformed.
    """
    content = descriptor.data
    if content is None:
        with closing(fetcher.fetch(descriptor)) as stream:
            content = read_verified(stream, descriptor, limit=limit)
    try:
        return codec.decode(content, descriptor.media_type, limit=limit)
    except InvalidManifestError as error:
        error.found_in(str(descriptor.digest))
        raise


def successors(
    fetcher: Fetcher, descriptor: Descriptor, *, limit: int = MAX_MANIFEST_SIZE
) -> tuple[Descriptor, ...]:
    """Return the descriptors that a manifest or index refers to; none for a blob.

    Raises: as `fetch_document`.
    """
    if not descriptor.has_successors:
        return ()
    return fetch_document(fetcher, descriptor, limit=limit).successors


@frozen(eq=False, repr=False)
class _Unverified(Fetcher):
    """The unverified blobs of a fetcher, for copies, which verify them at the destination."""

    fetcher: UnverifiedFetcher

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        return self.fetcher.fetch_unverified(descriptor)


class ManifestCache:
    """A fetcher that fetches each manifest and index once. Thread-safe.

    Blobs are not cached. The cache is bounded, since an untrusted graph may consist of
    thousands of large manifests.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        limit: int = MAX_MANIFEST_SIZE,
        graph_limit: int = MAX_GRAPH_SIZE,
        contents: Mapping[Digest, bytes] | None = None,
    ) -> None:
        """Cache the manifests of `fetcher`.

        Args:
            fetcher: the source of manifests and blobs.
            limit: the largest manifest accepted, in bytes.
            graph_limit: the most bytes of all manifests together.
            contents: verified manifests that were fetched without this cache.
        """
        self._fetcher = fetcher
        # Checked once: `isinstance` with a protocol is slow compared with a small file.
        self._parts = fetcher if isinstance(fetcher, RangeFetcher) else None
        self._blobs = _Unverified(fetcher) if isinstance(fetcher, UnverifiedFetcher) else fetcher
        self._limit = limit
        self._graph_limit = graph_limit
        self._contents: dict[Digest, bytes] = dict(contents or {})
        self._size = sum(max(len(content), SMALLEST) for content in self._contents.values())
        self._lock = ForkSafeLock()

    @property
    def contents(self) -> Mapping[Digest, bytes]:
        """A copy of the cached manifests, by digest."""
        with self._lock:
            return dict(self._contents)

    def remember(self, descriptor: Descriptor, content: bytes) -> None:
        """Cache a verified manifest that was fetched without this cache.

        Raises:
            SizeLimitError: if the graph exceeds its limit.
        """
        with self._lock:
            if descriptor.digest not in self._contents:
                self._size += max(len(content), SMALLEST)
            if self._size > self._graph_limit:
                raise SizeLimitError("the manifests of the graph", self._graph_limit)
            self._contents[descriptor.digest] = content

    def source(self, descriptor: Descriptor) -> ByteSource:
        """Return a source of a blob or manifest; blobs resume if the fetcher supports ranges."""
        if descriptor.has_successors:
            return FetchedSource(self, descriptor)
        if isinstance(self._fetcher, ManifestCache):
            return self._fetcher.source(descriptor)
        if self._parts is not None:
            return RangedSource(self._blobs, descriptor, self._parts)
        return FetchedSource(self._blobs, descriptor)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest, as `Fetcher.fetch`.

        Raises: as `Fetcher.fetch` and `read_verified`, and `SizeLimitError` if the graph
            exceeds its limit.
        """
        if not descriptor.has_successors:
            return self._fetcher.fetch(descriptor)
        with self._lock:
            content = self._contents.get(descriptor.digest)
        if content is None:
            with closing(self._fetcher.fetch(descriptor)) as stream:
                content = read_verified(stream, descriptor, limit=self._limit)
            self.remember(descriptor, content)
        return BytesSource(content).open()
