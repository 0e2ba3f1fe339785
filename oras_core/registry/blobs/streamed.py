"""Sending a large blob while its digest is still being computed.

Hashing half a gigabyte takes as long as sending a good part of it. Here both happen at the
same time, from two readings of the source: one PATCH carries the blob, and the PUT that ends
the upload tells the digest. When that is known first, as over any slow line, the registry is
asked whether it has the blob; then the sending stops. Where that breaks off, the rest follows
in chunks if the registry kept the beginning.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from threading import Event
from typing import Final

from oras_core.cancellation import CancelToken, current_token
from oras_core.content.sources import BytesSource
from oras_core.content.verify import describe_source
from oras_core.errors import OrasError, RegistryError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.registry.blobs.chunked import send_chunks
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.session import UploadSession
from oras_core.registry.blobs.verified_source import VerifiedSource
from oras_core.registry.profiles import LearnedProfile

__all__ = ["ingest_blob"]

_logger = logging.getLogger(__name__)

_PASSING: Final = (401, 403, 408, 429)
"""Refusals that say nothing about the way of sending."""


def ingest_blob(
    session: UploadSession,
    source: ByteSource,
    media_type: str,
    *,
    downloader: BlobDownloader,
    profile: LearnedProfile,
) -> Descriptor:
    """Describe a blob, and send it meanwhile in an upload that has begun.

    Raises:
        OrasError: what the source raises. An upload that fails is given up and is no error.
    """
    halt = Event()
    token = CancelToken(current_token())
    with (
        closing(token),
        token.scope(),
        ThreadPoolExecutor(1, thread_name_prefix="oras-hash") as hashing,
    ):
        context = copy_context()  # which the token governs
        described = hashing.submit(context.run, _describe, source, media_type, downloader, halt)
        body = _HaltingSource(source, halt)
        try:
            _send(session, source, body, described, profile)
        except (RegistryError, TransportError, _HaltedError) as error:
            session.abandon()
            _logger.debug("given up: %s: %s", session.operation, error)
            if isinstance(error, RegistryError) and _is_refusal(error):
                profile.learn_no_streams()
        except BaseException:
            token.cancel()  # nobody waits for the digest
            session.abandon()
            raise
        return described.result()


def _send(
    session: UploadSession,
    source: ByteSource,
    body: _HaltingSource,
    described: Future[Descriptor],
    profile: LearnedProfile,
) -> None:
    """Send a blob; where that breaks off, the rest of it, once it is known what it is."""
    try:
        session.stream(body)
    except TransportError as broken:
        held = session.held_after(broken, source.size or 0)
        descriptor = described.result()
        known = profile.current
        if body.is_halted or not known.accepts_chunks:
            raise  # a push does as well, if there is anything to do
        chunk_size = max(known.chunk_size, min(session.min_chunk, known.max_chunk_size))
        rest = VerifiedSource(descriptor, source)
        send_chunks(session, descriptor, rest, chunk_size, start=held)
    else:
        session.finish(described.result().digest, BytesSource(b""))


def _is_refusal(error: RegistryError) -> bool:
    return error.status < 500 and error.status not in _PASSING


def _describe(
    source: ByteSource, media_type: str, downloader: BlobDownloader, halt: Event
) -> Descriptor:
    """Hash the source; where the registry has such a blob, let the sending stop."""
    descriptor = describe_source(_HaltingSource(source, halt), media_type)
    try:
        if downloader.exists(descriptor):
            halt.set()
    except OrasError as error:
        _logger.debug("not known whether it is there: %s", error)
    return descriptor


class _HaltedError(Exception):
    """Ends the reading of a source for which there is no use any more."""


class _HaltingSource:
    """A source that breaks off when it is halted, and is read once.

    What was sent is not sent again before it is known what the registry holds of it.
    """

    def __init__(self, source: ByteSource, halt: Event) -> None:
        self._source = source
        self._halt = halt
        self._opened = False

    @property
    def is_halted(self) -> bool:
        return self._halt.is_set()

    @property
    def size(self) -> int | None:
        return self._source.size

    def open(self) -> ByteStream:
        if self._opened:
            raise _HaltedError
        self._opened = True
        return _HaltingStream(self._source.open(), self._halt)


class _HaltingStream:
    def __init__(self, stream: ByteStream, halt: Event) -> None:
        self._stream = stream
        self._halt = halt

    def read(self, size: int = -1, /) -> bytes:
        if self._halt.is_set():
            raise _HaltedError
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
