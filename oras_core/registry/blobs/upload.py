"""Putting blobs into a repository: whole or in chunks, or by a mount from a neighbour.

By default a blob goes in two requests, a POST that begins the upload and one streamed PUT
(R14). The POST is a mount from the repository itself, which finds a blob that is there
already for the price of the POST (R21): by the spec, a registry that knows no mounts
begins the upload. Where that is known or found to fail, a HEAD looks for the blob first.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from attrs import evolve, frozen

from oras_core.cancellation import current_token, respite
from oras_core.content.sources import BytesSource
from oras_core.content.verify import describe_source
from oras_core.errors import InvalidInputError, RegistryError, SizeMismatchError, TransportError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.ports.content import ByteSource
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.blobs.chunked import send_chunks
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.session import RESPITE_SECONDS, UploadSession
from oras_core.registry.blobs.streamed import ingest_blob
from oras_core.registry.blobs.verified_source import VerifiedSource
from oras_core.registry.blobs.whole import send_whole
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.responses import check_digest_header, exchange

__all__ = ["BlobUploader"]

_logger = logging.getLogger(__name__)

MAX_RESTARTS: Final = 4
"""Uploads of one blob that may break off and be begun anew. One that is lost without a break
is begun anew once."""

MAX_PENDING: Final = 64
"""Uploads that refused mounts began and that wait for their push; further ones are abandoned."""

_NO_CHUNKS: Final = frozenset({200, 201, 202, 204, 400, 405, 411, 415, 416, 501})
"""How a PATCH is answered where chunks, or chunks of this size, are not understood (R15, R20)."""

_LOST_CODES: Final = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})


class BlobUploader:
    """Puts blobs into one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        profile: LearnedProfile,
        limits: Limits,
    ) -> None:
        """Send by `transport`; `profile` is shared by all repositories of the registry."""
        self._transport = transport
        self._endpoints = endpoints
        self._profile = profile
        self._limits = limits
        self._downloader = BlobDownloader(transport, endpoints, limits)
        self._pending: dict[Digest, UploadSession] = {}
        self._lock = threading.Lock()

    def push(
        self, descriptor: Descriptor, source: ByteSource, *, chunk_size: int | None = None
    ) -> None:
        """Upload a blob, unless it is here.

        It goes whole, or in chunks where they are asked for, by the profile or by
        `chunk_size`; and once the other way if the registry does not take it so (R20).

        Args:
            descriptor: what it is.
            source: its bytes; opened anew for another attempt.
            chunk_size: bytes of a chunk; None for what the registry's profile says.

        Raises:
            InvalidInputError: if `chunk_size` is not positive.
            SizeMismatchError: if the source has another size than `descriptor` says.
            DigestMismatchError: if it has another digest, or the registry says it has.
            RegistryError: if the registry refuses it.
            TransportError: where there is no answer.
        """
        if chunk_size is not None and chunk_size <= 0:
            raise InvalidInputError(chunk_size, "a chunk has at least one byte")
        body = VerifiedSource(descriptor, source)
        if source.size is not None and source.size != descriptor.size:
            raise SizeMismatchError(descriptor.size, source.size, what=body.what)
        operation = f"push blob {descriptor.digest} to {self._endpoints.name}"
        way = _Way.first(self._profile.current, descriptor.size, chunk_size)
        if chunk_size and way.chunk is None:
            _logger.info("%s takes no chunks: a blob is sent whole", self._endpoints.registry)
        following: _Way | None = way
        while following is not None:
            session = self._open_session(descriptor, operation)
            if session is None:
                return
            following = self._send(session, descriptor, body, following)

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Describe a blob, and upload it meanwhile if the registry lets us.

        Raises:
            OrasError: what the source raises.
        """
        session = self._session_for_stream() if self._profile.current.takes_streams else None
        if session is None:
            return describe_source(source, media_type)
        return ingest_blob(
            session, source, media_type, downloader=self._downloader, profile=self._profile
        )

    def _session_for_stream(self) -> UploadSession | None:
        operation = f"push a blob to {self._endpoints.name}"
        try:
            return self._begin(_empty_post(self._endpoints.uploads()), None, operation)
        except (RegistryError, TransportError) as error:
            _logger.debug("not begun: %s", error)  # the push that follows says it aloud
            return None

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Take a blob over from another repository of the registry (R21).

        Where the registry begins an upload instead, the next `push` of the blob uses it.

        Returns:
            Whether the blob is here now.

        Raises:
            TransportError: where there is no answer.
        """
        operation = f"mount blob {descriptor.digest} from {repository} to {self._endpoints.name}"
        request = _empty_post(self._endpoints.mount(descriptor.digest, repository))
        try:
            session = self._begin(request, descriptor, operation)
        except RegistryError as error:
            _logger.debug("not mounted: %s", error)
            return False
        if session is None:
            return True
        with self._lock:
            keeps = len(self._pending) < MAX_PENDING and descriptor.digest not in self._pending
            if keeps:
                self._pending[descriptor.digest] = session
        if not keeps:
            session.abandon()
        return False

    def _send(
        self, session: UploadSession, descriptor: Descriptor, body: VerifiedSource, way: _Way
    ) -> _Way | None:
        """Send a blob one way; return another way that may work, or None if it is done."""
        try:
            self._deliver(session, descriptor, body, way)
        except TransportError as error:
            if error is body.failure:
                session.abandon()
            following = way.anew(MAX_RESTARTS)
            if following is None or not session.lost:
                raise  # a registry that does not answer needs not be told
            _logger.info("%s begins anew: %s", session.operation, error)
            return following
        except RegistryError as error:
            if body.failure is not None:
                session.abandon()
                raise body.failure from error
            following = way.after(error, MAX_RESTARTS if session.was_disturbed else 1)
            if error.status not in (401, 404):  # one is lost, the other is told nothing more
                session.abandon()
            if following is None:
                raise
            _logger.info("another way to %s: %s", session.operation, error)
            return following
        except BaseException:
            session.abandon()
            raise
        if way.switched:
            self._learn(descriptor.size, way)
        return None

    def _deliver(
        self, session: UploadSession, descriptor: Descriptor, body: VerifiedSource, way: _Way
    ) -> None:
        size = max(way.chunk or way.fallback or 0, self._least(session))
        if way.chunk is None:
            send_whole(session, descriptor, body, way.fallback and size)
        else:
            send_chunks(session, descriptor, body, size)

    def _least(self, session: UploadSession) -> int:
        return min(session.min_chunk, self._profile.current.max_chunk_size)

    def _learn(self, size: int, way: _Way) -> None:
        if way.chunk is None:
            self._profile.learn_no_chunks()
        else:
            self._profile.learn_too_large(size)

    def _open_session(self, descriptor: Descriptor, operation: str) -> UploadSession | None:
        """Begin an upload, or use one that a refused mount began; None if the blob is here."""
        with self._lock:
            pending = self._pending.pop(descriptor.digest, None)
        if pending is not None:
            return pending
        plain = _empty_post(self._endpoints.uploads())
        if not self._profile.current.probes_by_mount:
            if self._downloader.exists(descriptor):
                return None
            return self._begin(plain, descriptor, operation)
        own = self._endpoints.mount(descriptor.digest, self._endpoints.repository)
        try:
            return self._begin(_empty_post(own), descriptor, operation)
        except RegistryError as error:
            if error.status in (401, 429) or error.status >= 500:
                raise
        session = self._begin(plain, descriptor, operation)
        self._profile.learn_no_mount_probe()
        return session

    def _begin(
        self, request: HttpRequest, descriptor: Descriptor | None, operation: str
    ) -> UploadSession | None:
        """Send a POST; return the upload that it began, or None if the blob was mounted."""
        expected = (201, 202) if "?" in request.url else (202,)
        current_token().raise_if_cancelled(operation)
        with respite(RESPITE_SECONDS):
            response = exchange(
                self._transport,
                request,
                operation,
                expected=expected,
                error_body=self._limits.error_body,
            )
            response.close()
        if response.status == 201 and descriptor is not None:
            check_digest_header(response.headers, descriptor.digest, f"answer to '{operation}'")
            return None
        return UploadSession(
            self._transport, self._endpoints, self._limits, operation, (request, response)
        )


