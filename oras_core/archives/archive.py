"""A directory as one blob: packed so that equal files give equal bytes, unpacked safely."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from attrs import frozen

from oras_core.archives.blocks import in_blocks
from oras_core.archives.decompression import decompressed
from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.links import find_unsafe_link, objection_to_target
from oras_core.archives.policy import MAX_DEPTH, MemberPolicy
from oras_core.archives.tar_format import (
    END,
    ArchiveDamage,
    MemberKind,
    TarMember,
    encode_header,
    padding_of,
)
from oras_core.archives.tar_reader import TarReader
from oras_core.cancellation import current_token, interrupts_cancelling
from oras_core.content.read_ahead import read_ahead
from oras_core.content.sources import CHUNK_SIZE, FileSource
from oras_core.errors import (
    DigestMismatchError,
    NotFoundError,
    SourceChangedError,
    UnsafeArchiveError,
    UnsafePathError,
)
from oras_core.model.digest import Digest, new_hasher
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.compression import Compression
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileEntry, FileTree

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["DirectoryListing", "PackedDirectory", "list_directory", "pack_directory", "unpack"]


@frozen
class PackedDirectory:
    """What became of a directory.

    Attributes:
        digest: of the compressed archive.
        size: of the compressed archive, in bytes.
        tar_digest: of the archive before it was compressed.
    """

    digest: Digest
    size: int
    tar_digest: Digest


@frozen
class DirectoryListing:
    """What is in a directory and may be packed.

    Attributes:
        entries: each directory before what is in it, sorted by name.
    """

    entries: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(entry.size for entry in self.entries)


# --- Packing ------------------------------------------------------------------------------


def pack_directory(
    tree: FileTree,
    write: Callable[[bytes], object],
    *,
    prefix: str,
    compression: Compression | None = None,
    listing: DirectoryListing | None = None,
) -> PackedDirectory:
    """Write all that is in `tree` as a compressed tar archive.

    The same names, contents and execute bits give the same bytes on any machine, whatever
    the owner, the times and the umask; of a person or a machine the archive says nothing.

    Args:
        tree: the directory.
        write: takes the archive, piece by piece.
        prefix: the path under which the members stand, the title of the layer.
        compression: how to compress, part of what decides the bytes; None for gzip by the
            standard library.
        listing: of the directory, where that was made already.

    Raises:
        UnsafePathError: as `list_directory`, and for a prefix that no pull would write.
        SourceChangedError: if a file changes meanwhile.
        FileAccessError: if a file cannot be read.
        CancelledError: if the thread's token is cancelled.
    """
    token = current_token()
    root = sanitize_path(prefix)
    entries = (listing or list_directory(tree)).entries
    tar, packed, size = new_hasher(), new_hasher(), 0
    members = _hashed(in_blocks(_tar_of(tree, root, entries)), tar)
    with closing((compression or GZIP).compress(members)) as pieces:
        for piece in _hashed(pieces, packed):
            token.raise_if_cancelled("pack a directory")
            write(piece)
            size += len(piece)
    return PackedDirectory(
        Digest(packed.name, packed.hexdigest()), size, Digest(tar.name, tar.hexdigest())
    )


def list_directory(tree: FileTree) -> DirectoryListing:
    """Return all entries, each directory before what is in it, sorted by name.

    Raises:
        UnsafePathError: for a symbolic link that leads out of the directory, a device, a
            FIFO or a socket, and for names that no pull would write.
        SourceChangedError: if a directory vanishes meanwhile.
        CancelledError: if the thread's token is cancelled.
    """
    entries = _collect(tree)
    _check_links(entries)
    return DirectoryListing(tuple(entries))


def _collect(tree: FileTree) -> list[FileEntry]:
    token = current_token()
    found = []
    waiting = list(tree.entries())[::-1]
    while waiting:
        token.raise_if_cancelled("list a directory")
        entry = waiting.pop()
        if entry.kind == "other":
            raise UnsafePathError(str(entry.path), "it is a device, a FIFO or a socket")
        if len(entry.path.parts) > MAX_DEPTH:
            raise UnsafePathError(str(entry.path), f"it lies in {MAX_DEPTH} folders or more")
        found.append(entry)
        if entry.kind == "directory":
            try:
                waiting.extend(list(tree.entries(entry.path))[::-1])
            except NotFoundError as error:
                raise SourceChangedError(f"directory {str(entry.path)!r}", "it vanished") from error
    return found


def _check_links(entries: list[FileEntry]) -> None:
    links = {str(entry.path): entry.link_target for entry in entries if entry.kind == "symlink"}
    for path, target in links.items():
        if reason := objection_to_target(target):
            raise UnsafePathError(path, reason)
    if unsafe := find_unsafe_link(links):
        raise UnsafePathError(*unsafe)


def _tar_of(tree: FileTree, root: SafePath, entries: Iterable[FileEntry]) -> Iterator[bytes]:
    yield encode_header(TarMember(str(root), "directory"))
    for entry in entries:
        kind: MemberKind = "special" if entry.kind == "other" else entry.kind
        yield encode_header(
            TarMember(f"{root}/{entry.path}", kind, entry.size, entry.executable, entry.link_target)
        )
        if kind == "file":
            with closing(FileSource(tree, entry.path, entry=entry).open()) as stream:
                while chunk := stream.read(CHUNK_SIZE):
                    yield chunk
            yield bytes(padding_of(entry.size))
    yield END


# --- Unpacking ----------------------------------------------------------------------------


def unpack(
    stream: ByteStream,
    tree: FileTree,
    *,
    prefix: SafePath | None = None,
    limits: Limits,
    tar_digest: Digest | None = None,
    compressions: Sequence[Compression] = (),
) -> None:
    """Unpack a tar archive, compressed or not, into `tree`.

    Member by member through `MemberPolicy`; symbolic links come last, when all are known.
    After an error, what was unpacked so far must be thrown away. So let `tree` be the
    inside of a pending directory, and `stream` verify what it reads.

    Args:
        stream: the archive, read to its end; the caller closes it.
        tree: where to.
        prefix: the path under which the members stand, which is taken off.
        limits: `archive_bytes` and `archive_members` are held to.
        tar_digest: what the archive must hash to when it is not compressed.
        compressions: what it may be compressed by, besides gzip by the standard library; the
            first that fits its beginning counts.

    Raises:
        UnsafeArchiveError: if it holds what may not be unpacked, or is damaged.
        SizeLimitError: if it holds too much.
        DigestMismatchError: if it has another digest than `tar_digest`.
        UnsafePathError: if a link, or a thing of another kind, lies in the way in `tree`.
        FileAccessError: if a file cannot be written.
        CancelledError: if the thread's token is cancelled.
    """
    try:
        chunks = decompressed(stream, (*compressions, GZIP))
        _unpack(chunks, tree, MemberPolicy(limits, prefix), tar_digest)
    except ArchiveDamage as damage:
        # That other bytes came than were promised explains more, if the stream finds so.
        _read_to_end(stream, limits.archive_bytes)
        raise UnsafeArchiveError(damage.member, damage.reason) from damage


def _unpack(
    archive: Iterator[bytes], tree: FileTree, policy: MemberPolicy, tar_digest: Digest | None
) -> None:
    token = current_token()
    hasher = tar_digest.hasher() if tar_digest else None
    with (
        closing(read_ahead(_hashed(archive, hasher))) as chunks,
        interrupts_cancelling(),
    ):
        reader = TarReader(chunks)
        while member := reader.next_member():
            token.raise_if_cancelled("unpack an archive")
            path = policy.admit(member)
            if path is not None:
                _unpack_member(reader, tree, policy, member, path)
    if tar_digest and hasher and hasher.hexdigest() != tar_digest.encoded:
        actual = f"{tar_digest.algorithm}:{hasher.hexdigest()}"
        raise DigestMismatchError(str(tar_digest), actual, what="the uncompressed archive")
    for place, target in policy.links().items():
        token.raise_if_cancelled("unpack an archive")
        tree.make_symlink(sanitize_path(place), target)


def _unpack_member(
    reader: TarReader, tree: FileTree, policy: MemberPolicy, member: TarMember, path: SafePath
) -> None:
    if member.kind == "directory":
        tree.make_directory(path)
    elif member.kind == "hardlink":
        _copy(tree, policy, member, path)
    elif member.kind == "file":
        with tree.create(path, executable=member.executable) as file:
            while piece := reader.read(CHUNK_SIZE):
                file.write(piece)
            file.commit()


def _copy(tree: FileTree, policy: MemberPolicy, member: TarMember, path: SafePath) -> None:
    """Unpack a hard link as a file of its own: what is written to one stays in it."""
    original = policy.original_of(member)
    entry = tree.entry(original)
    if entry is None:
        raise UnsafeArchiveError(member.name, "it is a hard link to itself")
    policy.charge(entry.size)
    with (
        closing(tree.open(original)) as content,
        tree.create(path, executable=entry.executable) as file,
    ):
        token = current_token()
        while piece := content.read(CHUNK_SIZE):
            token.raise_if_cancelled("unpack an archive")
            file.write(piece)
        file.commit()


def _hashed(chunks: Iterable[bytes], hasher: _Hash | None) -> Iterator[bytes]:
    for chunk in chunks:
        if hasher is not None:
            hasher.update(chunk)
        yield chunk


def _read_to_end(stream: ByteStream, limit: int) -> None:
    count = 0
    while count <= limit and (piece := stream.read(CHUNK_SIZE)):
        count += len(piece)
