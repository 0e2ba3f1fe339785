"""A file tree in memory, for tests and for programs without a disk."""

from __future__ import annotations

from collections.abc import Iterator
from threading import RLock
from typing import Final

from attrs import define, field

from oras_core.errors import FileAccessError, NotFoundError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.names import POSIX_NAMES, NamePolicy
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.digests import DigestKeeper, DigestMemory
from oras_core.ports.files import (
    CloningFile,
    FileEntry,
    FileKind,
    FileTree,
    HeldLock,
    Linker,
    Locker,
    NameRules,
    PartialKeeper,
    PendingDirectory,
    PendingFile,
    ResumableFile,
    Toucher,
)
from oras_core.stores.layout.thread_locks import ThreadLocks
from oras_core.testing.memory_content import Content, ContentBuffer, ContentStream

__all__ = ["MemoryFileTree"]


@define
class _File:
    content: Content
    executable: bool
    revision: str


@define
class _Link:
    target: str


@define
class _Folder:
    children: dict[str, _Node] = field(factory=dict)


_Node = _File | _Link | _Folder

_KINDS: Final[dict[type, FileKind]] = {_File: "file", _Link: "symlink", _Folder: "directory"}


def _refuse(path: SafePath, node: _Node | None, *wanted: type) -> None:
    """Raise an error unless `node` is None or of a kind in `wanted`."""
    if node is not None and not isinstance(node, wanted):
        kind = "symbolic link" if isinstance(node, _Link) else _KINDS[type(node)]
        raise UnsafePathError(str(path), f"a {kind} has this name and is not replaced")


