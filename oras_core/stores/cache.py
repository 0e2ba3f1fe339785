"""A cache of blobs and manifests: an OCI image layout without tags, as Go's `oras` keeps one.

Go's `oras` lists the manifests of its cache in `index.json`; this library does not need the list.
The folder may belong to several processes and users, so nothing in it is trusted. Each blob is
hashed before it is returned, and a damaged one is fetched again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from typing import Final

from attrs import frozen

from oras_core.cancellation import current_token
from oras_core.content.graph import ManifestCache
from oras_core.content.known_digests import has_settled
from oras_core.content.reading import read_rest, skip_to
from oras_core.content.sources import FetchedSource
from oras_core.content.verify import read_verified, verify_stream
from oras_core.copying.tracing import TracedSource, traced
from oras_core.errors import (
    ContentError,
    FileAccessError,
    InvalidConfigurationError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.forks import ForkSafeLock
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import MAX_MANIFEST_SIZE
from oras_core.model.media_types import ACCEPTED_MANIFESTS
from oras_core.ports.content import ByteSource, ByteStream, Fetcher
from oras_core.ports.files import FileEntry, FileTree, Toucher
from oras_core.ports.progress import ProgressListener
from oras_core.stores.layout.files import LayoutFiles, blob_path
from oras_core.stores.layout.locks import LayoutLocks
from oras_core.stores.resuming import write_file

__all__ = ["CachedBlob", "ContentCache"]

_logger = logging.getLogger(__name__)

CHECK_SHARE: Final = 20
"""The size of the cache is summed up after each twentieth of its limit that was added."""

MOST_KNOWN: Final = 4096
"""Blobs whose verified file is remembered, for ranges of them."""

_UNUSABLE: Final = (
    FileAccessError,
    InvalidManifestError,
    NotFoundError,
    SizeLimitError,
    UnsafePathError,
)
"""Errors of a folder that is damaged, full, forbidden, or changed by another process."""


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
        self._locks = LayoutLocks(tree)
        self._max_size = max_size
        self._lock = ForkSafeLock()
        self._prepared = False
        self._added: int | None = None
        self._intact: dict[Digest, str] = {}

    def fetch(self, descriptor: Descriptor, source: Fetcher) -> ByteStream:
        """Return a stream of a verified blob; fetch a missing blob into the cache first.

        Raises: as `source.fetch`.
            InvalidConfigurationError: if the folder is an OCI layout with tags.
            ContentError: if `source` gives other bytes than the descriptor promises.
        """
        if self._max_size is not None and descriptor.size > self._max_size:
            return source.fetch(descriptor)
        origin = _traced(source, descriptor)
        try:
            self._prepare()
            return self._open(descriptor) or self._fetch_once(descriptor, origin)
        except _UNUSABLE as error:
            if origin.failed:
                raise
            _logger.warning("%s is fetched without the cache: %s", descriptor, error)
            return source.fetch(descriptor)

    def open_file(self, descriptor: Descriptor) -> ByteStream | None:
        """Open the file of a blob, and record its use; None if the cache does not have the blob.

        Its bytes are not verified. `fetch` replaces a damaged file.

        Raises:
            InvalidConfigurationError: if the folder is an OCI layout with tags.
        """
        if self._max_size is not None and descriptor.size > self._max_size:
            return None
        try:
            self._prepare()
            entry = self._files.blob(descriptor.digest)
            if entry is None or entry.size != descriptor.size:
                return None
            return self._open_used(descriptor)
        except _UNUSABLE:
            return None

    def open_part(self, descriptor: Descriptor, start: int, length: int) -> ByteStream | None:
        """Return a stream of a part of a blob; None if the cache does not have the blob.

        The whole blob is verified first, once for each version of its file.
        """
        try:
            revision = self._find_intact(descriptor)
            if revision is None:
                return None
            part = _part(self._files.open_blob(descriptor.digest), start, length)
            # Read after the file was opened: the verified file may have been replaced before.
            entry = self._files.blob(descriptor.digest)
        except (FileAccessError, NotFoundError, UnsafePathError):
            return None
        if entry is not None and entry.revision == revision:
            return part
        part.close()
        return None

    def read_manifest(self, digest: Digest) -> tuple[Descriptor, bytes] | None:
        """Return a manifest or index and its descriptor; None if the cache does not have it."""
        try:
            entry = self._files.blob(digest)
            if entry is None:
                return None
            untyped = Descriptor(ACCEPTED_MANIFESTS[0], digest, entry.size)
            with closing(self._files.open_blob(digest)) as stream:
                content = read_verified(stream, untyped, limit=MAX_MANIFEST_SIZE)
            return Descriptor(codec.decode(content).media_type, digest, entry.size), content
        except (*_UNUSABLE, ContentError):
            return None

    # --- Upkeep ---------------------------------------------------------------------------

    def blobs(self) -> Iterator[CachedBlob]:
        """Iterate over the blobs and manifests in the cache.

        Raises:
            FileAccessError: if the folder cannot be read.
            UnsafePathError: if the folder has a symbolic link in place of a directory.
        """
        for digest, entry in self._files.blobs():
            yield CachedBlob(digest, entry.size, entry.changed_at)

    @property
    def size(self) -> int:
        """Bytes of all blobs and manifests together."""
        return sum(blob.size for blob in self.blobs())

    def prune(self, max_size: int = 0) -> tuple[CachedBlob, ...]:
        """Remove blobs, those that were used longest ago first, until `max_size` bytes remain.

        A blob that another process has open stays readable for that process, except on Windows,
        where the blob stays in the cache. The partial files of interrupted fetches are
        removed too, unless a fetch into the cache is running.

        Returns:
            The removed blobs.

        Raises:
            InvalidConfigurationError: if the folder is an OCI layout with tags.
            InvalidManifestError: if the `index.json` or `oci-layout` of the folder is damaged.
            OrasError: as `blobs`.
        """
        removed = self._evict(max_size)
        try:
            with self._locks.collecting():
                self._files.remove_partials()
        except UnsupportedError:
            _logger.info("partial files stay in the cache: a fetch is running")
        except FileAccessError as error:
            _logger.warning("partial files stay in the cache: %s", error)
        return removed

    def _evict(self, max_size: int) -> tuple[CachedBlob, ...]:
        self._refuse_tags()
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
        self._unlist(removed)
        return tuple(removed)

    def _unlist(self, removed: Iterable[CachedBlob]) -> None:
        """Remove the entries of manifests that Go's `oras` listed: an index lists what exists."""
        digests = {blob.digest for blob in removed}
        if digests.isdisjoint(one.digest for one in self._files.read_index().descriptors):
            return
        try:
            with self._locks.changing_index():
                index = self._files.read_index()
                for digest in digests:
                    index.remove(digest)
                self._files.write_index(index)
        except FileAccessError as error:
            _logger.warning("removed manifests stay listed in the cache: %s", error)

    def _prepare(self) -> None:
        """Make the layout, or check that the folder is a cache; once.

        Raises:
            InvalidConfigurationError: if the folder is an OCI layout with tags.
        """
        if self._prepared:
            return
        self._refuse_tags()
        self._files.prepare()
        self._prepared = True

    def _refuse_tags(self) -> None:
        if self._files.read_index().names:
            reason = "the folder is an OCI layout with tags; a cache would remove their artifacts"
            raise InvalidConfigurationError("cache.directory", reason)

    # --- Blobs ----------------------------------------------------------------------------

    def _open(self, descriptor: Descriptor) -> ByteStream | None:
        """Open a blob that is intact, and record its use; None if there is no such blob."""
        return self._open_used(descriptor) if self._matches(descriptor) else None

    def _open_used(self, descriptor: Descriptor) -> ByteStream | None:
        try:
            if isinstance(self._tree, Toucher):
                with suppress(FileAccessError):
                    self._tree.touch(blob_path(descriptor.digest))
            return self._files.open_blob(descriptor.digest)
        except NotFoundError:  # another process has removed it
            return None

    def _matches(self, descriptor: Descriptor) -> bool:
        """Tell whether the cache has a blob, verified now; remove a damaged one."""
        if self._files.blob(descriptor.digest) is None:
            return False
        try:
            with closing(self._files.open_blob(descriptor.digest)) as stream:
                verify_stream(stream, descriptor)
        except NotFoundError:  # as above
            return False
        except ContentError as error:
            _logger.warning("%s is damaged in the cache, and is removed: %s", descriptor, error)
            self._files.remove_blob(descriptor.digest)
            return False
        return True

    def _find_intact(self, descriptor: Descriptor) -> str | None:
        """Return the revision of a verified file; None if the cache does not have the blob."""
        # Read before the blob is hashed: a change during the hashing gives another revision.
        entry, begun_at = self._files.blob(descriptor.digest), time.time_ns()
        if entry is None:
            return None
        if self._intact.get(descriptor.digest) == entry.revision:
            return entry.revision
        if not self._matches(descriptor):
            return None
        if has_settled(entry, begun_at):
            self._remember(descriptor.digest, entry)
        return entry.revision

    def _remember(self, digest: Digest, entry: FileEntry) -> None:
        with self._lock:
            self._intact.pop(digest, None)
            if len(self._intact) >= MOST_KNOWN:
                del self._intact[next(iter(self._intact))]
            self._intact[digest] = entry.revision

    def _fetch_once(self, descriptor: Descriptor, origin: ByteSource) -> ByteStream:
        """Fetch a blob into the cache, unless another thread or process fetches it first."""
        with self._locks.keeping_content(), self._locks.filling(descriptor.digest):
            opened = self._open(descriptor)
            if opened is not None:
                return opened
            write_file(self._tree, blob_path(descriptor.digest), descriptor, origin)
            opened = self._files.open_blob(descriptor.digest)
        self._limit_size(descriptor.size)
        return opened

    def _limit_size(self, added: int) -> None:
        if self._max_size is None:
            return
        with self._lock:
            first = self._added is None
            self._added = (self._added or 0) + added
            if not first and self._added < self._max_size // CHECK_SHARE:
                return
            self._added = 0
        try:
            self._evict(self._max_size)
        except (*_UNUSABLE, InvalidConfigurationError) as error:
            _logger.warning("the size of the cache is not limited: %s", error)


def _traced(source: Fetcher, descriptor: Descriptor) -> TracedSource:
    """Return a source that notes its failures, which are no failures of the cache."""
    origin: ByteSource
    if descriptor.has_successors:  # the source has its own limit for the size of manifests
        origin = FetchedSource(source, descriptor)
    else:
        origin = ManifestCache(source).source(descriptor)
    return traced(origin, descriptor, ProgressListener(), current_token())


def _part(stream: ByteStream, start: int, length: int) -> ByteStream:
    """Return a part of an open file, which is closed with the part."""
    try:
        skip_to(stream, start)
    except BaseException:
        stream.close()
        raise
    return _Part(stream, length)


class _Part:
    """The next bytes of a stream."""

    def __init__(self, stream: ByteStream, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return read_rest(self)
        chunk = self._stream.read(min(size, self._left))
        self._left -= len(chunk)
        return chunk

    def close(self) -> None:
        self._stream.close()
