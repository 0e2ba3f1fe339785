"""The graph that manifests make: what refers to what."""

from __future__ import annotations

from contextlib import closing
from threading import Lock
from typing import Final

from oras_core.content.sources import BytesSource, FetchedSource, RangedSource
from oras_core.content.verify import read_verified
from oras_core.errors import SizeLimitError
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_GRAPH_SIZE, MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.ports.content import ByteSource, ByteStream, Fetcher, RangeFetcher

__all__ = ["ManifestCache", "fetch_document", "successors"]

SMALLEST: Final = 1024
"""Bytes that a manifest counts for at least: what it costs to remember it."""


def fetch_document(
    fetcher: Fetcher, descriptor: Descriptor, *, limit: int = MAX_MANIFEST_SIZE
) -> Manifest | Index:
    """Fetch, verify and decode a manifest or an index.

    Content embedded in the descriptor is used as it is: it was verified with it.

    Raises:
        NotFoundError: if it is not there.
        ContentError: if it is not what the descriptor promises.
        InvalidManifestError: if it is malformed.
    """
    content = descriptor.data
    if content is None:
        with closing(fetcher.fetch(descriptor)) as stream:
            content = read_verified(stream, descriptor, limit=limit)
    return codec.decode(content, descriptor.media_type, limit=limit)


def successors(
    fetcher: Fetcher, descriptor: Descriptor, *, limit: int = MAX_MANIFEST_SIZE
) -> tuple[Descriptor, ...]:
    """Return what `descriptor` refers to; nothing for what is no manifest or index.

    Raises: as `fetch_document`.
    """
    if not descriptor.has_successors:
        return ()
    return fetch_document(fetcher, descriptor, limit=limit).successors


class ManifestCache:
    """A fetcher that fetches each manifest and index once. Thread-safe.

    Blobs pass through. What it holds is the graph that is being walked, which a stranger has
    made: an index of thousands of large ones must not fill the memory.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        limit: int = MAX_MANIFEST_SIZE,
        graph_limit: int = MAX_GRAPH_SIZE,
    ) -> None:
        """Cache in front of `fetcher`.

        Args:
            fetcher: where they come from.
            limit: the largest manifest accepted, in bytes.
            graph_limit: the most bytes that all together may have.
        """
        self._fetcher = fetcher
        # Looked for once: it takes longer than anything else that is done for a small file.
        self._parts = fetcher if isinstance(fetcher, RangeFetcher) else None
        self._limit = limit
        self._graph_limit = graph_limit
        self._size = 0
        self._contents: dict[Digest, bytes] = {}
        self._lock = Lock()

    def remember(self, descriptor: Descriptor, content: bytes) -> None:
        """Keep content that has come, verified, by another way.

        Raises:
            SizeLimitError: if the graph becomes too large.
        """
        with self._lock:
            if descriptor.digest not in self._contents:
                self._size += max(len(content), SMALLEST)
            if self._size > self._graph_limit:
                raise SizeLimitError("the manifests of the graph", self._graph_limit)
            self._contents[descriptor.digest] = content

    def source(self, descriptor: Descriptor) -> ByteSource:
        """Return a source of content: of a blob one that resumes, if parts are to be had."""
        if descriptor.has_successors:
            return FetchedSource(self, descriptor)
        if isinstance(self._fetcher, ManifestCache):
            return self._fetcher.source(descriptor)
        if self._parts is not None:
            return RangedSource(self._parts, descriptor)
        return FetchedSource(self._fetcher, descriptor)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the content, as `Fetcher.fetch`.

        Raises: as `Fetcher.fetch` and `read_verified`, and `SizeLimitError` if the graph becomes
            too large.
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
