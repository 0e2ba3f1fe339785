"""A folder of files as a target: a title is a path in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from threading import Lock
from typing import TYPE_CHECKING

from oras_core.content.sources import FetchedSource, FileSource
from oras_core.content.verify import VerifyingReader, hash_source
from oras_core.errors import AlreadyExistsError, NotFoundError, SourceChangedError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.files import FileTree
from oras_core.stores.memory import MemoryStore
from oras_core.stores.resuming import forget_beginning, write_file

if TYPE_CHECKING:
    from oras_core.ports.compression import Compression

__all__ = ["FileStore", "is_marked_for_unpacking"]


def is_marked_for_unpacking(descriptor: Descriptor) -> bool:
    """Tell whether the content says of itself that it is a packed directory."""
    return descriptor.annotations.get(media_types.ANNOTATION_UNPACK) == "true"


class FileStore:
    """Writes content with a title as a file or folder of that name. Thread-safe.

    A title becomes a path before a byte is asked for. A file appears under its name only
    when size and digest agree; until then an older file stays. Large content whose transfer
    breaks off is continued by the next push, where tree and source can do that. Content
    without a title, manifests above all, is kept in memory.
    """

    def __init__(
        self,
        tree: FileTree,
        *,
        unpacks: Callable[[Descriptor], bool] = is_marked_for_unpacking,
        limits: Limits | None = None,
        compressions: Callable[[], Sequence[Compression]] = tuple,
    ) -> None:
        """Write into `tree`.

        Args:
            tree: the folder.
            unpacks: which content is a packed directory, to be unpacked.
            limits: bounds of what is unpacked.
            compressions: returns what a packed directory may be compressed by, besides gzip
                by the standard library.
        """
        self._tree = tree
        self._unpacks = unpacks
        self._limits = limits or Limits()
        self._compressions = compressions
        self._untitled = MemoryStore(limit=self._limits.manifest_size)
        self._titles: dict[SafePath, Digest] = {}
        self._placed: dict[SafePath, Digest] = {}
        self._files: dict[Digest, SafePath] = {}
        self._lock = Lock()

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the content is here, under its title if it has one.

        A file that lay there before counts if its bytes hash to the digest. Of an unpacked
        directory that cannot be told.
        """
        path = _path_of(descriptor)
        if path is None:
            return self._untitled.exists(descriptor)
        return self._has(descriptor, path)

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of content that is here.

        Raises:
            NotFoundError: if it is not, or is here only as an unpacked directory.
        """
        with self._lock:
            path = self._files.get(descriptor.digest)
        return self._untitled.fetch(descriptor) if path is None else self._tree.open(path)

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Write the content under its title, replacing an older file.

        Raises:
            UnsafePathError: if the title leads out of the folder.
            AlreadyExistsError: if other content of this artifact has the same title.
            ContentError: if the bytes are not what `descriptor` promises.
            UnsafeArchiveError: if a packed directory holds what may not be unpacked.
        """
        path = _path_of(descriptor)
        if path is None:
            self._untitled.push(descriptor, source)
            return
        self._claim(descriptor, path)
        if self._has(descriptor, path):
            return
        if self._unpacks(descriptor):
            self._unpack(descriptor, source, path)
        else:
            self._write(descriptor, source, path)
        with self._lock:
            self._placed[path] = descriptor.digest

    def place(self, descriptor: Descriptor) -> None:
        """Write content that is here under a further title.

        Raises: as `push`, and `NotFoundError` if the content is not here.
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
        """Return the descriptor of what a tag or digest names; of content without title."""
        return self._untitled.resolve(reference)

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Let `reference` name content without title, for the life of this store."""
        self._untitled.tag(descriptor, reference)

    def _claim(self, descriptor: Descriptor, path: SafePath) -> None:
        """Reserve the title, so that two contents never race for one name."""
        with self._lock:
            if self._titles.setdefault(path, descriptor.digest) != descriptor.digest:
                raise AlreadyExistsError(f"{str(path)!r}", "the artifact under another digest")

    def _has(self, descriptor: Descriptor, path: SafePath) -> bool:
        with self._lock:
            if self._placed.get(path) == descriptor.digest:
                return True
        return not self._unpacks(descriptor) and self._found(descriptor, path)

    def _found(self, descriptor: Descriptor, path: SafePath) -> bool:
        """Tell whether the right bytes lie at `path` already, and note it."""
        entry = self._tree.entry(path)
        if entry is None or entry.kind != "file" or entry.size != descriptor.size:
            return False
        try:
            digest, _ = hash_source(FileSource(self._tree, path), descriptor.digest.algorithm)
        except (NotFoundError, SourceChangedError):  # somebody else is at it
            return False
        if digest != descriptor.digest:
            return False
        with self._lock:
            self._files.setdefault(digest, path)
        forget_beginning(self._tree, path, descriptor)
        return True

    def _write(self, descriptor: Descriptor, source: ByteSource, path: SafePath) -> None:
        write_file(self._tree, path, descriptor, source)
        with self._lock:
            self._files.setdefault(descriptor.digest, path)

    def _unpack(self, descriptor: Descriptor, source: ByteSource, path: SafePath) -> None:
        from oras_core.archives.archive import unpack  # noqa: PLC0415 - few pulls have a directory

        text = descriptor.annotations.get(media_types.ANNOTATION_CONTENT_DIGEST)
        tar_digest = Digest.parse(text) if text else None
        with (
            self._tree.create_directory(path) as directory,
            closing(VerifyingReader(source.open(), descriptor)) as stream,
        ):
            unpack(
                stream,
                directory.tree,
                prefix=path,
                limits=self._limits,
                tar_digest=tar_digest,
                compressions=self._compressions(),
            )
            directory.commit()


def _path_of(descriptor: Descriptor) -> SafePath | None:
    return None if descriptor.title is None else sanitize_path(descriptor.title)
