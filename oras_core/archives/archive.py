"""Pack a directory into one blob, with the same bytes for the same files, and unpack it safely."""

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
from oras_core.content.reading import CHUNK_SIZE
from oras_core.content.sources import FileSource
from oras_core.errors import (
    DigestMismatchError,
    NotFoundError,
    SourceChangedError,
    UnsafeArchiveError,
    UnsafePathError,
    UnsupportedError,
)
from oras_core.model.digest import Digest, new_hasher
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.compression import Compression
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileEntry, FileTree, names_of

if TYPE_CHECKING:
    from hashlib import _Hash

__all__ = ["DirectoryListing", "PackedDirectory", "list_directory", "pack_directory", "unpack"]


@frozen
class PackedDirectory:
    """The result of packing a directory.

    Attributes:
        digest: digest of the compressed archive.
        size: size of the compressed archive, in bytes.
        tar_digest: digest of the archive before compression.
    """

    digest: Digest
    size: int
    tar_digest: Digest


@frozen
class DirectoryListing:
    """The entries of a directory that can be packed.

    Attributes:
        entries: all entries, sorted by name; a directory precedes its own entries.
    """

    entries: tuple[FileEntry, ...]

    @property
    def size(self) -> int:
        """Total size of all files, in bytes."""
        return sum(entry.size for entry in self.entries)


# --- Packing ------------------------------------------------------------------------------


def pack_directory(
    tree: FileTree,
    write: Callable[[bytes], object],
    *,
    prefix: str,
    compression: Compression | None = None,
    listing: DirectoryListing | None = None,
    on_read: Callable[[int], object] | None = None,
) -> PackedDirectory:
    """Write the contents of `tree` as a compressed tar archive.

    The same names, contents and execute bits give the same bytes on any machine. Owners,
    times and the umask do not matter, and none of them is stored in the archive.

    Args:
        tree: the directory.
        write: called with each piece of the archive.
        prefix: the path that member names begin with; the title of the layer.
        compression: the compression, which affects the bytes; None for gzip by the
            standard library.
        listing: the listing of `tree`, if the caller has one.
        on_read: called with the number of bytes after each read of a file.

    Raises:
        UnsafePathError: as `list_directory`; also if a pull would refuse the prefix.
        SourceChangedError: if a file changes while it is packed.
        FileAccessError: if a file cannot be read.
        CancelledError: if the current token is cancelled.
    """
    token = current_token()
    root = sanitize_path(prefix)
    entries = (listing or list_directory(tree, prefix)).entries
    tar, packed, size = new_hasher(), new_hasher(), 0
    members = _hashed(in_blocks(_tar_of(tree, root, entries, on_read or _ignore)), tar)
    with closing((compression or GZIP).compress(members)) as pieces:
        for piece in _hashed(pieces, packed):
            token.raise_if_cancelled("pack a directory")
            write(piece)
            size += len(piece)
    return PackedDirectory(
        Digest(packed.name, packed.hexdigest()), size, Digest(tar.name, tar.hexdigest())
    )


def list_directory(tree: FileTree, prefix: str) -> DirectoryListing:
    """Return all entries, sorted by name; a directory precedes its own entries.

    Args:
        tree: the directory.
        prefix: the path of the directory in the archive; a symbolic link such as `../data/x`
            in the directory `data` stays inside.

    Raises:
        UnsafePathError: for a symbolic link that leads out of the directory, for a device, a
            FIFO or a socket, and for a name that a pull would refuse.
        SourceChangedError: if a directory disappears during the listing.
        CancelledError: if the current token is cancelled.
    """
    entries = _collect(tree)
    _check_links(entries, sanitize_path(prefix))
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
            raise UnsafePathError(str(entry.path), f"it is in {MAX_DEPTH} nested folders or more")
        found.append(entry)
        if entry.kind == "directory":
            try:
                waiting.extend(list(tree.entries(entry.path))[::-1])
            except NotFoundError as error:
                raise SourceChangedError(
                    f"directory {str(entry.path)!r}", "it disappeared"
                ) from error
    return found


