"""The files port: a folder that the library reads and writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol, runtime_checkable

from attrs import frozen

from oras_core.model.digest import Digest
from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import SafePath
from oras_core.ports.content import ByteStream

__all__ = [
    "CloningFile",
    "FileEntry",
    "FileKind",
    "FileTree",
    "HeldLock",
    "Linker",
    "Locker",
    "NameRules",
    "PartialKeeper",
    "PartialRemover",
    "PendingDirectory",
    "PendingFile",
    "ResumableFile",
    "Toucher",
    "names_of",
]

FileKind = Literal["file", "directory", "symlink", "other"]


@frozen
class FileEntry:
    """The entry at a path; for a symbolic link, the link itself.

    Attributes:
        path: the path, relative to the root of the tree.
        kind: `other` is a device, a FIFO or a socket.
        size: size of a file, in bytes; 0 for other kinds.
        executable: whether the owner may execute a file.
        link_target: unresolved target of a symbolic link; empty for other kinds.
        revision: a value that changes whenever the content may have changed, such as device,
            inode, modification time and change time.
        content_revision: the part of `revision` that a new hard link leaves unchanged; empty
            if there is none.
        links: the number of hard links of a file.
        changed_at: when a file was last changed, in nanoseconds since 1970; 0 if unknown.
    """

    path: SafePath
    kind: FileKind
    size: int = 0
    executable: bool = False
    link_target: str = ""
    revision: str = ""
    content_revision: str = ""
    links: int = 1
    changed_at: int = 0

    def may_differ_from(self, earlier: FileEntry) -> bool:
        """Tell whether the content may have changed. A new hard link changes no content."""
        if self.revision == earlier.revision:
            return False
        only_linked = (
            self.links != earlier.links
            and bool(self.content_revision)
            and self.content_revision == earlier.content_revision
        )
        return not only_linked


class PendingFile(Protocol):
    """A file being written, which gets its name on commit.

    A context manager: leaving it without `commit` discards the file.
    """

    def write(self, data: bytes, /) -> object:
        """Append all of `data`; the return value has no meaning."""
        ...

    def commit(self) -> None:
        """Give the complete file its name, replacing an earlier file."""
        ...

    def __enter__(self) -> PendingFile:
        """Return the file itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Discard the data, unless it was committed."""
        ...


@runtime_checkable
class CloningFile(PendingFile, Protocol):
    """A file being written that the operating system can fill with a copy of another file.

    If the file system can, both files share their blocks until one of them is changed.
    """

    def clone(self, file: ByteStream, size: int) -> ByteStream | None:
        """Fill the empty file with a copy of an open file; do not read or move `file`.

        Args:
            file: a stream that a `FileTree` has opened.
            size: the expected size of the open file, in bytes.

        Returns:
            A stream of the bytes of this file, which the caller verifies and closes. None if
            the system cannot make the copy, or if `file` has another size; this file is still
            empty then.

        Raises:
            CancelledError: if the thread's token is cancelled.
        """
        ...

    def restart(self) -> None:
        """Discard all bytes, so that `write` starts at the first byte."""
        ...


class PendingDirectory(Protocol):
    """A directory being filled, which gets its name on commit.

    A context manager: leaving it without `commit` discards the directory.
    """

    @property
    def tree(self) -> FileTree:
        """The contents of the directory."""
        ...

    def commit(self) -> None:
        """Give the directory its name.

        If a directory has this name already, the two are merged: files of the same name are
        replaced one by one, other files stay.
        """
        ...

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Discard the data, unless it was committed."""
        ...


