"""An OCI image layout in one tar file, the `oci-archive:` of other tools."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final

from oras_core.archives.decompression import decompressed
from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.tar_format import (
    END,
    ArchiveDamage,
    TarMember,
    encode_header,
    padding_of,
)
from oras_core.archives.tar_reader import TarReader
from oras_core.content.reading import CHUNK_SIZE, read_rest
from oras_core.content.verify import copy_verified
from oras_core.errors import (
    AlreadyExistsError,
    InvalidDigestError,
    NotFoundError,
    SizeLimitError,
    UnsafeArchiveError,
    UnsafePathError,
)
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileTree, Locker
from oras_core.stores.layout.files import (
    INDEX_NAME,
    MARKER_NAME,
    MAX_MARKER_SIZE,
    LayoutFiles,
    blob_path,
)
from oras_core.stores.layout.index import MAX_INDEX_SIZE
from oras_core.stores.layout.locks import wait_for_lock
from oras_core.stores.layout.store import OciLayoutStore

__all__ = ["archived_layout", "pack_layout", "unpack_layout"]

MAX_SMALL_FILE: Final = {MARKER_NAME: MAX_MARKER_SIZE, INDEX_NAME: MAX_INDEX_SIZE}
"""Largest accepted size of the two files that are held in memory, in bytes."""


# --- Writing ------------------------------------------------------------------------------


def pack_layout(tree: FileTree, write: Callable[[bytes], object]) -> None:
    """Write the layout in `tree` as an uncompressed tar archive.

    Blobs that the index does not reach are left out. The same layout gives the same bytes,
    on any machine.

    Args:
        tree: the folder of the layout.
        write: receives the archive in chunks.

    Raises:
        NotFoundError: if `tree` holds no layout.
        ContentError: if a blob does not match its digest.
    """
    files = LayoutFiles(tree)
    if not files.revision:
        raise NotFoundError("an OCI image layout", "the folder")
    with OciLayoutStore(tree).snapshot() as (index, digests):
        for name, content in ((MARKER_NAME, files.marker()), (INDEX_NAME, index)):
            write(encode_header(TarMember(name, "file", len(content))))
            write(content + bytes(padding_of(len(content))))
        write(encode_header(TarMember("blobs", "directory")))
        algorithm = ""
        for digest in sorted(digests, key=str):
            entry = files.blob(digest)
            if entry is None:
                continue  # a layout may lack blobs that it refers to
            if digest.algorithm != algorithm:
                algorithm = digest.algorithm
                write(encode_header(TarMember(f"blobs/{algorithm}", "directory")))
            write(encode_header(TarMember(str(blob_path(digest)), "file", entry.size)))
            with closing(files.open_blob(digest)) as stream:
                copy_verified(stream, _descriptor(digest, entry.size), write)
            write(bytes(padding_of(entry.size)))
    write(END)


# --- Reading ------------------------------------------------------------------------------


def unpack_layout(stream: ByteStream, tree: FileTree, *, limits: Limits | None = None) -> None:
    """Unpack the layout in a tar archive, which may be compressed by gzip, into `tree`.

    Only files of a layout are unpacked, and every blob is verified; other members are
    skipped. The index is written last: after an error there is no layout.

    Args:
        stream: the archive; the caller closes it.
        tree: a folder without a layout.
        limits: `archive_bytes` and `archive_members` apply.

    Raises:
        AlreadyExistsError: if the folder holds a layout.
        UnsafeArchiveError: if the archive is damaged, or holds no layout.
        ContentError: if a blob does not match its digest.
        SizeLimitError: if the archive exceeds the limits.
    """
    if LayoutFiles(tree).revision:
        raise AlreadyExistsError("a layout", "the folder")
    try:
        small = _unpack(TarReader(decompressed(stream, [GZIP])), tree, limits or Limits())
    except ArchiveDamage as damage:
        raise UnsafeArchiveError(damage.member, damage.reason) from damage
    for name in (MARKER_NAME, INDEX_NAME):
        if name not in small:
            raise UnsafeArchiveError("", f"it is not an OCI image layout: {name} is missing")
        with tree.create(sanitize_path(name)) as file:
            file.write(small[name])
            file.commit()


def _unpack(reader: TarReader, tree: FileTree, limits: Limits) -> dict[str, bytes]:
    """Unpack the blobs, and return the other files by name."""
    small: dict[str, bytes] = {}
    count = size = 0
    while member := reader.next_member():
        count, size = count + 1, size + member.size
        if count > limits.archive_members:
            raise SizeLimitError("archive", limits.archive_members, unit="members")
        if size > limits.archive_bytes:
            raise SizeLimitError("archive", limits.archive_bytes)
        path = _path_of(member)
        if path is None:
            continue
        if digest := _digest_at(path):
            with tree.create(path) as file:
                copy_verified(_Member(reader), _descriptor(digest, member.size), file.write)
                file.commit()
        elif (name := str(path)) in MAX_SMALL_FILE:
            if name in small:
                raise UnsafeArchiveError(member.name, "it occurs twice")
            if member.size > MAX_SMALL_FILE[name]:
                raise SizeLimitError(f"file {name!r}", MAX_SMALL_FILE[name])
            small[name] = read_rest(_Member(reader))
    return small


def _path_of(member: TarMember) -> SafePath | None:
    """Return the path of a regular file; None for any other member."""
    if member.kind != "file":
        return None
    try:
        return sanitize_path(member.name.removeprefix("./"))
    except UnsafePathError:
        return None


def _digest_at(path: SafePath) -> Digest | None:
    if len(path.parts) != 3 or path.parts[0] != "blobs":
        return None
    try:
        return Digest(path.parts[1], path.parts[2])
    except InvalidDigestError:
        return None


def _descriptor(digest: Digest, size: int) -> Descriptor:
    return Descriptor(media_types.OCTET_STREAM, digest, size)


class _Member:
    """The current member of the archive as a stream."""

    def __init__(self, reader: TarReader) -> None:
        self._reader = reader

    def read(self, size: int = -1, /) -> bytes:
        return self._reader.read(CHUNK_SIZE if size < 0 else size)

    def close(self) -> None:
        pass


# --- As a target --------------------------------------------------------------------------


@contextmanager
def archived_layout(
    tree: FileTree, path: SafePath, *, scratch: FileTree, limits: Limits | None = None
) -> Iterator[OciLayoutStore]:
    """Open the layout in the tar file at `path` to write to it, for a block.

    The layout is unpacked into `scratch`. If it has changed at the end of the block, it is
    packed again and replaces the old file atomically. A missing file is created. After an
    exception the old file stays. If the folder is a `Locker`, other callers of this function
    for the same file wait until the block has ended; a small lock file stays beside it. To read
    an archive, unpack it with `unpack_layout`, which needs no lock.

    Args:
        tree: the folder of the file.
        path: the path of the file in `tree`.
        scratch: an empty folder; the caller removes it.
        limits: bounds of the archive and of manifests.

    Raises: as `unpack_layout` and `pack_layout`.
    """
    with ExitStack() as held:
        if isinstance(tree, Locker):
            held.enter_context(wait_for_lock(tree, _lock_path(path)))
        if tree.entry(path) is not None:
            with closing(tree.open(path)) as stream:
                unpack_layout(stream, scratch, limits=limits)
        before = LayoutFiles(scratch).read_index().encode()
        yield OciLayoutStore(scratch, limits=limits)
        if LayoutFiles(scratch).read_index().encode() == before:
            return
        with tree.create(path) as file:
            pack_layout(scratch, file.write)
            file.commit()


def _lock_path(path: SafePath) -> SafePath:
    name = sanitize_path(f".{path.name[:200]}.lock")
    return path.parent / name if path.parent else name
