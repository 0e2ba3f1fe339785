"""Sources of bytes to push: memory, a file, another target, or any stream that reopens."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from functools import partial
from typing import cast

from attrs import Factory, field, frozen

from oras_core.cancellation import current_token
from oras_core.content.reading import CHUNK_SIZE, clone_file, read_rest
from oras_core.errors import FileAccessError, NotFoundError, SourceChangedError, UnsafePathError
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.model.values import Value
from oras_core.ports.content import ByteStream, Fetcher, RangeFetcher
from oras_core.ports.files import FileEntry, FileTree

__all__ = [
    "BytesSource",
    "FetchedSource",
    "FileSource",
    "OpenedSource",
    "RangedSource",
    "spool",
]


@frozen(eq=False, repr=False)
class BytesSource(Value):
    """Bytes in memory."""

    content: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """The number of bytes."""
        return len(self.content)

    def open(self) -> ByteStream:
        """Return a new stream from the first byte."""
        return io.BytesIO(self.content)


@frozen(eq=False, repr=False)
class FetchedSource:
    """A blob or manifest of another target; every `open` fetches it. Not yet verified."""

    fetcher: Fetcher
    descriptor: Descriptor

    @property
    def size(self) -> int:
        """The number of bytes by the descriptor."""
        return self.descriptor.size

    def open(self) -> ByteStream:
        """Return a new stream from the first byte.

        Raises:
            NotFoundError: if the target does not have the blob.
        """
        return self.fetcher.fetch(self.descriptor)


@frozen(eq=False, repr=False)
class RangedSource(FetchedSource):
    """A blob of another target that supports ranges. Not yet verified."""

    ranges: RangeFetcher

    def open_from(self, start: int) -> ByteStream:
        """Return a new stream from offset `start`.

        Raises:
            NotFoundError: if the target does not have the blob.
        """
        return self.ranges.fetch_range(self.descriptor, start, self.size - start)


@frozen(eq=False, repr=False)
class OpenedSource(Value):
    """Any source that gives the same bytes on every opening: a zip member, a remote file.

    The descriptor is computed by a first reading. If a later reading gives other bytes, the
    push fails with a `ContentError`.

    Attributes:
        open_stream: returns a new stream from the first byte, which is closed after use;
            called from any thread, several times.
        size: the number of bytes; None if unknown.
    """

    open_stream: Callable[[], ByteStream] = field(repr=False)
    size: int | None = None

    def open(self) -> ByteStream:
        """Return a new stream from the first byte."""
        return self.open_stream()


def spool(content: ByteStream | Iterable[bytes], scratch: FileTree) -> FileSource:
    """Write bytes that can be read only once to a file, which a push can read several times.

    Args:
        content: an open stream, read from its current position, which the caller closes; or
            chunks, for example from a generator.
        scratch: the folder of the file; the caller removes it.
    """
    from secrets import token_hex  # noqa: PLC0415 - slow to import, and few sources are spooled

    path = sanitize_path(f"{token_hex(8)}.spooled")
    # Open files are iterable too, but by lines, and one line may be the whole file.
    read = getattr(content, "read", None)
    pieces = iter(partial(read, CHUNK_SIZE), b"") if read else cast("Iterable[bytes]", content)
    with scratch.create(path) as file:
        for piece in pieces:
            current_token().raise_if_cancelled("spool a stream")
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


@frozen(eq=False, repr=False)
class FileSource(Value):
    """A file that must not change while the source is in use.

    A file that changes, grows, shrinks or vanishes raises a `SourceChangedError` before its
    last byte is read, so a push never sends bytes that differ from the descriptor.

    Raises:
        NotFoundError: if there is no such file.
        UnsafePathError: if the path is or contains a symbolic link.
        FileAccessError: if the path is not a regular file.

    Attributes:
        tree: the folder of the file.
        path: the path in that folder.
        entry: the state of the file when the source was made; read from `tree` by default.
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
            SourceChangedError: if the file changed; reading the stream raises it too.
        """
        self.check_unchanged()
        try:
            return _UnchangedStream(self.tree.open(self.path), self)
        except (NotFoundError, UnsafePathError) as error:
            raise self.changed("it vanished") from error

    def check_unchanged(self) -> None:
        """Compare the file with its state when the source was made.

        Raises:
            SourceChangedError: if the file changed; the message names the difference.
        """
        entry = self.tree.entry(self.path)
        if entry is None:
            raise self.changed("it vanished")
        if entry.kind != "file":
            raise self.changed("it is no longer a regular file")
        if entry.size != self.size:
            raise self.changed(f"it had {self.size} bytes, now it has {entry.size}")
        if entry.may_differ_from(self.entry):
            raise self.changed("it was written to or replaced")

    def changed(self, reason: str) -> SourceChangedError:
        """Return a `SourceChangedError` for this file."""
        return SourceChangedError(f"file {str(self.path)!r}", reason)


class _UnchangedStream:
    """The bytes of a file; the last ones are returned only if the file did not change."""

    def __init__(self, stream: ByteStream, source: FileSource) -> None:
        self._stream = stream
        self._source = source
        self._left = source.size
        self._checked = False

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all remaining bytes for -1.

        Raises:
            SourceChangedError: instead of the last bytes, if the file changed.
            FileAccessError: instead of the last bytes, if the file is larger than its size.
        """
        if size < 0:
            return read_rest(self)
        if size == 0:
            return b""
        chunk = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(chunk)
        if not chunk and self._left:
            read = self._source.size - self._left
            raise self._source.changed(f"it had {self._source.size} bytes, it ended after {read}")
        if not self._left and not self._checked:
            self._source.check_unchanged()
            if self._stream.read(1):
                # As files of /proc: the system does not know their size.
                reason = f"its size is given as {self._source.size} bytes, but it has more"
                raise FileAccessError("read", str(self._source.path), f"{reason}; push a copy")
            self._checked = True
        return chunk

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        """Clone the file; the digest of the clone tells whether it is the expected one."""
        return clone_file(self._stream, clone)

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
