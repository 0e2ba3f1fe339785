"""A target in memory, for tests and small artifacts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Final

from oras_core.content.referrers import referrers_among
from oras_core.content.sources import BytesSource
from oras_core.content.verify import read_verified
from oras_core.errors import InvalidReferenceError, NotFoundError
from oras_core.forks import ForkSafeLock
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.reference import is_tag
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["MemoryStore"]


MAX_CONTENT_SIZE: Final = 64 * 1024 * 1024
"""Largest accepted blob, in bytes: larger blobs belong on a disk."""


class MemoryStore:
    """Keeps blobs and manifests in memory. Thread-safe."""

    def __init__(self, *, limit: int = MAX_CONTENT_SIZE) -> None:
        """Start empty; `limit` is the largest accepted blob, in bytes."""
        self._limit = limit
        self._contents: dict[Digest, bytes] = {}
        self._descriptors: dict[Digest, Descriptor] = {}
        self._documents: set[Digest] = set()
        self._tags: dict[str, Descriptor] = {}
        self._predecessors: dict[Digest, dict[Digest, Descriptor]] = {}
        self._lock = ForkSafeLock()

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the store has the blob or manifest."""
        with self._lock:
            return descriptor.digest in (
                self._documents if descriptor.has_successors else self._contents
            )

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob or manifest.

        Raises:
            NotFoundError: if the store does not have it.
        """
        with self._lock:
            content = self._contents.get(descriptor.digest)
        if content is None:
            raise NotFoundError(str(descriptor), "memory")
        return BytesSource(content).open()

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Keep the bytes of `source`.

        Raises:
            ContentError: if they do not match `descriptor`.
            InvalidManifestError: if a manifest is malformed.
        """
        if self.exists(descriptor):
            return
        with closing(source.open()) as stream:
            content = read_verified(stream, descriptor, limit=self._limit)
        successors = (
            codec.decode(content, descriptor.media_type, limit=self._limit).successors
            if descriptor.has_successors
            else ()
        )
        with self._lock:
            self._contents[descriptor.digest] = content
            # The same bytes may be a blob too: resolve them as the manifest.
            if descriptor.has_successors:
                self._documents.add(descriptor.digest)
            if descriptor.has_successors or descriptor.digest not in self._documents:
                self._descriptors[descriptor.digest] = descriptor
            for successor in successors:
                self._predecessors.setdefault(successor.digest, {})[descriptor.digest] = descriptor

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor for a tag or a digest.

        Raises:
            NotFoundError: if there is no such tag or digest.
        """
        with self._lock:
            found = (
                self._descriptors.get(Digest.parse(reference))
                if ":" in reference
                else self._tags.get(reference)
            )
        if found is None:
            raise NotFoundError(reference, "memory")
        return found

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Create or move the tag `reference`.

        Raises:
            InvalidReferenceError: if `reference` is not a valid tag.
            NotFoundError: if the store does not have the blob or manifest.
        """
        if not is_tag(reference):
            raise InvalidReferenceError(reference, "it is not a valid tag")
        with self._lock:
            if descriptor.digest not in self._contents:
                raise NotFoundError(str(descriptor), "memory")
            self._tags[reference] = descriptor

    def untag(self, reference: str) -> None:
        """Remove a tag.

        Raises:
            NotFoundError: if there is no such tag.
        """
        with self._lock:
            if self._tags.pop(reference, None) is None:
                raise NotFoundError(f"tag {reference}", "memory")

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, sorted."""
        with self._lock:
            return iter(sorted(self._tags))

    def delete(self, descriptor: Descriptor) -> None:
        """Remove a blob or manifest and its tags.

        Raises:
            NotFoundError: if the store does not have it.
        """
        with self._lock:
            if self._contents.pop(descriptor.digest, None) is None:
                raise NotFoundError(str(descriptor), "memory")
            del self._descriptors[descriptor.digest]
            self._documents.discard(descriptor.digest)
            self._tags = {
                tag: named for tag, named in self._tags.items() if named.digest != descriptor.digest
            }
            for predecessors in self._predecessors.values():
                predecessors.pop(descriptor.digest, None)

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes that refer to a blob or manifest."""
        with self._lock:
            return iter(tuple(self._predecessors.get(descriptor.digest, {}).values()))

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes whose subject is `descriptor`."""
        found = self.predecessors(descriptor)
        return referrers_among(self, found, descriptor, artifact_type, limit=self._limit)