class FileTree(Protocol):
    """A folder. Thread-safe.

    Every path is relative to the root. Nothing outside the folder is read or written: a
    symbolic link on the way to a path is an `UnsafePathError`. Parent folders are created as
    needed. Errors of the system are raised as `FileAccessError`.
    """

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return the entry at `path`, without following a link; None if there is none."""
        ...

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over the entries of a directory, sorted by name; None for the root.

        Partial files and folders are left out.

        Raises:
            NotFoundError: if the directory does not exist.
        """
        ...

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading.

        Raises:
            NotFoundError: if the file does not exist.
            UnsafePathError: if `path` is a symbolic link.
        """
        ...

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Start to write a file. The umask of the process sets its permissions.

        Raises:
            UnsafePathError: if the path leads through a link, or `path` is a directory.
        """
        ...

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Start to fill a directory; `.` is the root, into which the commit merges.

        Raises:
            UnsafePathError: if the path leads through a link, or `path` is a file.
        """
        ...

    def make_directory(self, path: SafePath) -> None:
        """Create a directory and its parents; an existing directory is accepted."""
        ...

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Create a symbolic link to `target`, replacing a file or link.

        The caller must check that the link stays inside, as `archives.archive` does.
        """
        ...

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory; a missing one is accepted."""
        ...


@runtime_checkable
class NameRules(Protocol):
    """A folder on a system with rules for names."""

    @property
    def names(self) -> NamePolicy:
        """The rules. Methods that create entries raise `UnsafePathError` for refused names."""
        ...


def names_of(tree: FileTree) -> NamePolicy:
    """Return the rules for names in a folder; those of POSIX if it has none."""
    # `isinstance` examines all members of a protocol each time, which costs more than the check.
    names: NamePolicy = getattr(tree, "names", POSIX_NAMES)
    return names


class ResumableFile(PendingFile, Protocol):
    """A partial file, whose first bytes an earlier attempt may have written.

    A context manager: leaving it without `commit` keeps the written bytes, under a reserved
    name, for another attempt. An empty partial file is removed.
    """

    @property
    def kept(self) -> int:
        """Number of bytes from earlier attempts; `write` appends to them."""
        ...

    def reread(self) -> ByteStream:
        """Return a stream of those bytes, which are unverified; the caller closes it."""
        ...

    def restart(self) -> None:
        """Discard all bytes, so that `write` starts at the first byte."""
        ...

    def __enter__(self) -> ResumableFile:
        """Return the file itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Keep the written bytes, unless the file was committed."""
        ...


@runtime_checkable
class PartialKeeper(Protocol):
    """A folder that keeps partial files after a failure, also of a killed process."""

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Start to write a file, or continue an earlier attempt with the same digest.

        Partial files with other digests stay unchanged. The umask of the process sets the
        permissions of a new file.

        Args:
            path: the final path of the file.
            content: digest of the complete file. Files of one directory share the partial
                file of a digest, whatever their names.

        Returns:
            The partial file; None if another owner, in any process, has it open, or if the
            entry at its path cannot be trusted.

        Raises:
            UnsafePathError: as `FileTree.create`.
        """
        ...

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove the partial file with digest `content` beside `path`, unless it is in use.

        For files that were completed in another way. A missing partial file, or one that
        cannot be removed, is not an error.
        """
        ...


@runtime_checkable
class PartialRemover(Protocol):
    """A folder that can remove the partial files and folders of killed processes."""

    def remove_partials(self, path: SafePath | None = None) -> None:
        """Remove the partial files and folders directly in a directory; None for the root.

        The caller excludes every writer of this directory. A missing directory is accepted; an
        entry that cannot be removed is logged.
        """
        ...


@runtime_checkable
class Linker(Protocol):
    """A folder whose files can have several names. Thread-safe."""

    def link(self, path: SafePath, source: SafePath) -> None:
        """Give the file at `source` the second name `path`, replacing an earlier file.

        No byte is copied. Each of the names can be removed or replaced without the other.

        Raises:
            NotFoundError: if there is no file at `source`.
            UnsafePathError: if a path leads through a link, or an entry is not a file.
            FileAccessError: if the system refuses; some file systems have no hard links.
        """
        ...


@runtime_checkable
class Toucher(Protocol):
    """A folder that records the use of its files."""

    def touch(self, path: SafePath) -> None:
        """Set the time `changed_at` of a file to now, if the system permits it.

        Raises:
            NotFoundError: if there is no such file.
            UnsafePathError: if the path leads through a link.
        """
        ...


class HeldLock(Protocol):
    """A lock, held until it is released or the process of its owner ends.

    A context manager: leaving it releases the lock.
    """

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        ...

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        ...

    def __exit__(self, *exception: object) -> None:
        """Release the lock."""
        ...


@runtime_checkable
class Locker(Protocol):
    """A folder with locks between cooperating processes. Thread-safe."""

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, which excludes all other owners in all processes.

        The call may create a small file at `path`, which stays. Two calls are two owners, also
        in one thread. A lock is released when its object is no longer referenced.

        Args:
            path: path of the lock file.
            shared: allow other owners that also ask for a shared lock.

        Returns:
            The lock; None at once if another owner has it.
        """
        ...
