"""Where bytes to be pushed come from: memory, a file, another target, anything that opens."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial
from secrets import token_hex
from typing import Final, cast

from attrs import Factory, field, frozen

from oras_core.errors import FileAccessError, NotFoundError, SourceChangedError, UnsafePathError
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream, Fetcher, RangeFetcher
from oras_core.ports.files import FileEntry, FileTree

__all__ = [
    "CHUNK_SIZE",
    "BytesSource",
    "FetchedSource",
    "FileSource",
    "OpenedSource",
    "RangedSource",
    "spool",
]

CHUNK_SIZE: Final = 256 * 1024
"""Bytes moved at once: the cost of a call vanishes, and a few for each of many contents in flight
fit any memory."""


@frozen
class BytesSource:
    """Bytes that are in memory already."""

    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on."""
        return io.BytesIO(self.content)


@frozen
class FetchedSource:
    """Content of another target, fetched anew each time it is opened; not yet verified."""

    fetcher: Fetcher = field(repr=False)
    descriptor: Descriptor

    @property
    def size(self) -> int:
        """The number of bytes, as the descriptor has it."""
        return self.descriptor.size

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on.

        Raises:
            NotFoundError: if the content is not there.
        """
        return self.fetcher.fetch(self.descriptor)


@frozen
class RangedSource:
    """Content of another target that gives parts of it too; not yet verified."""

    fetcher: RangeFetcher = field(repr=False)
    descriptor: Descriptor

    @property
    def size(self) -> int:
        """The number of bytes, as the descriptor has it."""
        return self.descriptor.size

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on.

        Raises:
            NotFoundError: if the content is not there.
        """
        return self.fetcher.fetch(self.descriptor)

    def open_from(self, start: int) -> ByteStream:
        """Return a new stream from byte `start` on.

        Raises:
            NotFoundError: if the content is not there.
        """
        return self.fetcher.fetch_range(self.descriptor, start, self.size - start)


@frozen
class OpenedSource:
    """Whatever gives the same bytes each time it is opened: a member of a zip, a remote file.

    What is pushed is described by a first reading; should another one give other bytes,
    the push ends with a `ContentError`.

    Attributes:
        open_stream: returns a new stream from the first byte on, which is closed after use;
            called from any thread, several times.
        size: the number of bytes; None where that is not known.
    """

    open_stream: Callable[[], ByteStream] = field(repr=False)
    size: int | None = None

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on."""
        return self.open_stream()


def spool(content: ByteStream | Iterable[bytes], scratch: FileTree) -> FileSource:
    """Keep bytes that can be read only once, for as many readings as a push takes.

    Args:
        content: an open stream, from where it stands, which the caller closes; or pieces,
            such as a generator gives.
        scratch: takes them; the caller empties it.
    """
    path = sanitize_path(f"{token_hex(8)}.spooled")
    # Open files are iterable too, line by line, which may be all of a file at once.
    read = getattr(content, "read", None)
    pieces = iter(partial(read, CHUNK_SIZE), b"") if read else cast("Iterable[bytes]", content)
    with scratch.create(path) as file:
        for piece in pieces:
            file.write(piece)
        file.commit()
    return FileSource(scratch, path)


def _entry_of(source: FileSource) -> FileEntry:
    entry = source.tree.entry(source.path)
    if entry is None:
        raise NotFoundError(f"file {str(source.path)!r}", "the folder")
    if entry.kind == "symlink":
        raise UnsafePathError(str(source.path), "it is a symbolic link")
    if entry.kind != "file":
        raise FileAccessError("read", str(source.path), "it is not a regular file")
    return entry


@frozen
class FileSource:
    """A file, which must stay as it was when the source was made.

    What was described is what is sent: a file that changes, grows, shrinks or vanishes
    in the meantime is a `SourceChangedError` before its last byte is handed out.

    Raises:
        NotFoundError: if there is no such file.
        UnsafePathError: if it is a symbolic link, or one lies in the way.
        FileAccessError: if it is no regular file.

    Attributes:
        tree: the folder it lies in.
        path: where in it.
        entry: what lay there when the source was made; looked at unless it is given.
    """

    tree: FileTree = field(repr=False)
    path: SafePath
    entry: FileEntry = field(default=Factory(_entry_of, takes_self=True), kw_only=True, repr=False)

    @property
    def size(self) -> int:
        """The number of bytes when the source was made."""
        return self.entry.size

    def open(self) -> ByteStream:
        """Return a new stream from the first byte on.

        Raises:
            SourceChangedError: if the file is not as it was; so does reading the stream.
        """
        self.check_unchanged()
        try:
            return _UnchangedStream(self.tree.open(self.path), self)
        except (NotFoundError, UnsafePathError) as error:
            raise self.changed("it vanished") from error

    def check_unchanged(self) -> None:
        """Compare the file with what it was when the source was made.

        Raises:
            SourceChangedError: naming the difference.
        """
        entry = self.tree.entry(self.path)
        if entry is None:
            raise self.changed("it vanished")
        if entry.kind != "file":
            raise self.changed("it is no regular file any more")
        if entry.size != self.size:
            raise self.changed(f"it had {self.size} bytes, now it has {entry.size}")
        if entry.revision != self.entry.revision:
            raise self.changed("it was written to or replaced")

    def changed(self, reason: str) -> SourceChangedError:
        """Return the error that says so of this file."""
        return SourceChangedError(f"file {str(self.path)!r}", reason)


class _UnchangedStream:
    """The bytes of a file, the last of them only if the file did not change."""

    def __init__(self, stream: ByteStream, source: FileSource) -> None:
        self._stream = stream
        self._source = source
        self._left = source.size
        self._checked = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises:
            SourceChangedError: in place of the last bytes.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_SIZE), b""))
        if size == 0:
            return b""
        chunk = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        if not chunk and self._left:
            read = self._source.size - self._left
            raise self._source.changed(f"it had {self._source.size} bytes, it ended after {read}")
        if not self._left and not self._checked:
            self._source.check_unchanged()
            self._checked = True
        return chunk

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
