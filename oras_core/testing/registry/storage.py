"""The storage of an embedded registry: an OCI image layout for each repository.

    NAME/oci-layout, NAME/index.json     the manifests and tags of the repository NAME
    NAME/blobs/ALGORITHM/HEX             its blobs and manifests
    _uploads/ID                          the bytes of an upload session

A part of NAME that a layout uses itself has `_` before it, such as `_blobs`. No part of a
repository name begins with `_`, so names and entries never collide.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from threading import Lock
from typing import Final

from oras_core.errors import DigestMismatchError, FileAccessError, NotFoundError
from oras_core.model.digest import Digest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileTree, Linker, PendingFile
from oras_core.stores.layout.files import INDEX_NAME, MARKER_NAME, blob_path
from oras_core.testing.registry.layouts import RepositoryLayout
from oras_core.testing.registry.subtree import Subtree

__all__ = ["EmbeddedStorage"]

COPIED: Final = 1024 * 1024
"""Bytes copied at a time where the folder has no hard links."""

BLOBS: Final = "blobs"
RESERVED: Final = frozenset({BLOBS, INDEX_NAME, MARKER_NAME})
UPLOADS: Final = sanitize_path("_uploads")


def _folder(repository: str) -> SafePath:
    parts = (f"_{part}" if part in RESERVED else part for part in repository.split("/"))
    return sanitize_path("/".join(parts))


class EmbeddedStorage:
    """The repositories and upload sessions of a registry. Thread-safe if the `FileTree` is."""

    def __init__(self, files: FileTree) -> None:
        """Store everything in `files`, and serve what it contains."""
        self._files = files
        self._lock = Lock()
        self._layouts: dict[str, RepositoryLayout] = {}

    # --- Repositories ---------------------------------------------------------------------

    def repository(self, name: str) -> RepositoryLayout:
        """Return a repository to read from, whether it exists or not."""
        with self._lock:
            if (layout := self._layouts.get(name)) is not None:
                return layout
        layout = self._layout(name)
        # One that does not exist is not kept: clients may ask for any number of names.
        return self._kept(name, layout) if layout.exists else layout

    def writable(self, name: str) -> RepositoryLayout:
        """Return a repository to write to, which exists then."""
        layout = self._kept(name, self._layout(name))
        layout.prepare()
        return layout

    def _layout(self, name: str) -> RepositoryLayout:
        return RepositoryLayout(Subtree(self._files, _folder(name)))

    def _kept(self, name: str, layout: RepositoryLayout) -> RepositoryLayout:
        with self._lock:
            return self._layouts.setdefault(name, layout)

    def repositories(self) -> list[str]:
        """Return the names of all repositories that have received a push, sorted."""
        return sorted(self._repositories_below(None))

    def _repositories_below(self, folder: SafePath | None) -> Iterator[str]:
        for path in self._folders(folder):
            if path.name == BLOBS or path == UPLOADS:
                continue
            if self._files.entry(path / sanitize_path(INDEX_NAME)) is not None:
                yield "/".join(part.removeprefix("_") for part in path.parts)
            yield from self._repositories_below(path)

    def _folders(self, folder: SafePath | None) -> list[SafePath]:
        try:
            entries = self._files.entries(folder)
            return [entry.path for entry in entries if entry.kind == "directory"]
        except NotFoundError:
            return []

    # --- Blobs ----------------------------------------------------------------------------

    def blob_size(self, repository: str, digest: Digest) -> int | None:
        """Return the size of a blob; None if the repository lacks it."""
        entry = self._files.entry(_folder(repository) / blob_path(digest))
        return None if entry is None else entry.size

    def open_blob(self, repository: str, digest: Digest) -> ByteStream:
        """Return a stream of a blob's bytes.

        Raises:
            NotFoundError: if the repository lacks the blob.
        """
        return self._files.open(_folder(repository) / blob_path(digest))

    def add_blob(self, repository: str, digest: Digest, chunks: Iterable[bytes]) -> None:
        """Store a blob if its bytes match `digest`.

        Raises:
            DigestMismatchError: if they do not match; nothing is stored.
        """
        self.writable(repository)
        hasher = digest.hasher()
        with self._files.create(_folder(repository) / blob_path(digest)) as file:
            for chunk in chunks:
                hasher.update(chunk)
                file.write(chunk)
            _verify(digest, hasher.hexdigest())
            file.commit()

    def mount_blob(self, repository: str, digest: Digest, source: str) -> None:
        """Store a blob that the repository `source` has.

        Raises:
            NotFoundError: if it was removed meanwhile.
        """
        self._place(_folder(source) / blob_path(digest), repository, digest)

    def remove_blob(self, repository: str, digest: Digest) -> None:
        """Remove a blob from one repository."""
        self._files.remove(_folder(repository) / blob_path(digest))

    def _place(self, path: SafePath, repository: str, digest: Digest) -> None:
        """Give a verified file the name of a blob, by a hard link if the folder has them."""
        self.writable(repository)
        target = _folder(repository) / blob_path(digest)
        if isinstance(self._files, Linker):
            with suppress(FileAccessError):  # some file systems have no links: copy
                self._files.link(target, path)
                return
        with self._files.create(target) as file:
            for chunk in self._chunks(path):
                file.write(chunk)
            file.commit()

    def _chunks(self, path: SafePath) -> Iterator[bytes]:
        with closing(self._files.open(path)) as stream:
            while chunk := stream.read(COPIED):
                yield chunk

    # --- Uploads --------------------------------------------------------------------------

    def create_upload(self, identifier: str) -> PendingFile:
        """Start to write the bytes of an upload session."""
        return self._files.create(UPLOADS / sanitize_path(identifier))

    def finish_upload(self, identifier: str, repository: str, digest: Digest, sha256: str) -> None:
        """Store the committed bytes of an upload session as a blob.

        Args:
            identifier: of the session.
            repository: receives the blob.
            digest: of the blob.
            sha256: the hash of the bytes, in hexadecimal digits.

        Raises:
            DigestMismatchError: if the bytes do not match `digest`; nothing is stored.
        """
        path = UPLOADS / sanitize_path(identifier)
        if digest.algorithm != "sha256":
            hasher = digest.hasher()
            for chunk in self._chunks(path):
                hasher.update(chunk)
            sha256 = hasher.hexdigest()
        _verify(digest, sha256)
        self._place(path, repository, digest)

    def remove_upload(self, identifier: str) -> None:
        """Remove the bytes of an upload session."""
        self._files.remove(UPLOADS / sanitize_path(identifier))


def _verify(digest: Digest, actual: str) -> None:
    if digest.encoded != actual:
        raise DigestMismatchError(str(digest), f"{digest.algorithm}:{actual}", what="the upload")