def _empty_post(url: str) -> HttpRequest:
    return HttpRequest("POST", url, body=BytesSource(b""))


@frozen
class _Way:
    """One way to send a blob, and what is left to try if it fails. Never leads in a circle.

    Attributes:
        chunk: bytes of a chunk; None for the whole blob at once.
        fallback: chunk size to fall back to from the whole; None where chunks are not taken.
        switched: whether this is the other way already.
        restarts: how often a lost upload was begun anew already.
    """

    chunk: int | None
    fallback: int | None
    switched: bool = False
    restarts: int = 0

    @classmethod
    def first(cls, profile: HostProfile, size: int, wanted: int | None) -> _Way:
        """Return the way to begin with."""
        return cls(
            profile.chunk_for(size, wanted), profile.chunk_size if profile.accepts_chunks else None
        )

    def after(self, error: RegistryError, restarts: int) -> _Way | None:
        """Return what to try when this way ended in `error`; None for nothing.

        `restarts` is how often an upload that is lost is begun anew.
        """
        if not self.switched and self._is_refused(error):
            return evolve(self, chunk=self.fallback if self.chunk is None else None, switched=True)
        return self.anew(restarts) if _is_lost(error) else None

    def anew(self, most: int) -> _Way | None:
        """Return the same way once more; None if it was begun anew `most` times already."""
        return evolve(self, restarts=self.restarts + 1) if self.restarts < most else None

    def _is_refused(self, error: RegistryError) -> bool:
        """Tell whether it is this way of sending that is refused (R20)."""
        if self.chunk is None:
            return error.status == 413 and self.fallback is not None
        return error.method == "PATCH" and error.status in _NO_CHUNKS


def _is_lost(error: RegistryError) -> bool:
    """Tell whether the registry does not know the upload, or not as the client knows it."""
    if _LOST_CODES.intersection(error.codes):
        return True
    if error.method == "PUT" and error.status == 416:
        return True
    return error.status == 404 and "NAME_UNKNOWN" not in error.codes
