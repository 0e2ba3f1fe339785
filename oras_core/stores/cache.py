"""A cache of blobs and manifests: an OCI image layout without tags, as Go's `oras` keeps one.

Its folder may belong to several processes and users, so nothing in it is trusted. Each blob is
hashed before it is returned, and a damaged one is fetched again.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from contextlib import closing, suppress
from threading import Lock
from typing import Final

from attrs import frozen

from oras_core.content.graph import ManifestCache
from oras_core.content.verify import copy_verified, read_verified
from oras_core.errors import (
    ContentError,
    FileAccessError,
    InvalidConfigurationError,
    InvalidManifestError,
    NotFoundError,
    UnsafePathError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream, Fetcher
from oras_core.ports.files import FileTree, HeldLock, Locker, Toucher
from oras_core.stores.layout.files import LayoutFiles, blob_path
from oras_core.stores.layout.locks import wait_for_lock
from oras_core.stores.layout.thread_locks import ThreadLocks
from oras_core.stores.resuming import write_file

__all__ = ["CachedBlob", "ContentCache"]

_logger = logging.getLogger(__name__)

CHECK_SHARE: Final = 20
"""The size of the cache is summed up after each twentieth of its limit that was added."""


@frozen
class CachedBlob:
    """A blob or manifest in the cache.

    Attributes:
        digest: of the blob.
        size: in bytes.
        used: when the blob was stored or read last, in nanoseconds since 1970.
    """

    digest: Digest
    size: int
    used: int


class ContentCache:
    """Blobs and manifests that were fetched before. Thread-safe.

    Processes share the folder: one of them fetches a blob while the others wait for it. A
    folder that cannot be used is reported by a warning, and costs only the cache.
    """

    def __init__(self, tree: FileTree, *, max_size: int | None = None) -> None:
        """Use the folder `tree`; read nothing yet.

        Args:
            tree: the folder of the cache.
            max_size: bytes of all blobs together; beyond them, the blobs that were used
                longest ago are removed. None for no limit.
        """
        self._tree = tree
        self._files = LayoutFiles(tree)
        self._locks: Locker = tree if isinstance(tree, Locker) else ThreadLocks()
        self._max_size = max_size
        self._lock = Lock()
        self._prepared = False
        self._added: int | None = None
        self._intact: dict[Digest, str] = {}

    def fetch(self, descriptor: Descriptor, source: Fetcher) -> ByteStream:
        """Return a stream of verified bytes, from the cache or by way of the cache.

        Raises: as `source.fetch`.
            InvalidConfigurationError: if the folder is an OCI layout with tags.
            ContentError: if `source` gives other bytes than the descriptor promises.
        """
        if self._max_size is not None and descriptor.size > self._max_size:
            return source.fetch(descriptor)
        try:
            self._prepare()
            return self._open(descriptor) or self._fetch_once(descriptor, source)
        except (FileAccessError, UnsafePathError, InvalidManifestError) as error:
            _logger.warning("%s is fetched without the cache: %s", descriptor, error)
            return source.fetch(descriptor)

    def open_part(self, descriptor: Descriptor, start: int, length: int) -> ByteStream | None:
        """Return a stream of a part of a blob; None if the cache does not have the blob.

        The whole blob is verified first, once for each version of its file.
        """
        try:
            entry = self._files.blob(descriptor.digest)
            if entry is None:
                return None
            if self._intact.get(descriptor.digest) != entry.revision:
                stream = self._open(descriptor)
                if stream is None:
                    return None
                stream.close()
            return _Part(self._files.open_blob(descriptor.digest), start, length)
        except (FileAccessError, UnsafePathError, NotFoundError):
            return None

    def find_manifest(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of a manifest or index in the cache; None if there is none."""
        try:
            entry = self._files.blob(digest)
            if entry is None or entry.size > MAX_MANIFEST_SIZE:
                return None
            unnamed = Descriptor(ACCEPTED_MANIFESTS[0], digest, entry.size)
            with closing(self._files.open_blob(digest)) as stream:
                content = read_verified(stream, unnamed, limit=MAX_MANIFEST_SIZE)
            media_type = json.loads(content)["mediaType"]
        except (ContentError, FileAccessError, NotFoundError, UnsafePathError):
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        known = media_type in ACCEPTED_MANIFESTS
        return Descriptor(media_type, digest, entry.size) if known else None

    # --- Upkeep ---------------------------------------------------------------------------

    def blobs(self) -> Iterator[CachedBlob]:
        """Iterate over the blobs and manifests in the cache.

        Raises:
            FileAccessError: if the folder cannot be read.
        """
        for digest, entry in self._files.blobs():
            yield CachedBlob(digest, entry.size, entry.changed_at)

    @property
    def size(self) -> int:
        """Bytes of all blobs and manifests together."""
        return sum(blob.size for blob in self.blobs())

    def prune(self, max_size: int = 0) -> tuple[CachedBlob, ...]:
        """Remove blobs, those that were used longest ago first, until `max_size` bytes remain.

        A blob that another process reads meanwhile stays readable for that process, except on
        Windows, where it stays in the cache.

        Returns:
            The removed blobs.

        Raises:
            InvalidConfigurationError: if the folder is an OCI layout with tags.
            FileAccessError: if the folder cannot be read.
        """
        self._prepare()
        blobs = sorted(self.blobs(), key=lambda blob: blob.used)
        excess = sum(blob.size for blob in blobs) - max_size
        removed = []
        for blob in blobs:
            if excess <= 0:
                break
            try:
                self._files.remove_blob(blob.digest)
            except FileAccessError as error:
                _logger.warning("%s stays in the cache: %s", blob.digest, error)
                continue
            excess -= blob.size
            removed.append(blob)
        return tuple(removed)

    def _prepare(self) -> None:
        """Make the layout, or check that the folder is a cache; once.

        Raises:
            InvalidConfigurationError: if the folder is an OCI layout with tags.
        """
        if self._prepared:
            return
        if self._files.read_index().descriptors:
            reason = "the folder is an OCI layout with artifacts; a cache would remove their blobs"
            raise InvalidConfigurationError("cache.directory", reason)
        self._files.prepare()
        self._prepared = True

    # --- Blobs ----------------------------------------------------------------------------

    def _open(self, descriptor: Descriptor) -> ByteStream | None:
        """Open a blob that is intact; remove a damaged one."""
        entry = self._files.blob(descriptor.digest)
        if entry is None:
            return None
        try:
            with closing(self._files.open_blob(descriptor.digest)) as stream:
                copy_verified(stream, descriptor, lambda _: None)
            opened = self._files.open_blob(descriptor.digest)
        except NotFoundError:  # another process removed it meanwhile
            return None
        except ContentError as error:
            _logger.warning("%s is damaged in the cache, and is removed: %s", descriptor, error)
            self._files.remove_blob(descriptor.digest)
            return None
        if isinstance(self._tree, Toucher):
            with suppress(NotFoundError, FileAccessError):
                self._tree.touch(blob_path(descriptor.digest))
                entry = self._files.blob(descriptor.digest) or entry
        self._intact[descriptor.digest] = entry.revision
        return opened

    def _fetch_once(self, descriptor: Descriptor, source: Fetcher) -> ByteStream:
        """Fetch a blob into the cache, unless another thread or process just has."""
        with self._filling(descriptor.digest):
            opened = self._open(descriptor)
            if opened is not None:
                return opened
            path = blob_path(descriptor.digest)
            write_file(self._tree, path, descriptor, ManifestCache(source).source(descriptor))
            opened = self._files.open_blob(descriptor.digest)
        self._limit_size(descriptor.size)
        return opened

    def _filling(self, digest: Digest) -> HeldLock:
        """Exclude others from fetching a blob; one lock of 256 serves several blobs."""
        return wait_for_lock(self._locks, _lock_path(digest))

    def _limit_size(self, added: int) -> None:
        if self._max_size is None:
            return
        with self._lock:
            first = self._added is None
            self._added = (self._added or 0) + added
            if not first and self._added < self._max_size // CHECK_SHARE:
                return
            self._added = 0
        with suppress(FileAccessError):
            self.prune(self._max_size)


def _lock_path(digest: Digest) -> SafePath:
    return sanitize_path(f".oras-cache-{digest.encoded[:2]}.lock")


class _Part:
    """A part of an open file."""

    def __init__(self, stream: ByteStream, start: int, length: int) -> None:
        self._stream = stream
        self._left = length
        if isinstance(stream, io.IOBase) and stream.seekable():
            stream.seek(start)
            return
        while start and (skipped := stream.read(min(start, 1 << 20))):
            start -= len(skipped)

    def read(self, size: int = -1, /) -> bytes:
        wanted = self._left if size < 0 else min(size, self._left)
        pieces = []
        while wanted and (piece := self._stream.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
            self._left -= len(piece)
            if size >= 0:
                break
        return b"".join(pieces)

    def close(self) -> None:
        self._stream.close()
