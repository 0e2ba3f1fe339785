"""Uploads in one request, resumed in chunks after a failure (R14, R17)."""

from __future__ import annotations

from oras_core.errors import RegistryError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.registry.blobs.chunked import send_chunks
from oras_core.registry.blobs.session import UploadSession
from oras_core.registry.blobs.verified_source import VerifiedSource

__all__ = ["send_whole"]


def send_whole(
    session: UploadSession,
    descriptor: Descriptor,
    source: VerifiedSource,
    chunk_size: int | None,
) -> None:
    """Send `source` in the request that completes the upload.

    If the connection fails, the rest is sent in chunks from the offset that the registry reports.

    Args:
        session: the upload.
        descriptor: the descriptor of the blob.
        source: the bytes of the blob.
        chunk_size: the size of a chunk in bytes; None if the registry takes no chunks. Then
            an upload that was interrupted is lost.

    Raises:
        RegistryError: if the registry refuses.
        TransportError: if the connection fails repeatedly, or the upload was lost with it.
        ContentError: if the source does not match the descriptor.
    """
    try:
        session.finish(descriptor.digest, source)
    except (TransportError, RegistryError) as broken:
        held = session.held_after(broken, descriptor.size)
        if chunk_size is None:
            raise session.lose(broken) from broken.__cause__
        send_chunks(session, descriptor, source, chunk_size, start=held)