class MemoryFileTree(DigestKeeper, FileTree, Linker, Locker, NameRules, PartialKeeper, Toucher):
    """Files, directories and symbolic links in memory. Thread-safe."""

    def __init__(
        self, names: NamePolicy = POSIX_NAMES, *, digests: DigestMemory | None = None
    ) -> None:
        """Start empty; `digests` remembers the digests of the files."""
        self._names = names
        self._digests = digests
        self._root = _Folder()
        self._revision = 0
        self._lock = RLock()
        self._locks = ThreadLocks()
        self._kept: dict[tuple[SafePath | None, Digest], Content] = {}
        self._resumed: set[tuple[SafePath | None, Digest]] = set()

    @property
    def digests(self) -> DigestMemory | None:
        """The memory of the files' digests; None if there is none."""
        return self._digests

    @property
    def names(self) -> NamePolicy:
        """The rules for names."""
        return self._names

    def entry(self, path: SafePath) -> FileEntry | None:
        """Return the entry at `path`, or None."""
        with self._lock:
            node = self._find(path)
            return None if node is None else _entry(path, node)

    def entries(self, path: SafePath | None = None) -> Iterator[FileEntry]:
        """Iterate over the entries directly in a directory, sorted by name."""
        with self._lock:
            folder = self._root if path is None else self._find(path)
            if isinstance(folder, _Link):
                raise UnsafePathError(str(path), "it is a symbolic link")
            if not isinstance(folder, _Folder):
                raise NotFoundError(f"directory {str(path)!r}", "the folder")
            found = [
                _entry(path / sanitize_path(name) if path else sanitize_path(name), node)
                for name, node in sorted(folder.children.items())
            ]
        return iter(found)

    def open(self, path: SafePath) -> ByteStream:
        """Open a file for reading."""
        with self._lock:
            node = self._find(path)
        if node is None:
            raise NotFoundError(f"file {str(path)!r}", "the folder")
        if isinstance(node, _Link):
            raise UnsafePathError(str(path), "it is a symbolic link")
        if isinstance(node, _Folder):
            raise FileAccessError("open", str(path), "it is not a regular file")
        return node.content.open()

    def create(self, path: SafePath, *, executable: bool = False) -> PendingFile:
        """Begin to write a file."""
        with self._lock:
            parent = self._make_parent(path, "create")
            _refuse(path, parent.children.get(path.name), _File)
        return _PendingFile(self, path, executable=executable)

    def resume(self, path: SafePath, content: Digest) -> ResumableFile | None:
        """Begin to write a file, or resume the partial file of `content`."""
        with self._lock:
            parent = self._make_parent(path, "create")
            _refuse(path, parent.children.get(path.name), _File)
            key = _parent_of(path), content
            if key in self._resumed:
                return None
            self._resumed.add(key)
            return _ResumableFile(self, path, content, self._kept.get(key, Content()))

    def forget(self, path: SafePath, content: Digest) -> None:
        """Remove the partial file of `content` beside `path`, unless it is in use."""
        with self._lock:
            key = _parent_of(path), content
            if key not in self._resumed:
                self._kept.pop(key, None)

    def create_directory(self, path: SafePath) -> PendingDirectory:
        """Begin to fill a directory."""
        with self._lock:
            if path.parts:
                parent = self._make_parent(path, "create")
                _refuse(path, parent.children.get(path.name), _Folder)
        return _PendingDirectory(self, path)

    def make_directory(self, path: SafePath) -> None:
        """Make a directory, and its parents."""
        with self._lock:
            parent = self._make_parent(path, "create")
            _refuse(path, parent.children.get(path.name), _Folder)
            parent.children.setdefault(path.name, _Folder())

    def make_symlink(self, path: SafePath, target: str) -> None:
        """Make a symbolic link to `target`, replacing a file or link."""
        with self._lock:
            parent = self._make_parent(path, "link")
            _refuse(path, parent.children.get(path.name), _File, _Link)
            parent.children[path.name] = _Link(target)

    def link(self, path: SafePath, source: SafePath) -> None:
        """Give the file at `source` the second name `path`."""
        with self._lock:
            node = self._find(source)
            if node is None:
                raise NotFoundError(f"file {str(source)!r}", "the folder")
            _refuse(source, node, _File)
            parent = self._make_parent(path, "link")
            _refuse(path, parent.children.get(path.name), _File)
            parent.children[path.name] = node

    def touch(self, path: SafePath) -> None:
        """Record the use of a file."""
        with self._lock:
            node = self._find(path)
            if not isinstance(node, _File):
                raise NotFoundError(f"file {str(path)!r}", "the folder")
            node.revision = self._next_revision()

    def remove(self, path: SafePath) -> None:
        """Remove a file, a link or an empty directory."""
        with self._lock:
            node = self._find(path)
            if node is None:
                return
            if isinstance(node, _Folder) and node.children:
                raise FileAccessError("remove", str(path), "the directory is not empty")
            del self._make_parent(path, "remove").children[path.name]

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None at once."""
        return self._locks.try_lock(path, shared=shared)

    def _put_file(self, path: SafePath, content: Content, *, executable: bool) -> None:
        with self._lock:
            parent = self._make_parent(path, "create")
            _refuse(path, parent.children.get(path.name), _File)
            parent.children[path.name] = _File(content, executable, self._next_revision())

    def _next_revision(self) -> str:
        self._revision += 1
        return str(self._revision)

    def _leave_off(self, path: SafePath, content: Digest, kept: Content) -> None:
        with self._lock:
            key = _parent_of(path), content
            self._resumed.discard(key)
            self._kept.pop(key, None)
            if kept.size:
                self._kept[key] = kept

    def _put_directory(self, path: SafePath, filled: MemoryFileTree) -> None:
        with self._lock:
            if not path.parts:
                _check_merge(path, filled._root, self._root)
                self._merged(filled._root, self._root)
                return
            parent = self._make_parent(path, "create")
            there = parent.children.get(path.name)
            _check_merge(path, filled._root, there)
            parent.children[path.name] = self._merged(filled._root, there)

    def _merged(self, new: _Node, old: _Node | None) -> _Node:
        if isinstance(new, _File):
            # The revisions of the tree that the file comes from are not ours.
            return _File(new.content, new.executable, self._next_revision())
        if isinstance(new, _Link):
            return new
        merged = old if isinstance(old, _Folder) else _Folder()
        for name, node in new.children.items():
            merged.children[name] = self._merged(node, merged.children.get(name))
        return merged

    def _find(self, path: SafePath) -> _Node | None:
        node: _Node | None = self._root
        for part in path.parts:
            if isinstance(node, _Link):
                raise UnsafePathError(str(path), "the path leads through a symbolic link")
            if not isinstance(node, _Folder):
                return None
            node = node.children.get(part)
        return node

    def _make_parent(self, path: SafePath, operation: str) -> _Folder:
        folder = self._root
        for part in path.parts[:-1]:
            node = folder.children.setdefault(part, _Folder())
            if isinstance(node, _Link):
                raise UnsafePathError(str(path), f"{part!r} is a symbolic link")
            if isinstance(node, _File):
                raise FileAccessError(operation, str(path), f"{part!r} is not a directory")
            folder = node
        return folder


def _parent_of(path: SafePath) -> SafePath | None:
    return sanitize_path("/".join(path.parts[:-1])) if path.parts[:-1] else None


def _entry(path: SafePath, node: _Node) -> FileEntry:
    if isinstance(node, _File):
        return FileEntry(
            path,
            "file",
            size=node.content.size,
            executable=node.executable,
            revision=node.revision,
            changed_at=int(node.revision),  # long ago: each change has a revision of its own
        )
    if isinstance(node, _Link):
        return FileEntry(path, "symlink", link_target=node.target)
    return FileEntry(path, "directory")


def _check_merge(path: SafePath, new: _Node, old: _Node | None) -> None:
    """Check for conflicts before any change.

    Raises:
        UnsafePathError: if an entry would replace one of another kind.
    """
    if isinstance(new, _File):
        _refuse(path, old, _File)
    elif isinstance(new, _Link):
        _refuse(path, old, _File, _Link)
    else:
        _refuse(path, old, _Folder)
        if isinstance(old, _Folder):
            for name, node in new.children.items():
                _check_merge(path / sanitize_path(name), node, old.children.get(name))


class _PendingFile(CloningFile):
    def __init__(self, tree: MemoryFileTree, path: SafePath, *, executable: bool) -> None:
        self._tree = tree
        self._path = path
        self._executable = executable
        self._buffer = ContentBuffer()

    def write(self, data: bytes, /) -> None:
        """Append `data`."""
        self._buffer.write(data)

    def clone(self, file: ByteStream, size: int) -> ByteStream | None:
        """Fill the empty file with the bytes of a file in memory, which both share."""
        if not isinstance(file, ContentStream) or file.content.size != size:
            return None
        self._buffer = ContentBuffer(file.content)
        return file.content.open()

    def restart(self) -> None:
        """Discard all bytes."""
        self._buffer.clear()

    def commit(self) -> None:
        """Give the file its name."""
        content = self._buffer.content()
        self._tree._put_file(self._path, content, executable=self._executable)  # noqa: SLF001 - the tree's own other half

    def __enter__(self) -> PendingFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard everything that was not committed."""


