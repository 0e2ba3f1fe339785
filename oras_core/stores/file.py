"""A folder of files as a target: the title of a blob is its path."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Final

from oras_core.content.known_digests import begin_hashing, known_digest
from oras_core.content.sources import FetchedSource, FileSource
from oras_core.content.verify import VerifyingReader, hash_source
from oras_core.errors import (
    AlreadyExistsError,
    FileAccessError,
    NotFoundError,
    SourceChangedError,
    UnsafePathError,
)
from oras_core.forks import ForkSafeLock
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.globs import PathSelection
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_folder, sanitize_path
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.files import FileTree, names_of
from oras_core.stores.memory import MemoryStore
from oras_core.stores.resuming import forget_partial, write_file

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["FileStore", "is_marked_for_unpacking"]

SMALL_SIZE: Final = 64 * 1024
"""Bytes of the largest file that takes less time to hash than to pass to another thread."""


def is_marked_for_unpacking(descriptor: Descriptor) -> bool:
    """Tell whether the annotations mark the blob as a packed directory."""
    return descriptor.annotations.get(media_types.ANNOTATION_UNPACK) == "true"


class FileStore:
    """Writes each blob with a title to a file or folder of that name. Thread-safe.

    Titles are checked before any byte is requested. A file appears under its name once size
    and digest match; until then an older file stays. The next push of a large blob resumes an
    interrupted transfer, if the folder and the source support it. Blobs without a title, and
    manifests, are kept in memory.
    """

    def __init__(
        self,
        tree: FileTree,
        *,
        unpacks: Callable[[Descriptor], bool] = is_marked_for_unpacking,
        limits: Limits | None = None,
        compressions: Callable[[], Sequence[Compression]] = tuple,
        paths: PathSelection | None = None,
    ) -> None:
        """Write into `tree`.

        Args:
            tree: the folder.
            unpacks: tells whether to unpack a blob as a directory.
            limits: bounds of unpacked archives.
            compressions: returns the compressions accepted for packed directories, besides
                gzip of the standard library.
            paths: selects the members of packed directories by title and path; None for all.
        """
        self._tree = tree
        self._unpacks = unpacks
        self._limits = limits or Limits()
        self._compressions = compressions
        self._paths = paths or PathSelection()
        self._untitled = MemoryStore(limit=self._limits.manifest_size)
        self._titles: dict[SafePath, Digest] = {}
        self._placed: dict[SafePath, Digest] = {}
        self._files: dict[Digest, SafePath] = {}
        self._left_out: set[SafePath] = set()
        self._lock = ForkSafeLock()

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is present, under its title if it has one.

        An earlier file counts if its bytes match the digest. An earlier unpacked directory
        does not count, since it has no digest.
        """
        path = self._path_of(descriptor)
        if path is None:
            return self._untitled.exists(descriptor)
        return self._has(descriptor, path)

    def has_small(self, descriptor: Descriptor) -> bool:
        """Tell whether a small file is present under its title, and reserve the title.

        See `LocalStorage`.
        """
        if descriptor.size > SMALL_SIZE:
            return False
        try:
            path = self._path_of(descriptor)
            return path is not None and self._is_present(descriptor, path)
        except (AlreadyExistsError, FileAccessError, UnsafePathError):
            return False  # `push` raises it

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of a blob.

        Raises:
            NotFoundError: if the blob is missing, or present only as an unpacked directory.
        """
        with self._lock:
            path = self._files.get(descriptor.digest)
        return self._untitled.fetch(descriptor) if path is None else self._tree.open(path)

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Write a blob under its title, replacing an older file.

        Raises:
            UnsafePathError: if the title is a path outside the folder.
            AlreadyExistsError: if another blob of this artifact has the same title.
            ContentError: if the bytes do not match `descriptor`.
            UnsafeArchiveError: if a packed directory has an unsafe member.
        """
        path = self._path_of(descriptor)
        if path is None:
            self._untitled.push(descriptor, source)
            return
        if self._is_present(descriptor, path):
            return
        if self._unpacks(descriptor):
            self._unpack(descriptor, source, path)
        else:
            self._write(descriptor, source, path)
        with self._lock:
            self._placed[path] = descriptor.digest

    def place(self, descriptor: Descriptor) -> None:
        """Write a present blob under a further title.

        Raises: as `push`, and `NotFoundError` if the blob is missing.
        """
        with self._lock:
            path = self._files.get(descriptor.digest)
        if path is not None:
            self.push(descriptor, FileSource(self._tree, path))
        elif self._untitled.exists(descriptor):
            self.push(descriptor, FetchedSource(self._untitled, descriptor))
        else:
            raise NotFoundError(str(descriptor), "the folder")

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor for a tag or digest; only of manifests and untitled blobs."""
        return self._untitled.resolve(reference)

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Tag a manifest or untitled blob, for the lifetime of this store."""
        self._untitled.tag(descriptor, reference)

    @property
    def left_out(self) -> frozenset[SafePath]:
        """The paths of directories that have no selected member."""
        with self._lock:
            return frozenset(self._left_out)

    def _path_of(self, descriptor: Descriptor) -> SafePath | None:
        if descriptor.title is None:
            return None
        sanitize = sanitize_folder if self._unpacks(descriptor) else sanitize_path
        path = sanitize(descriptor.title)
        names_of(self._tree).check(path)
        return path

    def _is_present(self, descriptor: Descriptor, path: SafePath) -> bool:
        """Reserve the title, so that two blobs never race for one name; then look for the blob."""
        with self._lock:
            if self._titles.setdefault(path, descriptor.digest) != descriptor.digest:
                raise AlreadyExistsError(f"{str(path)!r}", "the artifact with another digest")
        return self._has(descriptor, path)

    def _has(self, descriptor: Descriptor, path: SafePath) -> bool:
        with self._lock:
            if self._placed.get(path) == descriptor.digest:
                return True
        return not self._unpacks(descriptor) and self._found(descriptor, path)

    def _found(self, descriptor: Descriptor, path: SafePath) -> bool:
        """Tell whether the file at `path` matches the digest, and remember it."""
        entry = self._tree.entry(path)
        if entry is None or entry.kind != "file":
            return False
        if entry.size != descriptor.size:
            # Whether a file that cannot be read is replaced must not depend on its size.
            self._tree.open(path).close()
            return False
        algorithm = descriptor.digest.algorithm
        try:
            source = FileSource(self._tree, path, entry=entry)
            digest = known_digest(source, algorithm)
            if digest is None:
                remember = begin_hashing(source)
                digest, _ = hash_source(source, algorithm)
                remember(digest)
        except (NotFoundError, SourceChangedError):  # another process changes the file
            return False
        if digest != descriptor.digest:
            return False
        with self._lock:
            self._files.setdefault(digest, path)
        forget_partial(self._tree, path, descriptor)
        return True

    def _write(self, descriptor: Descriptor, source: ByteSource, path: SafePath) -> None:
        write_file(self._tree, path, descriptor, source)
        with self._lock:
            self._files.setdefault(descriptor.digest, path)

    def _unpack(self, descriptor: Descriptor, source: ByteSource, path: SafePath) -> None:
        from oras_core.archives.archive import unpack  # noqa: PLC0415 - few pulls unpack a directory

        text = descriptor.annotations.get(media_types.ANNOTATION_CONTENT_DIGEST)
        tar_digest = Digest.parse(text) if text else None
        with (
            self._tree.create_directory(path) as directory,
            closing(VerifyingReader(source.open(), descriptor)) as stream,
        ):
            selects = self._paths.within("/".join(path.parts))
            count = unpack(
                stream,
                directory.tree,
                prefix=path,
                limits=self._limits,
                tar_digest=tar_digest,
                compressions=self._compressions(),
                selects=selects,
            )
            if count or selects is None:
                directory.commit()
                return
        with self._lock:
            self._left_out.add(path)
