"""The files port: a folder in which the library reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, runtime_checkable

from attrs import frozen

from oras_core.model.digest import Digest
from oras_core.model.paths import SafePath
from oras_core.ports.content import ByteStream

__all__ = [
    "FileEntry",
    "FileKind",
    "FileTree",
    "HeldLock",
    "Locker",
    "PartialKeeper",
    "PendingDirectory",
    "PendingFile",
    "ResumableFile",
]

FileKind = Literal["file", "directory", "symlink", "other"]


@frozen
class FileEntry:
    """What lies at a path; of a symbolic link, the link itself.

    Attributes:
        path: relative to the tree's root.
        kind: `other` is a device, a FIFO, a socket.
        size: of a file, in bytes; else 0.
        executable: whether the owner may execute a file.
        link_target: of a symbolic link, as it is written; else empty.
        revision: changes whenever the content may have: compare two to notice (an
            implementation may build it of modification time and inode).
    """

    path: SafePath
    kind: FileKind
    size: int = 0
    executable: bool = False
    link_target: str = ""
    revision: str = ""


class PendingFile(Protocol):
    """A file being written, invisible under its name until committed.

    A context manager: leaving it without `commit` discards what was written.
    """

    def write(self, data: bytes, /) -> object:
        """Append `data`, all of it; what is returned has no meaning."""
        ...

    def commit(self) -> None:
        """Put the file, whole, under its name, replacing an earlier file there."""
        ...

    def __enter__(self) -> PendingFile:
        """Return the file itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Discard what was written, unless it was committed."""
        ...


class PendingDirectory(Protocol):
    """A directory being filled, invisible under its name until committed.

    A context manager: leaving it without `commit` discards what was written.
    """

    @property
    def tree(self) -> FileTree:
        """The inside of the directory."""
        ...

    def commit(self) -> None:
        """Put the directory under its name.

        Where a directory stands there already its other files stay, and files of the
        same name are replaced one by one.
        """
        ...

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Discard what was written, unless it was committed."""
        ...


class FileTree(Protocol):
    """A folder. Thread-safe.

    Every path is relative to its root; nothing outside is ever read or written, whatever
    symbolic links lie in the way: a link on the way to a path is an `UnsafePathError`.
    Parent folders are made as needed. System errors are raised as `FileAccessError`.
    """

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return what lies at `path`; None if nothing does. Follows no link."""
        ...

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over what lies directly in a directory, sorted by name; None: in the root.

        What is not finished yet is left out.

        Raises:
            NotFoundError: if there is no such directory.
        """
        ...

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading.

        Raises:
            NotFoundError: if there is no such file.
            UnsafePathError: if it is a symbolic link.
        """
        ...

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Begin to write a file. The process' umask decides who may read it.

        Raises:
            UnsafePathError: if a link lies in the way, or a directory at `path`.
        """
        ...

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Begin to fill a directory.

        Raises:
            UnsafePathError: if a link lies in the way, or a file at `path`.
        """
        ...

    def make_directory(self, path: SafePath) -> None:
        """Make a directory, and its parents; one that exists is no error."""
        ...

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Make a symbolic link that says `target`, replacing a file or link there.

        The caller has made sure that it stays inside: `content.archive` does.
        """
        ...

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory; none being there is no error."""
        ...


class ResumableFile(PendingFile, Protocol):
    """A file being written, of which an earlier attempt may have left the beginning.

    A context manager: leaving it without `commit` keeps what was written, which is
    invisible under the file's name, for another attempt; nothing, if that is nothing.
    """

    @property
    def kept(self) -> int:
        """Bytes that were there when it was opened; `write` appends to them."""
        ...

    def reread(self) -> ByteStream:
        """Return a stream of those bytes, which nobody has verified; the caller closes it."""
        ...

    def restart(self) -> None:
        """Throw away all that is there, so that `write` begins with the first byte."""
        ...

    def __enter__(self) -> ResumableFile:
        """Return the file itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Keep what was written, unless it was committed."""
        ...


@runtime_checkable
class PartialKeeper(Protocol):
    """A folder that keeps what a broken attempt has written, also of a killed process."""

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Begin to write a file, or go on where an earlier attempt with `content` ended.

        What is kept of other content stays as it is. The process' umask decides who may
        read a new file.

        Args:
            path: the file's name when it is whole.
            content: what it will hold: under any name in the same directory, the same
                beginning serves.

        Returns:
            The file; None where somebody else, in whatever process, is at it right now, or
            what lies there cannot be trusted.

        Raises:
            UnsafePathError: as `FileTree.create`.
        """
        ...

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove what is kept of `content` beside `path`, unless somebody else is at it.

        For content that came in another way. Nothing being there is no error, nor is that it
        cannot be removed.
        """
        ...


class HeldLock(Protocol):
    """A lock that is held, until it is released or its owner's process ends.

    A context manager: leaving it releases the lock.
    """

    def release(self) -> None:
        """Let others have it; twice does no harm."""
        ...

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Release it."""
        ...


@runtime_checkable
class Locker(Protocol):
    """A folder in which processes that know of one another can take turns. Thread-safe."""

    def lock(self, path: SafePath, *, shared: bool = False) -> HeldLock:
        """Wait for the lock at `path`, which no other owner, of any process, has meanwhile.

        A small file lies there from then on, which nobody removes. Two calls are two
        owners, also in one thread.

        Args:
            path: names the lock.
            shared: let others have it who also share it.
        """
        ...

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock as `lock` does, or return None at once where another owner has it."""
        ...
