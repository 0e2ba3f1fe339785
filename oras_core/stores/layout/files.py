"""The files of an OCI image layout: the marker, the index, the content (image-layout.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, Final

from oras_core.content.verify import copy_verified
from oras_core.errors import InvalidDigestError, InvalidManifestError, NotFoundError, SizeLimitError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import HEX_LENGTH, Digest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileEntry, FileTree
from oras_core.stores.layout.index import MAX_INDEX_SIZE, LayoutIndex

__all__ = ["INDEX_NAME", "LAYOUT_VERSION", "MARKER_NAME", "LayoutFiles", "blob_path"]

LAYOUT_VERSION: Final = "1.0.0"
"""The one version that there is (image-layout.md, oci-layout file)."""

MARKER_NAME: Final = "oci-layout"
INDEX_NAME: Final = "index.json"

MAX_MARKER_SIZE: Final = 64 * 1024
"""Bytes of the file `oci-layout`: it holds one short object."""


def blob_path(digest: Digest) -> SafePath:
    """Return where in a layout the content of `digest` lies."""
    return sanitize_path(f"blobs/{digest.algorithm}/{digest.encoded}")


class LayoutFiles:
    """Reads and writes the files of one layout. Thread-safe as the `FileTree` is."""

    def __init__(self, tree: FileTree) -> None:
        """Use the layout in `tree`; nothing is read yet."""
        self._tree = tree
        self._marker = sanitize_path(MARKER_NAME)
        self._index = sanitize_path(INDEX_NAME)

    # --- The index ------------------------------------------------------------------------

    @property
    def revision(self) -> str:
        """Changes whenever the index may have; empty where there is none."""
        entry = self._tree.entry(self._index)
        return "" if entry is None else entry.revision

    def read_index(self) -> LayoutIndex:
        """Return the index; an empty one where there is none.

        Raises:
            InvalidManifestError: if the folder holds something else than a layout.
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
        """Put the index, whole, in place of the one that is there."""
        self._write(self._index, index.encode())

    def prepare(self) -> None:
        """Make a layout of a folder that is none yet."""
        if self._tree.entry(self._index) is not None:
            return
        # This order: a folder with an index and without the marker would be refused.
        if self._tree.entry(self._marker) is None:
            self._write(self._marker, self.marker())
        self._tree.make_directory(sanitize_path("blobs"))
        self.write_index(LayoutIndex())

    def marker(self) -> bytes:
        """Return the file that says that the folder is a layout."""
        return json.dumps({"imageLayoutVersion": LAYOUT_VERSION}).encode()

    def _check_marker(self, *, required: bool) -> None:
        """Make sure that the folder says that it is a layout.

        Raises:
            InvalidManifestError: if it does not, or is one of another version.
        """
        try:
            members = _parse_object(self._read(self._marker, MAX_MARKER_SIZE), MARKER_NAME)
        except NotFoundError:
            if required:
                raise InvalidManifestError(
                    "the folder is no OCI image layout, the file is missing", location=MARKER_NAME
                ) from None
            return
        version = members.get("imageLayoutVersion")
        if version != LAYOUT_VERSION:
            reason = f"imageLayoutVersion is {version!r}, only {LAYOUT_VERSION!r} is supported"
            raise InvalidManifestError(reason, location=MARKER_NAME)

    # --- Content --------------------------------------------------------------------------

    def blob(self, digest: Digest) -> FileEntry | None:
        """Return the file of the content; None if there is none."""
        entry = self._tree.entry(blob_path(digest))
        return entry if entry is not None and entry.kind == "file" else None

    def blobs(self) -> Iterator[tuple[Digest, FileEntry]]:
        """Iterate over all content; what has no digest for a name is left out."""
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
        """Return a stream of the content, not verified.

        Raises:
            NotFoundError: if it is not here.
            UnsafePathError: if a symbolic link lies in its place.
        """
        return self._tree.open(blob_path(digest))

    def add_blob(self, descriptor: Descriptor, stream: ByteStream) -> None:
        """Write the content, verified.

        Raises:
            ContentError: if it is not what `descriptor` promises; nothing is kept then.
        """
        with self._tree.create(blob_path(descriptor.digest)) as file:
            copy_verified(stream, descriptor, file.write)
            file.commit()

    def add_verified(self, digest: Digest, content: bytes) -> None:
        """Write content that the caller has verified."""
        self._write(blob_path(digest), content)

    def remove_blob(self, digest: Digest) -> None:
        """Remove the content; none being there is no error."""
        self._tree.remove(blob_path(digest))

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
