"""Short helpers that the contracts of targets share."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import closing
from typing import Final

from oras_core.content.sources import BytesSource
from oras_core.errors import NotFoundError
from oras_core.model import media_types
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.index import Index
from oras_core.model.manifest import Manifest
from oras_core.packing.manifest import pack_manifest
from oras_core.ports.content import ByteStream, Fetcher, Pusher

__all__ = [
    "LAYER",
    "BreakingSource",
    "CountingSource",
    "digests",
    "push_artifact",
    "push_blob",
    "push_document",
    "read",
]

LAYER: Final = "application/vnd.example.layer"


class CountingSource:
    """A source that records its streams.

    Attributes:
        streams: all streams that were opened, `io.BytesIO`.
    """

    def __init__(self, content: bytes, *, size: int | None = None) -> None:
        """Return `content` from each stream; `size` replaces the true size if given."""
        self._content = content
        self.size: int | None = len(content) if size is None else size
        self.streams: list[io.BytesIO] = []

    def open(self) -> ByteStream:
        """Open a stream at the first byte."""
        stream = io.BytesIO(self._content)
        self.streams.append(stream)
        return stream


class BreakingSource:
    """A source that fails with an error of its own."""

    def __init__(self, size: int) -> None:
        """Claim a size of `size` bytes."""
        self.size: int | None = size

    def open(self) -> ByteStream:
        """Open a stream that fails after its first byte."""
        return _BreakingStream()


class _BreakingStream:
    def __init__(self) -> None:
        self._begun = False

    def read(self, size: int = -1, /) -> bytes:
        if self._begun:
            raise NotFoundError("the rest", "the source")
        self._begun = True
        return b"x"[:size] if size >= 0 else b"x"

    def close(self) -> None:
        pass


def read(fetcher: Fetcher, descriptor: Descriptor) -> bytes:
    """Return all bytes of a descriptor."""
    with closing(fetcher.fetch(descriptor)) as stream:
        return stream.read()


def push_blob(pusher: Pusher, content: bytes) -> Descriptor:
    """Push a blob and return its descriptor."""
    descriptor = Descriptor.of(content, LAYER)
    pusher.push(descriptor, BytesSource(content))
    return descriptor


def push_document(pusher: Pusher, document: Manifest | Index) -> Descriptor:
    """Push a manifest or index alone, and return its descriptor."""
    descriptor = document.descriptor.plain()
    pusher.push(descriptor, BytesSource(document.content))
    return descriptor


def push_artifact(pusher: Pusher, *layers: bytes, subject: Descriptor | None = None) -> Manifest:
    """Push an artifact, leaves first, and return its manifest."""
    manifest = pack_manifest(
        [push_blob(pusher, layer) for layer in layers],
        artifact_type="application/vnd.example",
        subject=subject,
    )
    pusher.push(manifest.config.plain(), BytesSource(media_types.EMPTY_CONFIG))
    push_document(pusher, manifest)
    return manifest


def digests(descriptors: Iterable[Descriptor]) -> list[Digest]:
    """Return the digests, sorted as text."""
    return sorted((descriptor.digest for descriptor in descriptors), key=str)
