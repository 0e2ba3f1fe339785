"""A target whose blobs and manifests are read by way of a cache."""

from __future__ import annotations

from typing import Protocol

from oras_core.content.verify import VerifyingReader
from oras_core.errors import InvalidDigestError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteStream, RangeFetcher, ReadOnlyTarget, UnverifiedFetcher
from oras_core.stores.cache import ContentCache

__all__ = ["CachedSource", "RangedTarget"]


class RangedTarget(ReadOnlyTarget, RangeFetcher, Protocol):
    """A target to read from that returns ranges, such as a repository."""


class CachedSource(ReadOnlyTarget, RangeFetcher, UnverifiedFetcher):
    """A target to read from. Thread-safe as its parts are.

    A tag is resolved by the target each time. A digest in the cache needs no request.
    """

    def __init__(self, source: RangedTarget, cache: ContentCache) -> None:
        """Read from `source` what `cache` does not have."""
        self._source = source
        self._cache = cache

    def __repr__(self) -> str:
        """Show the target."""
        return repr(self._source)

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of a tag or digest.

        Raises:
            NotFoundError: if the target has no such tag or digest.
            OrasError: any error of the target.
        """
        try:
            cached = self._cache.find_manifest(Digest.parse(reference))
        except InvalidDigestError:
            cached = None
        return cached or self._source.resolve(reference)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest that is verified at its end.

        Raises:
            NotFoundError: if the target does not have it.
            OrasError: any error of the target.
        """
        return VerifyingReader(self.fetch_unverified(descriptor), descriptor)

    def fetch_unverified(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream as `fetch`; its bytes were verified when it was opened."""
        return self._cache.fetch(descriptor, self._source)

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return `length` bytes of a blob from offset `start`.

        They are verified if the cache has the whole blob.

        Raises: as `fetch`.
        """
        part = self._cache.open_part(descriptor, start, length)
        return part or self._source.fetch_range(descriptor, start, length)
