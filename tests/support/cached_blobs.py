"""Blobs of a cache: their descriptors, their bytes, and their files."""

from __future__ import annotations

from contextlib import closing

from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileTree
from oras_core.stores.layout.files import blob_path


def blob(content: bytes, algorithm: str = "sha256") -> Descriptor:
    """Return the descriptor of a blob."""
    return Descriptor("application/octet-stream", Digest.of(content, algorithm), len(content))


def read(stream: ByteStream) -> bytes:
    """Read a stream, and close it."""
    with closing(stream):
        return stream.read()


def damage(tree: FileTree, descriptor: Descriptor, content: bytes) -> None:
    """Replace the file of a blob in the folder of a cache."""
    with tree.create(blob_path(descriptor.digest)) as file:
        file.write(content)
        file.commit()
