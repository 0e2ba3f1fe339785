"""Uploads of large blobs whose digest is computed at the same time.

Hashing half a gigabyte takes about as long as sending it over a fast network. This module reads
the source twice in parallel: one PATCH sends the blob while a thread hashes it, and the PUT that
completes the upload has the digest. If hashing ends first and the repository already has the
blob, sending stops. If the connection fails, the rest follows in chunks, provided that the
registry kept the first bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from typing import Final

from oras_core.cancellation import CancelToken, current_token
from oras_core.content.sources import BytesSource
from oras_core.content.verify import describe_source
from oras_core.errors import CancelledError, OrasError, RegistryError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.registry.blobs.chunked import send_chunks
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.session import UploadSession
from oras_core.registry.blobs.verified_source import VerifiedSource
from oras_core.registry.profiles import LearnedProfile

__all__ = ["ingest_blob"]

_logger = logging.getLogger(__name__)

_PASSING: Final = (401, 403, 408, 429)
"""Statuses that do not depend on how the blob is sent."""


def ingest_blob(
    session: UploadSession,
    source: ByteSource,
    media_type: str,
    *,
    downloader: BlobDownloader,
    profile: LearnedProfile,
    stored: Callable[[Digest], None],
) -> Descriptor:
    """Return the descriptor of a blob, and send the blob in `session` at the same time.

    Calls `stored` with the digest if the registry has stored the blob.

    Raises:
        OrasError: an error of the source. A failed upload is abandoned without an error.
    """
    token = CancelToken(current_token())
    sending = CancelToken(token)  # cancelled once the repository turns out to have the blob
    with (
        closing(token),
        closing(sending),
        token.scope(),
        ThreadPoolExecutor(1, thread_name_prefix="oras-hash") as hashing,
    ):
        context = copy_context()  # carries the token to the thread
        described = hashing.submit(context.run, _describe, source, media_type, downloader, sending)
        try:
            _send(session, source, described, profile, sending)
        except (RegistryError, TransportError, _UnsentError) as error:
            session.abandon()
            _logger.debug("abandoned: %s: %s", session.operation, error)
            if isinstance(error, RegistryError) and _is_refusal(error):
                profile.learn_no_streams()
        except BaseException:
            token.cancel()  # stop the hashing thread
            session.abandon()
            raise
        else:
            stored(described.result().digest)
        return described.result()


def _send(
    session: UploadSession,
    source: ByteSource,
    described: Future[Descriptor],
    profile: LearnedProfile,
    sending: CancelToken,
) -> None:
    """Send a blob; after a failure, send the rest once the digest is known."""
    try:
        with sending.scope():
            session.stream(_ReadOnce(source))
    except CancelledError:
        current_token().raise_if_cancelled(session.operation)
        raise _UnsentError from None  # an existing blob is not written again (R37)
    except (TransportError, RegistryError) as broken:
        held = session.held_after(broken, source.size or 0)
        descriptor = described.result()
        known = profile.current
        if sending.cancelled or not known.accepts_chunks:
            raise  # the push that follows sends the blob if needed
        chunk_size = max(known.chunk_size, min(session.min_chunk, known.max_chunk_size))
        rest = VerifiedSource(descriptor, source)
        send_chunks(session, descriptor, rest, chunk_size, start=held)
    else:
        descriptor = described.result()
        if sending.cancelled:
            raise _UnsentError
        session.finish(descriptor.digest, BytesSource(b""))


def _is_refusal(error: RegistryError) -> bool:
    return error.status < 500 and error.status not in _PASSING


def _describe(
    source: ByteSource, media_type: str, downloader: BlobDownloader, sending: CancelToken
) -> Descriptor:
    """Hash the source, and stop the sending if the repository has the blob."""
    descriptor = describe_source(source, media_type)
    try:
        if downloader.exists(descriptor.digest):
            sending.cancel()
    except OrasError as error:
        _logger.debug("could not look for the blob: %s", error)
    return descriptor


class _UnsentError(Exception):
    """The upload ends early: the repository has the blob, or the request would be repeated."""


class _ReadOnce:
    """A source that can be opened only once.

    Bytes are not sent again before it is known which of them the registry holds.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._opened = False

    @property
    def size(self) -> int | None:
        return self._source.size

    def open(self) -> ByteStream:
        if self._opened:
            raise _UnsentError
        self._opened = True
        return self._source.open()
