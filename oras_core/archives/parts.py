"""Some members of an uncompressed packed directory, fetched without the others."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Final

from attrs import field, frozen

from oras_core.archives.members import MAGIC_SIZE, Member, PackedFiles, is_compressed
from oras_core.cancellation import current_token
from oras_core.content.random_access import SKIP_SIZE, STREAM_AFTER, RandomAccess
from oras_core.content.reading import CHUNK_SIZE
from oras_core.errors import SizeMismatchError
from oras_core.model.descriptor import Descriptor
from oras_core.model.limits import Limits
from oras_core.model.media_types import names_compression
from oras_core.model.names import NamePolicy
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.compression import Compression
from oras_core.ports.content import ByteStream, RangeFetcher
from oras_core.ports.files import FileTree

__all__ = ["DirectoryPart", "find_part"]

FIRST_RANGES: Final = 32
"""Ranges of headers after which the distance between two headers is known well enough."""

WORTHWHILE: Final = 2
"""The whole directory is fetched, and verified, unless the part takes this many times less."""


@frozen
class DirectoryPart:
    """The selected members of a packed directory.

    Attributes:
        source: the target that has the directory.
        layer: the packed directory.
        members: the selected files, folders and symbolic links.
        size: bytes that `unpack` fetches.
    """

    source: RangeFetcher = field(repr=False)
    layer: Descriptor
    members: tuple[Member, ...] = field(repr=False)
    size: int

    def unpack(self, tree: FileTree, on_read: Callable[[int], object]) -> None:
        """Fetch the members by ranges of the layer, and write them into `tree`.

        The bytes are not verified: the digest covers only the whole layer.

        Args:
            tree: the inside of a pending directory, which the caller discards after an error.
            on_read: called with the number of bytes after each read.

        Raises:
            SizeMismatchError: if the source returns fewer bytes than the layer has.
            OrasError: any error of the source or of the folder.
        """
        for run in _runs(self.members):
            start, length = run[0][0], _length(run)
            with closing(_range(self.source, self.layer, start, length)) as stream:
                reader = _Reader(stream, start, self.layer, on_read)
                for offset, member in run:
                    reader.skip_to(offset)
                    path = sanitize_path(member.path)
                    with tree.create(path, executable=member.executable) as file:
                        reader.copy(member.size, file.write)
                        file.commit()
        for member in self.members:
            if member.kind == "directory":
                tree.make_directory(sanitize_path(member.path))
        for member in self.members:
            if member.kind == "symlink":
                tree.make_symlink(sanitize_path(member.path), member.target)


def find_part(
    source: RangeFetcher,
    layer: Descriptor,
    selects: Callable[[str], bool],
    *,
    prefix: SafePath,
    limits: Limits,
    names: NamePolicy,
    compressions: Sequence[Compression] = (),
) -> DirectoryPart | None:
    """Read the headers of a packed directory, and return the part to fetch.

    Args:
        source: the target that has the layer.
        layer: the packed directory.
        selects: tells whether to fetch the member at a path without `prefix`.
        prefix: the path that member names begin with; it is removed from them.
        limits: `archive_bytes` and `archive_members` apply.
        names: the rules of the destination for names.
        compressions: accepted compressions, besides gzip by the standard library.

    Returns:
        The part; None if the layer must be fetched whole, because it is compressed, small or
        mostly selected, because a selected member is a hard link or has holes, because the
        registry ignores ranges, or because the headers of many small files would take more
        requests than they save bytes.

    Raises:
        UnsafeArchiveError: if a member must not be unpacked, or the archive is damaged.
        SizeLimitError: if the archive exceeds a limit.
        OrasError: any error of the source.
    """
    if names_compression(layer.media_type) or layer.size <= STREAM_AFTER or layer.data is not None:
        return None
    with closing(RandomAccess(_HeaderRanges(source), layer)) as archive:
        try:
            if is_compressed(archive.read(MAGIC_SIZE) or b"", compressions):
                return None
            files = PackedFiles(archive, prefix=prefix, limits=limits, names=names)
        except _NotWorthwhileError:
            return None
    chosen = tuple(member for path, member in files.members.items() if selects(path))
    if any(member.kind == "hardlink" or _has_holes(member) for member in chosen):
        return None
    runs = list(_runs(chosen))
    size = sum(map(_length, runs))
    # Each request takes as long as the transfer of `SKIP_SIZE` bytes.
    if (size + len(runs) * SKIP_SIZE) * WORTHWHILE >= layer.size:
        return None
    return DirectoryPart(source, layer, chosen, size)


class _NotWorthwhileError(Exception):
    """One transfer of the whole directory takes less time than the ranges of its headers."""


class _HeaderRanges(RangeFetcher):
    """The ranges of a source, while they take less time than the whole directory."""

    def __init__(self, source: RangeFetcher) -> None:
        self._source = source
        self._count = 0

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        return self._source.fetch(descriptor)

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        self._count += 1
        if self._count > FIRST_RANGES and start < self._count * SKIP_SIZE:
            raise _NotWorthwhileError
        stream = self._source.fetch_range(descriptor, start, length)
        # The streams of a registry have this attribute: the registry ignored the range.
        if getattr(stream, "starts_over", False):
            stream.close()
            raise _NotWorthwhileError
        return stream


def _has_holes(member: Member) -> bool:
    return member.kind == "file" and member.offset is None


_Placed = tuple[int, Member]
"""The offset of a file's data, and the file."""


def _runs(members: Sequence[Member]) -> Iterator[list[_Placed]]:
    """Yield the files that one request fetches, in the order of the archive."""
    placed = [(member.offset, member) for member in members if member.offset is not None]
    run: list[_Placed] = []
    for offset, member in sorted(placed, key=lambda one: one[0]):
        if run and offset - _end(run[-1]) > SKIP_SIZE:
            yield run
            run = []
        run.append((offset, member))
    if run:
        yield run


def _length(run: list[_Placed]) -> int:
    return _end(run[-1]) - run[0][0]


def _range(source: RangeFetcher, layer: Descriptor, start: int, length: int) -> ByteStream:
    # HTTP has no empty range.
    return source.fetch_range(layer, start, length) if length else io.BytesIO()


def _end(placed: _Placed) -> int:
    offset, member = placed
    return offset + member.size


class _Reader:
    """Reads a range of a layer to its end."""

    def __init__(
        self,
        stream: ByteStream,
        position: int,
        layer: Descriptor,
        on_read: Callable[[int], object],
    ) -> None:
        self._stream = stream
        self._position = position
        self._layer = layer
        self._on_read = on_read
        self._token = current_token()

    def skip_to(self, offset: int) -> None:
        self.copy(offset - self._position, lambda _: None)

    def copy(self, size: int, write: Callable[[bytes], object]) -> None:
        while size:
            self._token.raise_if_cancelled("fetch a part of a packed directory")
            piece = self._stream.read(min(size, CHUNK_SIZE))
            if not piece:
                what = f"blob {self._layer.digest}"
                raise SizeMismatchError(self._layer.size, self._position, what=what)
            write(piece)
            self._on_read(len(piece))
            self._position += len(piece)
            size -= len(piece)
