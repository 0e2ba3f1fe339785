"""A target whose blobs and manifests are read through a cache."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial
from typing import Protocol

from oras_core.content.graph import ManifestCache
from oras_core.content.reading import clone_file
from oras_core.content.roots import read_root
from oras_core.content.verify import VerifyingReader
from oras_core.errors import ContentError, InvalidDigestError, NotFoundError, RegistryError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import (
    ByteStream,
    RangeFetcher,
    ReadOnlyTarget,
    ReferenceFetcher,
    UnverifiedFetcher,
)
from oras_core.stores.cache import ContentCache

__all__ = ["CachedSource", "RangedTarget"]


class RangedTarget(ReadOnlyTarget, RangeFetcher, Protocol):
    """A target to read from that returns ranges, such as a repository."""


class CachedSource(ReadOnlyTarget, RangeFetcher, ReferenceFetcher, UnverifiedFetcher):
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
        digest = _digest_of(reference)
        cached = None if digest is None else self._cache.read_manifest(digest)
        return self._source.resolve(reference) if cached is None else cached[0]

    def fetch_reference(self, reference: str) -> tuple[Descriptor, bytes]:
        """Return the manifest of a tag or digest; fetch a missing one into the cache first.

        The target resolves a tag. Only the digest of its answer is used (R23).

        Raises: as `resolve`.
        """
        digest = _digest_of(reference) or self._hint(reference)
        cached = None if digest is None else self._cache.read_manifest(digest)
        if cached is not None:
            return cached
        fetched = ManifestCache(self._source)
        root = read_root(self._source, reference, cached=fetched)
        with closing(self._cache.fetch(root, fetched)) as stream:
            return root, VerifyingReader(stream, root).read()

    def _hint(self, reference: str) -> Digest | None:
        try:
            return self._source.resolve(reference).digest
        except (ContentError, NotFoundError, RegistryError):
            return None  # a registry may refuse HEAD where GET serves

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest that is verified at its end.

        Raises:
            NotFoundError: if the target does not have it.
            OrasError: any error of the target.
        """
        return VerifyingReader(self._cache.fetch(descriptor, self._source), descriptor)

    def fetch_unverified(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream as `fetch`, whose bytes the caller must verify.

        A blob in the cache can be cloned before it is verified, so that it is hashed only once.
        """
        file = self._cache.open_file(descriptor)
        fetch = partial(self._cache.fetch, descriptor, self._source)
        return fetch() if file is None else _CachedFile(file, fetch)

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return `length` bytes of a blob from offset `start`.

        They are verified if the cache has the whole blob.

        Raises: as `fetch`.
        """
        part = self._cache.open_part(descriptor, start, length)
        return part or self._source.fetch_range(descriptor, start, length)


class _CachedFile:
    """The file of a blob in the cache for a clone, or its verified bytes for a reader."""

    def __init__(self, file: ByteStream, fetch: Callable[[], ByteStream]) -> None:
        self._stream = file
        self._fetch: Callable[[], ByteStream] | None = fetch

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        cloned = clone_file(self._stream, clone)
        if cloned is None:
            self._verify()
        return cloned

    def read(self, size: int = -1, /) -> bytes:
        self._verify()
        return self._stream.read(size)

    def _verify(self) -> None:
        if self._fetch is not None:
            fetch, self._fetch = self._fetch, None
            self._stream.close()  # first: Windows removes no open file
            self._stream = fetch()

    def close(self) -> None:
        self._stream.close()


def _digest_of(reference: str) -> Digest | None:
    try:
        return Digest.parse(reference)
    except InvalidDigestError:
        return None