class _ResumableFile(_PendingFile, ResumableFile):
    def __init__(
        self, tree: MemoryFileTree, path: SafePath, content: Digest, kept: Content
    ) -> None:
        super().__init__(tree, path, executable=False)
        self._digest = content
        self._beginning = kept
        self._buffer = ContentBuffer(kept)

    @property
    def kept(self) -> int:
        """Number of bytes kept from an earlier attempt."""
        return self._beginning.size

    def reread(self) -> ByteStream:
        """Open a stream of the kept bytes."""
        return self._beginning.open()

    def restart(self) -> None:
        """Discard the kept and the written bytes."""
        self._beginning = Content()
        super().restart()

    def commit(self) -> None:
        """Give the file its name."""
        super().commit()
        self._buffer.clear()

    def __enter__(self) -> ResumableFile:
        """Return the file itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Keep the written bytes for a later attempt, unless they were committed."""
        self._tree._leave_off(self._path, self._digest, self._buffer.content())  # noqa: SLF001 - the tree's own other half


class _PendingDirectory(PendingDirectory):
    def __init__(self, parent: MemoryFileTree, path: SafePath) -> None:
        self._parent = parent
        self._path = path
        self._tree = MemoryFileTree(parent.names)

    @property
    def tree(self) -> FileTree:
        """The inside of the directory."""
        return self._tree

    def commit(self) -> None:
        """Put the directory under its name."""
        self._parent._put_directory(self._path, self._tree)  # noqa: SLF001 - the tree's own other half

    def __enter__(self) -> PendingDirectory:
        """Return the directory itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Discard everything that was not committed."""
