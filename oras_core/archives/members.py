"""The files of a packed directory, found without unpacking it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from threading import Lock
from typing import IO, TYPE_CHECKING, Final

from attrs import frozen

from oras_core.archives.decompression import decompressed
from oras_core.archives.gzip_streams import GZIP
from oras_core.archives.policy import MAX_DEPTH, MemberPolicy
from oras_core.archives.tar_format import ArchiveDamage, MemberKind
from oras_core.archives.tar_reader import TarReader
from oras_core.cancellation import current_token
from oras_core.content.random_access import BLOCK, Section
from oras_core.errors import NotFoundError, UnsafeArchiveError, UnsupportedError
from oras_core.model.limits import Limits
from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import SafePath
from oras_core.ports.compression import Compression
from oras_core.ports.content import ByteStream

if TYPE_CHECKING:
    from oras_core.content.random_access import Seekable

__all__ = ["MAGIC_SIZE", "Member", "PackedFiles", "is_compressed", "write_tar"]

MAGIC_SIZE: Final = 16
"""Bytes that tell how an archive is compressed."""


@frozen
class Member:
    """A file, folder or link of a packed directory.

    Attributes:
        path: inside the directory, with `/` between the components.
        kind: of the member.
        size: of a file, in bytes.
        offset: of a file's data in the uncompressed archive; None if it has holes.
        target: the path of a hard link's file; the text of a symbolic link.
        executable: whether the owner may execute a file.
    """

    path: str
    kind: MemberKind
    size: int = 0
    offset: int | None = None
    target: str = ""
    executable: bool = False


class PackedFiles:
    """The files of an uncompressed archive that seeks. Thread-safe; an opened file is not."""

    def __init__(
        self,
        archive: Seekable,
        *,
        prefix: SafePath | None = None,
        limits: Limits | None = None,
        names: NamePolicy = POSIX_NAMES,
    ) -> None:
        """Read the headers of `archive`; data is skipped.

        Args:
            archive: an uncompressed tar archive.
            prefix: the path that member names begin with; it is removed from them.
            limits: `archive_bytes` and `archive_members` apply.
            names: the rules of the system that the files are for.

        Raises:
            UnsafeArchiveError: if a member must not be unpacked, or the archive is damaged.
            SizeLimitError: if the archive exceeds a limit.
        """
        self._archive = archive
        self._lock = Lock()
        self._name = str(prefix) if prefix else "the archive"
        policy = MemberPolicy(limits or Limits(), prefix, names)
        try:
            self.members: Mapping[str, Member] = dict(_scan(archive, policy))
        except ArchiveDamage as damage:
            raise UnsafeArchiveError(damage.member, damage.reason) from damage

    def find(self, path: str) -> Member:
        """Return the member at `path`; links are followed.

        Raises:
            NotFoundError: if there is none.
            UnsafeArchiveError: if links lead in a circle.
        """
        wanted = path
        for _ in range(MAX_DEPTH):
            member = self.members.get(wanted)
            if member is None:
                followed = self._through_a_link(wanted)
                if followed is None:
                    raise NotFoundError(f"file {path!r}", self._name)
                wanted = followed
            elif member.kind == "hardlink":
                wanted = member.target
            elif member.kind == "symlink":
                wanted = _joined(wanted.rpartition("/")[0], member.target)
            else:
                return member
        raise UnsafeArchiveError(path, "its links lead in a circle")

    def open(self, path: str) -> Section:
        """Open a file for reading at any position.

        Raises:
            NotFoundError: if there is no such file.
            UnsupportedError: if it is a directory, or has holes.
        """
        member = self.find(path)
        if member.kind != "file" or member.offset is None:
            reason = "it has holes" if member.kind == "file" else f"it is a {member.kind}"
            raise UnsupportedError(f"open {path!r} of {self._name}", f"{reason}; pull it instead")
        return Section(self._archive, member.offset, member.size, self._lock)

    def _through_a_link(self, path: str) -> str | None:
        """Return the path without the first symbolic link among its folders."""
        parts = path.split("/")
        for count in range(1, len(parts)):
            folder = self.members.get("/".join(parts[:count]))
            if folder is not None and folder.kind == "symlink":
                return _joined("/".join(parts[: count - 1]), folder.target, *parts[count:])
        return None


def is_compressed(beginning: bytes, compressions: Sequence[Compression]) -> bool:
    """Tell whether an archive that begins so is compressed by one of these, or by gzip."""
    return any(one.magic and beginning.startswith(one.magic) for one in (*compressions, GZIP))


def write_tar(stream: ByteStream, file: IO[bytes], compressions: Sequence[Compression]) -> None:
    """Decompress an archive, which is read to its end, into `file`.

    Args:
        stream: the archive; pass one that verifies its bytes.
        file: takes the uncompressed archive.
        compressions: accepted compressions, besides gzip by the standard library.

    Raises:
        UnsafeArchiveError: if the compressed data is damaged.
    """
    token = current_token()
    try:
        for chunk in decompressed(stream, (*compressions, GZIP)):
            token.raise_if_cancelled("decompress an archive")
            file.write(chunk)
    except ArchiveDamage as damage:
        raise UnsafeArchiveError(damage.member, damage.reason) from damage


def _scan(archive: Seekable, policy: MemberPolicy) -> Iterator[tuple[str, Member]]:
    token = current_token()
    archive.seek(0)
    reader = TarReader(
        iter(lambda: archive.read(BLOCK), b""), lambda size: archive.seek(size, io.SEEK_CUR)
    )
    while member := reader.next_member():
        token.raise_if_cancelled("list an archive")
        path = policy.admit(member)
        if path is None:
            continue
        target = member.link_target
        if member.kind == "hardlink":
            target = str(policy.original_of(member))
        is_file = member.kind == "file"
        yield (
            str(path),
            Member(
                str(path),
                member.kind,
                member.size if is_file else 0,
                reader.offset if is_file else None,
                target,
                member.executable,
            ),
        )
    policy.links()


def _joined(*parts: str) -> str:
    """Return a path without `.` and `..`; a `..` at the top has no effect."""
    found: list[str] = []
    for part in "/".join(parts).split("/"):
        if part == "..":
            found = found[:-1]
        elif part not in ("", "."):
            found.append(part)
    return "/".join(found)