def _check_links(entries: list[FileEntry], prefix: SafePath) -> None:
    links = {str(entry.path): entry.link_target for entry in entries if entry.kind == "symlink"}
    for path, target in links.items():
        if reason := objection_to_target(target):
            raise UnsafePathError(path, reason)
    if unsafe := find_unsafe_link(links, folder=prefix.parts):
        raise UnsafePathError(*unsafe)


def _ignore(_: int) -> None:
    return None


def _tar_of(
    tree: FileTree,
    root: SafePath,
    entries: Iterable[FileEntry],
    on_read: Callable[[int], object],
) -> Iterator[bytes]:
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
                    on_read(len(chunk))
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
    selects: Callable[[str], bool] | None = None,
) -> int:
    """Unpack a tar archive, compressed or not, into `tree`.

    `MemberPolicy` checks each member. Symbolic links are created last, when all are known.
    After an error the caller must discard the unpacked files: pass the inside of a pending
    directory as `tree`, and a stream that verifies its bytes as `stream`.

    Args:
        stream: the archive, read to its end; the caller closes it.
        tree: the destination folder.
        prefix: the path that member names begin with; it is removed from them.
        limits: `archive_bytes` and `archive_members` apply.
        tar_digest: the expected digest of the uncompressed archive.
        compressions: accepted compressions, besides gzip by the standard library; the first
            whose magic bytes match is used.
        selects: tells whether to unpack the member at a path without `prefix`; None for all
            members. All members are checked, and all bytes are read.

    Returns:
        The number of unpacked members.

    Raises:
        UnsafeArchiveError: if a member must not be unpacked, or the archive is damaged.
        UnsupportedError: if a selected member is a hard link to one that is not selected.
        SizeLimitError: if the archive exceeds a limit.
        DigestMismatchError: if the uncompressed archive does not match `tar_digest`.
        UnsafePathError: if `tree` has a link, or an entry of another kind, at a member's path.
        FileAccessError: if a file cannot be written.
        CancelledError: if the current token is cancelled.
    """
    try:
        chunks = decompressed(stream, (*compressions, GZIP))
        policy = MemberPolicy(limits, prefix, names_of(tree))
        return _unpack(chunks, tree, policy, tar_digest, selects or _everything)
    except ArchiveDamage as damage:
        # A digest mismatch explains more than the damage: let the stream report one.
        _read_to_end(stream, limits.archive_bytes)
        raise UnsafeArchiveError(damage.member, damage.reason) from damage


def _everything(_: str) -> bool:
    return True


def _unpack(
    archive: Iterator[bytes],
    tree: FileTree,
    policy: MemberPolicy,
    tar_digest: Digest | None,
    selects: Callable[[str], bool],
) -> int:
    token, count = current_token(), 0
    hasher = tar_digest.hasher() if tar_digest else None
    with (
        closing(read_ahead(_hashed(archive, hasher))) as chunks,
        interrupts_cancelling(),
    ):
        reader = TarReader(chunks)
        while member := reader.next_member():
            token.raise_if_cancelled("unpack an archive")
            path = policy.admit(member)
            if path is None:
                continue
            if selects(str(path)):
                _unpack_member(reader, tree, policy, member, path)
                count += 1
            elif member.kind == "hardlink":
                policy.original_of(member)
    if tar_digest and hasher and hasher.hexdigest() != tar_digest.encoded:
        actual = f"{tar_digest.algorithm}:{hasher.hexdigest()}"
        raise DigestMismatchError(str(tar_digest), actual, what="the uncompressed archive")
    for place, target in policy.links().items():
        token.raise_if_cancelled("unpack an archive")
        if selects(place):
            tree.make_symlink(sanitize_path(place), target)
    return count


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
    """Unpack a hard link as a separate file, so that a change to one does not affect the other."""
    original = policy.original_of(member)
    entry = tree.entry(original)
    if entry is None and original == path:
        raise UnsafeArchiveError(member.name, "it is a hard link to itself")
    if entry is None:
        reason = f"it is a hard link to {str(original)!r}, which is left out; include both"
        raise UnsupportedError(f"unpack {str(path)!r} of a folder", reason)
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
