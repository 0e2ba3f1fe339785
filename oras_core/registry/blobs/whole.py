"""Sending a blob in one request, going on from where that broke off (R14, R17)."""

from __future__ import annotations

from oras_core.errors import TransportError
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
    """Send `source` in the request that ends the upload.

    Where that breaks off, the registry is asked what it holds, and gets the rest in chunks.

    Args:
        session: the upload.
        descriptor: what the blob is.
        source: its bytes.
        chunk_size: bytes of a chunk; None where no chunks are taken. Then an upload of which
            a part has arrived is lost.

    Raises:
        RegistryError: if the registry refuses.
        TransportError: if the connection broke off and with it the upload was lost, or it
            keeps breaking off.
        ContentError: if the source is not what was promised.
    """
    source.check_if_empty()
    try:
        session.finish(descriptor.digest, source)
    except TransportError as broken:
        held = session.held_after(broken, descriptor.size)
        if chunk_size is None:
            raise session.lose(broken) from broken.__cause__
        send_chunks(session, descriptor, source, chunk_size, start=held)
