"""The graph that manifests make: what refers to what."""

from __future__ import annotations

from contextlib import closing
from threading import Lock

from oras_core.content.sources import BytesSource
from oras_core.content.verify import read_verified
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.manifest import Manifest
from oras_core.ports.content import ByteStream, Fetcher

__all__ = ["ManifestCache", "fetch_document", "successors"]


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

    Blobs pass through. What it holds is bounded by the graph that is being walked.
    """

    def __init__(self, fetcher: Fetcher, *, limit: int = MAX_MANIFEST_SIZE) -> None:
        """Cache in front of `fetcher`; `limit` is the largest manifest accepted, in bytes."""
        self._fetcher = fetcher
        self._limit = limit
        self._contents: dict[Digest, bytes] = {}
        self._lock = Lock()

    def remember(self, descriptor: Descriptor, content: bytes) -> None:
        """Keep content that has come, verified, by another way."""
        with self._lock:
            self._contents[descriptor.digest] = content

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the content, as `Fetcher.fetch`."""
        if not descriptor.has_successors:
            return self._fetcher.fetch(descriptor)
        with self._lock:
            content = self._contents.get(descriptor.digest)
        if content is None:
            with closing(self._fetcher.fetch(descriptor)) as stream:
                content = read_verified(stream, descriptor, limit=self._limit)
            self.remember(descriptor, content)
        return BytesSource(content).open()
