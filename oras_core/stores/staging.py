"""Files and bytes to push, described in place and not copied."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from oras_core.content.known_digests import begin_hashing, known_digest
from oras_core.content.sources import BytesSource, FileSource
from oras_core.content.verify import describe_source
from oras_core.errors import NotFoundError, UnsupportedError
from oras_core.forks import ForkSafeLock
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.files import FileTree
from oras_core.ports.progress import ProgressListener
from oras_core.stores.preparation import REPORTED_SIZE, ReportedSource, preparing

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression, CompressionChooser

__all__ = ["StagingStore"]


Describe = Callable[[ByteSource, str], Descriptor]
"""Returns the descriptor of a source with the given media type."""


def _no_sender(_: int) -> None:
    return None


class StagingStore:
    """A fetcher of local sources by digest. Thread-safe.

    Each file is read once for its digest, and again when it is fetched. A directory is packed
    into `scratch`, which the caller removes.
    """

    def __init__(
        self,
        scratch: FileTree | None = None,
        *,
        describe: Describe = describe_source,
        packed_sender: Callable[[int], Describe | None] = _no_sender,
        listener: ProgressListener | None = None,
    ) -> None:
        """Start empty.

        Args:
            scratch: folder for the archives of directories; None if there are none.
            describe: returns the descriptor of a source with the given media type.
            packed_sender: takes the size of a directory in bytes, and returns a function that
                describes its archive and uploads it during the packing; None if the archive
                is to be packed first.
            listener: receives the progress of hashing and packing.
        """
        self._scratch = scratch
        self._listener = listener or ProgressListener()
        self._describe = describe
        self._packed_sender = packed_sender
        self._sources: dict[Digest, ByteSource] = {}
        self._lock = ForkSafeLock()

    def add(
        self,
        source: ByteSource,
        media_type: str,
        *,
        title: str | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Describe the bytes of `source`.

        Args:
            source: opened once now, and once or more when the blob is fetched.
            media_type: of the blob.
            title: the path that a pull writes; None if the blob is not a file.
            annotations: of the descriptor, besides the title.

        Raises:
            UnsafePathError: for a title that a pull would refuse.
        """
        titled = _titled(title, annotations)
        known = known_digest(source)
        if known is not None and source.size is not None:
            descriptor = Descriptor(media_type, known, source.size)
        else:
            remember = begin_hashing(source)
            descriptor = self._reported(title, source, media_type)
            remember(descriptor.digest)
        return self._keep(descriptor.with_annotations(titled), source)

    def _reported(self, title: str | None, source: ByteSource, media_type: str) -> Descriptor:
        if title is None or source.size is None or source.size < REPORTED_SIZE:
            return self._describe(source, media_type)
        with preparing(self._listener, title, source.size) as on_read:
            return self._describe(ReportedSource(source, on_read), media_type)

    def add_bytes(
        self, content: bytes, media_type: str, *, annotations: Mapping[str, str] | None = None
    ) -> Descriptor:
        """Describe bytes that are not a file."""
        return self.add(BytesSource(content), media_type, annotations=annotations)

    def add_directory(
        self,
        tree: FileTree,
        *,
        title: str,
        media_type: str | None = None,
        compression: Compression | CompressionChooser | None = None,
        annotations: Mapping[str, str] | None = None,
    ) -> Descriptor:
        """Pack the directory `tree` into one archive, and describe the archive.

        The same files under the same title give the same digest, independent of owner, time,
        umask and location. Names in the archive start with the full title, as other ORAS
        clients require. Annotations mark the archive for unpacking.

        Args:
            tree: the directory.
            title: the path that a pull unpacks to.
            media_type: of the archive; None for the layer type of the image spec.
            compression: the compression, or what chooses it; None for gzip of the standard
                library.
            annotations: of the descriptor, besides the title and the marks for unpacking.

        Raises:
            UnsupportedError: if the media type names another compression.
            UnsafePathError: for a title that a pull would refuse, a link out of the
                directory, or a device.
        """
        # Few pushes pack a directory.
        from secrets import token_hex  # noqa: PLC0415

        from oras_core.archives.archive import list_directory, pack_directory  # noqa: PLC0415
        from oras_core.archives.packed_source import PackedSource  # noqa: PLC0415
        from oras_core.ports.compression import CompressionChooser  # noqa: PLC0415

        if self._scratch is None:
            raise UnsupportedError(
                f"pack the directory {title!r}", "the store has no folder for its archive"
            )
        titled = _titled(title, annotations)
        listing = list_directory(tree, title)
        if isinstance(compression, CompressionChooser):
            compression = compression.choose(tree, listing.entries)
        suffix = compression.suffix if compression else "gzip"
        chosen = _media_type(title, media_type, suffix)
        source: ByteSource
        with preparing(self._listener, title, listing.size) as on_read:
            pack = partial(
                pack_directory,
                tree,
                prefix=title,
                compression=compression,
                listing=listing,
                on_read=on_read,
            )
            if send := self._packed_sender(listing.size):
                with PackedSource(pack, self._scratch) as source:
                    send(source, chosen)
                    packed = source.packed
            else:
                path = sanitize_path(f"{token_hex(8)}.tar")
                with self._scratch.create(path) as archive:
                    packed = pack(archive.write)
                    archive.commit()
                source = FileSource(self._scratch, path)
        descriptor = Descriptor(
            chosen,
            packed.digest,
            packed.size,
            annotations={
                media_types.ANNOTATION_CONTENT_DIGEST: str(packed.tar_digest),
                media_types.ANNOTATION_UNPACK: "true",
                **titled,
            },
        )
        return self._keep(descriptor, source)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of an added blob.

        Raises:
            NotFoundError: if the blob was not added.
            SourceChangedError: if the file has changed since it was added.
        """
        return self.source(descriptor).open()

    def source(self, descriptor: Descriptor) -> ByteSource:
        """Return the source of an added blob.

        Raises:
            NotFoundError: if the blob was not added.
        """
        with self._lock:
            source = self._sources.get(descriptor.digest)
        if source is None:
            raise NotFoundError(str(descriptor), "the blobs to push")
        return source

    def _keep(self, descriptor: Descriptor, source: ByteSource) -> Descriptor:
        with self._lock:
            self._sources.setdefault(descriptor.digest, source)
        return descriptor


def _media_type(title: str, wanted: str | None, suffix: str) -> str:
    if wanted is None:
        return f"{media_types.OCI_LAYER_TAR}+{suffix}" if suffix else media_types.OCI_LAYER_TAR
    # RFC 6838, 4.2.8: the suffix after the last plus names the encoding.
    named = wanted.rpartition("+")[2]
    if named in media_types.COMPRESSION_SUFFIXES and named != suffix:
        raise UnsupportedError(
            f"push the directory {title!r} as {wanted}",
            f"its compression is {suffix or 'none'}; choose another type or compression",
        )
    return wanted


def _titled(title: str | None, annotations: Mapping[str, str] | None) -> dict[str, str]:
    given = dict(annotations or {})
    if title is None:
        return given
    return {**given, media_types.ANNOTATION_TITLE: str(sanitize_path(title))}
