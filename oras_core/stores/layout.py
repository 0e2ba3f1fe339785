"""An OCI image layout, a folder that other tools read and write too, as a target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from threading import RLock
from typing import Any, Final

from attrs import field, frozen

from oras_core.content.graph import fetch_document
from oras_core.content.referrers import referrers_among
from oras_core.content.verify import VerifyingReader, copy_verified, read_verified
from oras_core.errors import (
    InvalidManifestError,
    InvalidReferenceError,
    NotFoundError,
    SizeLimitError,
)
from oras_core.model import codec
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.limits import Limits
from oras_core.model.manifest import Manifest
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.model.reference import is_tag
from oras_core.ports.content import (
    ByteSource,
    ByteStream,
    PredecessorFinder,
    ReferrerLister,
    TagLister,
    Target,
    Untagger,
)
from oras_core.ports.files import FileTree
from oras_core.stores.layout_index import MAX_INDEX_SIZE, LayoutIndex

__all__ = ["LAYOUT_VERSION", "OciLayoutStore", "blob_path"]

LAYOUT_VERSION: Final = "1.0.0"
"""The one version that there is (image-layout.md, oci-layout file)."""

MAX_MARKER_SIZE: Final = 64 * 1024
"""Bytes of the file `oci-layout`: it holds one short object."""


def blob_path(digest: Digest) -> SafePath:
    """Return where in a layout the content of `digest` lies."""
    return sanitize_path(f"blobs/{digest.algorithm}/{digest.encoded}")


@frozen
class _Graph:
    """What refers to what, of all that is reachable from the index."""

    descriptors: dict[Digest, Descriptor] = field(factory=dict)
    predecessors: dict[Digest, dict[Digest, Descriptor]] = field(factory=dict)

    def add(self, descriptor: Descriptor, document: Manifest | Index) -> None:
        self.descriptors[descriptor.digest] = descriptor
        for successor in document.successors:
            self.descriptors.setdefault(successor.digest, successor)
            self.predecessors.setdefault(successor.digest, {})[descriptor.digest] = descriptor


class OciLayoutStore(Target, TagLister, Untagger, PredecessorFinder, ReferrerLister):
    """Holds content in `blobs/ALGORITHM/HEX` and names it in `index.json`. Thread-safe.

    An empty folder becomes a layout when something is written. Files appear whole or not
    at all; content is verified when it is written and again when it is read. `index.json`
    lists every manifest that no other one there contains, with a tag or without. It is
    read again whenever it has changed; of two processes, or two stores, that change it in
    the same moment one may undo what the other did.
    """

    def __init__(self, tree: FileTree, *, limits: Limits | None = None) -> None:
        """Use the layout in `tree`; nothing is read yet.

        Args:
            tree: the folder.
            limits: bounds of the manifests that are read.
        """
        self._tree = tree
        self._manifest_size = (limits or Limits()).manifest_size
        self._marker_path = sanitize_path("oci-layout")
        self._index_path = sanitize_path("index.json")
        self._lock = RLock()
        self._seen: tuple[str, LayoutIndex] | None = None
        self._graph: _Graph | None = None

    # --- Content --------------------------------------------------------------------------

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the content is here: a file of its size under its digest.

        A manifest must also be found through the index, else nobody would find it again.

        Raises:
            InvalidManifestError: if the folder holds something else than a layout.
        """
        entry = self._tree.entry(blob_path(descriptor.digest))
        if entry is None or entry.kind != "file" or entry.size != descriptor.size:
            return False
        return not descriptor.has_successors or self._find(descriptor.digest) is not None

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the content, verified by its end.

        Raises:
            NotFoundError: if it is not here.
            UnsafePathError: if a symbolic link lies in its place.
        """
        try:
            stream = self._tree.open(blob_path(descriptor.digest))
        except NotFoundError as error:
            raise NotFoundError(str(descriptor), "the layout") from error
        return VerifyingReader(stream, descriptor)

    def push(self, descriptor: Descriptor, source: ByteSource) -> None:
        """Store content; a manifest is listed in the index too, without a tag.

        Raises:
            ContentError: if the bytes are not what `descriptor` promises.
            InvalidManifestError: if they should be a manifest and are none, or if the
                folder holds something else than a layout.
        """
        if self.exists(descriptor):
            return
        self._prepare()
        with closing(source.open()) as stream:
            if descriptor.has_successors:
                self._push_manifest(descriptor, stream)
                return
            with self._tree.create(blob_path(descriptor.digest)) as file:
                copy_verified(stream, descriptor, file.write)
                file.commit()

    def _push_manifest(self, descriptor: Descriptor, stream: ByteStream) -> None:
        content = read_verified(stream, descriptor, limit=self._manifest_size)
        document = codec.decode(content, descriptor.media_type, limit=self._manifest_size)
        self._write(blob_path(descriptor.digest), content)
        parts = document.manifests if isinstance(document, Index) else ()
        with self._lock:
            index = self._index().adding(descriptor, {part.digest for part in parts})
            self._replace_index(index)
            if self._graph is not None:
                self._graph.add(descriptor, document)

    # --- Names ----------------------------------------------------------------------------

    def resolve(self, reference: str) -> Descriptor:
        """Return the descriptor of what a name in the index or a digest names.

        Raises:
            NotFoundError: if there is none.
            InvalidDigestError: if it looks like a digest and is none.
            InvalidManifestError: if the folder holds something else than a layout.
        """
        with self._lock:
            found = self._index().find(reference)
            if found is None and ":" in reference:
                found = self._find(Digest.parse(reference))
        if found is None:
            raise NotFoundError(reference, "the layout")
        return found

    def tag(self, descriptor: Descriptor, reference: str) -> None:
        """Let the tag `reference` name the content.

        Raises:
            InvalidReferenceError: if it is no tag.
            NotFoundError: if the content is not here.
        """
        if not is_tag(reference):
            raise InvalidReferenceError(reference, "it is no tag")
        with self._lock:
            entry = self._tree.entry(blob_path(descriptor.digest))
            if entry is None:
                raise NotFoundError(str(descriptor), "the layout")
            self._replace_index(self._index().tagging(descriptor, reference))

    def untag(self, reference: str) -> None:
        """Remove a tag; the content stays listed.

        Raises:
            NotFoundError: if there is no such tag.
        """
        with self._lock:
            index = self._index()
            if index.find(reference) is None:
                raise NotFoundError(f"tag {reference}", "the layout")
            self._replace_index(index.untagging(reference))

    def tags(self) -> Iterator[str]:
        """Iterate over the tags, sorted; names of other tools that are no tags are left out."""
        with self._lock:
            return filter(is_tag, self._index().names)

    # --- The graph ------------------------------------------------------------------------

    def predecessors(self, descriptor: Descriptor) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes that refer to the content.

        Raises:
            ContentError: if a manifest in the layout is not what its digest promises.
            InvalidManifestError: if one is malformed.
        """
        with self._lock:
            found = self._whole_graph().predecessors.get(descriptor.digest, {})
            return iter(tuple(found.values()))

    def referrers(
        self, descriptor: Descriptor, artifact_type: str | None = None
    ) -> Iterator[Descriptor]:
        """Iterate over the manifests and indexes whose subject is `descriptor`.

        Raises: as `predecessors`.
        """
        found = self.predecessors(descriptor)
        return referrers_among(self, found, descriptor, artifact_type, limit=self._manifest_size)

    def _find(self, digest: Digest) -> Descriptor | None:
        """Return the descriptor of content that the index lists, or something listed has."""
        with self._lock:
            listed = self._index().listed(digest)
            return listed or self._whole_graph().descriptors.get(digest)

    def _whole_graph(self) -> _Graph:
        index = self._index()
        if self._graph is None:
            self._graph = self._walk(index)
        return self._graph

    def _walk(self, index: LayoutIndex) -> _Graph:
        graph = _Graph({found.digest: found for found in index.descriptors})
        todo, seen = list(index.descriptors), set[Digest]()
        while todo:
            descriptor = todo.pop()
            if descriptor.digest in seen or not descriptor.has_successors:
                continue
            seen.add(descriptor.digest)
            try:
                document = fetch_document(self, descriptor, limit=self._manifest_size)
            except NotFoundError:
                continue  # a layout need not hold all that it refers to (image-layout.md)
            graph.add(descriptor, document)
            todo.extend(document.successors)
        return graph

    # --- The files ------------------------------------------------------------------------

    def _index(self) -> LayoutIndex:
        """Return the index as it is now."""
        entry = self._tree.entry(self._index_path)
        revision = "" if entry is None else entry.revision
        if self._seen is None or self._seen[0] != revision:
            self._check_marker(required=entry is not None)
            index = LayoutIndex()
            if entry is not None:
                index = _parse_index(self._read(self._index_path, MAX_INDEX_SIZE))
            self._seen, self._graph = (revision, index), None
        return self._seen[1]

    def _replace_index(self, index: LayoutIndex) -> None:
        if self._seen is not None and index == self._seen[1]:
            return
        self._write(self._index_path, index.encode())
        entry = self._tree.entry(self._index_path)
        self._seen = (entry.revision, index) if entry is not None else None

    def _check_marker(self, *, required: bool) -> None:
        """Make sure that the folder says that it is a layout.

        Raises:
            InvalidManifestError: if it does not, or is one of another version.
        """
        place = str(self._marker_path)
        try:
            members = _parse_object(self._read(self._marker_path, MAX_MARKER_SIZE), place)
        except NotFoundError:
            if required:
                raise InvalidManifestError(
                    "the folder is no OCI image layout, the file is missing", location=place
                ) from None
            return
        version = members.get("imageLayoutVersion")
        if version != LAYOUT_VERSION:
            reason = f"imageLayoutVersion is {version!r}, only {LAYOUT_VERSION!r} is supported"
            raise InvalidManifestError(reason, location=place)

    def _prepare(self) -> None:
        """Make a layout of a folder that is none yet."""
        with self._lock:
            self._index()
            if self._tree.entry(self._index_path) is not None:
                return
            # This order: a folder with an index and without the marker would be refused.
            if self._tree.entry(self._marker_path) is None:
                marker = json.dumps({"imageLayoutVersion": LAYOUT_VERSION}).encode()
                self._write(self._marker_path, marker)
            self._tree.make_directory(sanitize_path("blobs"))
            self._write(self._index_path, LayoutIndex().encode())

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


def _parse_index(content: bytes) -> LayoutIndex:
    try:
        return LayoutIndex.parse(content)
    except InvalidManifestError as error:
        place = ": ".join(filter(None, ("index.json", error.location)))
        raise InvalidManifestError(error.reason, location=place) from error


def _parse_object(content: bytes, place: str) -> Mapping[str, Any]:
    try:
        members = json.loads(content)
    except (ValueError, RecursionError):
        raise InvalidManifestError("it is not JSON", location=place) from None
    if not isinstance(members, dict):
        raise InvalidManifestError("it is not a JSON object", location=place)
    return members
