"""The files of an OCI image layout: the marker, the index, the blobs (image-layout.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from oras_core.errors import InvalidDigestError, InvalidManifestError, NotFoundError, SizeLimitError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import HEX_LENGTH, Digest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.files import FileEntry, FileTree, PartialRemover
from oras_core.stores.filling import fill_file
from oras_core.stores.layout.index import MAX_INDEX_SIZE, LayoutIndex

__all__ = ["INDEX_NAME", "LAYOUT_VERSION", "MARKER_NAME", "LayoutFiles", "blob_path"]

LAYOUT_VERSION: Final = "1.0.0"
"""The only version of the specification (image-layout.md, oci-layout file)."""

MARKER_NAME: Final = "oci-layout"
INDEX_NAME: Final = "index.json"

MAX_MARKER_SIZE: Final = 64 * 1024
"""Largest accepted `oci-layout` file, in bytes: it holds one short object."""


def blob_path(digest: Digest) -> SafePath:
    """Return the path of the blob with `digest`, in a layout."""
    return sanitize_path(f"blobs/{digest.algorithm}/{digest.encoded}")


class LayoutFiles:
    """Reads and writes the files of one layout. Thread-safe as the `FileTree` is."""

    def __init__(self, tree: FileTree) -> None:
        """Use the layout in `tree`; read nothing yet."""
        self._tree = tree
        self._marker = sanitize_path(MARKER_NAME)
        self._index = sanitize_path(INDEX_NAME)

    # --- The index ------------------------------------------------------------------------

    @property
    def revision(self) -> str:
        """A text that changes when the index has changed; empty without an index.

        Two changes within one tick of the file system's clock may give the same text.
        """
        entry = self._tree.entry(self._index)
        return "" if entry is None else f"{entry.revision}/{entry.size}"

    def read_index(self) -> LayoutIndex:
        """Return the index; an empty one if the folder holds no layout yet.

        Raises:
            InvalidManifestError: if the folder holds a damaged layout, or one of another
                version.
        """
        exists = self._tree.entry(self._index) is not None
        self._check_marker(required=exists)
        if not exists:
            return LayoutIndex()
        try:
            return LayoutIndex.parse(self._read(self._index, MAX_INDEX_SIZE))
        except InvalidManifestError as error:
            place = ": ".join(filter(None, (INDEX_NAME, error.location)))
            raise InvalidManifestError(error.reason, location=place) from error

    def write_index(self, index: LayoutIndex) -> None:
        """Replace the index atomically."""
        self._write(self._index, index.encode())

    def prepare(self) -> None:
        """Turn the folder into a layout, unless it is one."""
        if self._tree.entry(self._index) is not None:
            return
        # The marker comes first: a folder with an index but no marker is refused.
        if self._tree.entry(self._marker) is None:
            self._write(self._marker, self.marker())
        self._tree.make_directory(sanitize_path("blobs"))
        self.write_index(LayoutIndex())

    def marker(self) -> bytes:
        """Return the bytes of the `oci-layout` file."""
        return json.dumps({"imageLayoutVersion": LAYOUT_VERSION}).encode()

    def _check_marker(self, *, required: bool) -> None:
        """Check the `oci-layout` file.

        Raises:
            InvalidManifestError: if it is missing but required, or has another version.
        """
        try:
            members = _parse_object(self._read(self._marker, MAX_MARKER_SIZE), MARKER_NAME)
        except NotFoundError:
            if required:
                raise InvalidManifestError(
                    "not an OCI image layout: the file is missing",
                    location=MARKER_NAME,
                ) from None
            return
        version = members.get("imageLayoutVersion")
        if version != LAYOUT_VERSION:
            reason = f"imageLayoutVersion is {version!r}, only {LAYOUT_VERSION!r} is supported"
            raise InvalidManifestError(reason, location=MARKER_NAME)

    # --- Blobs ----------------------------------------------------------------------------

    def blob(self, digest: Digest) -> FileEntry | None:
        """Return the file of a blob; None if there is none."""
        entry = self._tree.entry(blob_path(digest))
        return entry if entry is not None and entry.kind == "file" else None

    def blobs(self) -> Iterator[tuple[Digest, FileEntry]]:
        """Iterate over all blobs; files whose name is not a digest are left out."""
        for algorithm in HEX_LENGTH:
            try:
                entries = self._tree.entries(sanitize_path(f"blobs/{algorithm}"))
            except NotFoundError:
                continue
            for entry in entries:
                try:
                    digest = Digest(algorithm, entry.path.name)
                except InvalidDigestError:
                    continue
                if entry.kind == "file":
                    yield digest, entry

    def open_blob(self, digest: Digest) -> ByteStream:
        """Return a stream of a blob, not verified.

        Raises:
            NotFoundError: if the layout has no such blob.
            UnsafePathError: if its path is a symbolic link.
        """
        return self._tree.open(blob_path(digest))

    def add_blob(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Write a blob, and verify it.

        Raises:
            ContentError: if the bytes do not match `descriptor`; nothing is kept then.
        """
        with self._tree.create(blob_path(descriptor.digest)) as file:
            fill_file(file, descriptor, source)
            file.commit()

    def add_verified(self, digest: Digest, content: bytes) -> None:
        """Write a blob that the caller has verified."""
        self._write(blob_path(digest), content)

    def remove_blob(self, digest: Digest) -> None:
        """Remove a blob; a missing blob is not an error."""
        self._tree.remove(blob_path(digest))

    def remove_partials(self) -> None:
        """Remove the partial files of killed processes; the caller excludes all writers."""
        if isinstance(self._tree, PartialRemover):
            self._tree.remove_partials()
            for algorithm in HEX_LENGTH:
                self._tree.remove_partials(sanitize_path(f"blobs/{algorithm}"))

    def _read(self, path: SafePath, limit: int) -> bytes:
        with closing(self._tree.open(path)) as stream:
            content = bytearray()
            while chunk := stream.read(limit + 1 - len(content)):
                content += chunk
                if len(content) > limit:
                    raise SizeLimitError(f"file {str(path)!r}", limit)
        return bytes(content)

    def _write(self, path: SafePath, content: bytes) -> None:
        with self._tree.create(path) as file:
            file.write(content)
            file.commit()


def _parse_object(content: bytes, place: str) -> Mapping[str, Any]:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidManifestError("it is not JSON", location=place) from None
    if not isinstance(members, dict):
        raise InvalidManifestError("it is not a JSON object", location=place)
    return members
