"""Blob uploads: whole, in chunks, or by a mount from another repository.

A HEAD looks for the blob, unless the repository is new. A missing blob takes two more requests, a
POST that starts the upload and one streamed PUT (R14). A profile can replace HEAD and POST by one
mount from the repository itself (R21), for registries where a mount of an existing blob is safe
(R37).
"""

from __future__ import annotations

import logging
from typing import Final

from attrs import evolve, frozen

from oras_core.cancellation import current_token, respite, sleep
from oras_core.content.sources import BytesSource
from oras_core.content.verify import describe_source
from oras_core.errors import InvalidInputError, RegistryError, SizeMismatchError, TransportError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.content import ByteSource
from oras_core.ports.http import HttpRequest, HttpTransport
from oras_core.registry.blobs.chunked import send_chunks
from oras_core.registry.blobs.download import BlobDownloader
from oras_core.registry.blobs.presence import BlobPresence
from oras_core.registry.blobs.session import RESPITE_SECONDS, UploadSession
from oras_core.registry.blobs.streamed import ingest_blob
from oras_core.registry.blobs.verified_source import VerifiedSource
from oras_core.registry.blobs.whole import send_whole
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.header_fields import check_digest_header
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.responses import exchange

__all__ = ["BlobUploader"]

_logger = logging.getLogger(__name__)

MAX_RESTARTS: Final = 4
"""Restarts of one upload after connection failures. An upload that is lost without a failure
is restarted once."""

PAUSE_SECONDS: Final = 0.25
"""The longest pause, in seconds, before the first restart after a 5xx; later ones double it."""

MAX_PENDING: Final = 64
"""Uploads that the registry started instead of a mount and that await their push.

Further ones are abandoned."""

_NO_CHUNKS: Final = frozenset({200, 201, 202, 204, 400, 405, 411, 415, 416, 501})
"""Statuses of a PATCH if the registry takes no chunks, or none of this size (R15, R20)."""

_LOST_CODES: Final = frozenset({"BLOB_UPLOAD_UNKNOWN", "BLOB_UPLOAD_INVALID"})


class BlobUploader:
    """Uploads blobs to one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        profile: LearnedProfile,
        *,
        presence: BlobPresence | None = None,
    ) -> None:
        """Send requests through `transport`.

        All repositories of a registry share `profile`, all copies to a repository `presence`.
        """
        self._transport = transport
        self._endpoints = endpoints
        self._profile = profile
        self._downloader = BlobDownloader(transport, endpoints)
        self._presence = presence or BlobPresence(transport, endpoints, self._downloader.exists)
        self._pending: dict[Digest, UploadSession] = {}
        self._lock = ForkSafeLock()

    def push(
        self, descriptor: Descriptor, source: ByteSource, *, chunk_size: int | None = None
    ) -> None:
        """Upload a blob, unless the repository has it.

        The blob is sent whole, or in chunks if the profile or `chunk_size` demands them. If
        the registry refuses one way, the other is tried once (R20).

        Args:
            descriptor: the descriptor of the blob.
            source: the bytes of the blob; opened again for another attempt.
            chunk_size: the size of a chunk in bytes; None for the choice of the profile.

        Raises:
            InvalidInputError: if `chunk_size` is not positive.
            SizeMismatchError: if the source and the descriptor differ in size.
            DigestMismatchError: if they differ in digest, or the registry reports another one.
            RegistryError: if the registry refuses the blob.
            TransportError: if the registry does not respond.
        """
        if chunk_size is not None and chunk_size <= 0:
            raise InvalidInputError(chunk_size, "a chunk must have at least one byte")
        body = VerifiedSource(descriptor, source)
        if source.size is not None and source.size != descriptor.size:
            raise SizeMismatchError(descriptor.size, source.size, what=body.what)
        body.check_if_empty()
        operation = f"push blob {descriptor.digest} to {self._endpoints.name}"
        way = _Way.first(self._profile.current, descriptor.size, chunk_size)
        if chunk_size and way.chunk is None:
            _logger.info("%s takes no chunks: the blob is sent whole", self._endpoints.registry)
        following: _Way | None = way
        while following is not None:
            session = self._open_session(descriptor, operation)
            if session is None:
                return
            following = self._send(session, descriptor, body, following)

    def ingest(self, source: ByteSource, media_type: str) -> Descriptor:
        """Return the descriptor of a blob, and upload it at the same time if possible.

        Raises:
            OrasError: an error of the source.
        """
        session = self._session_for_stream() if self._profile.current.takes_streams else None
        if session is None:
            return describe_source(source, media_type)
        return ingest_blob(
            session,
            source,
            media_type,
            downloader=self._downloader,
            profile=self._profile,
            stored=self._presence.note_stored,
        )

    def note_content(self) -> None:
        """Record that the repository has a manifest: others may push blobs to it."""
        self._presence.note_content()

    def _session_for_stream(self) -> UploadSession | None:
        operation = f"push a blob to {self._endpoints.name}"
        try:
            return self._begin(_empty_post(self._endpoints.uploads()), None, operation)
        except (RegistryError, TransportError) as error:
            _logger.debug("upload not started: %s", error)  # the push that follows raises it
            return None

    def mount(self, descriptor: Descriptor, repository: str) -> bool:
        """Mount a blob from another repository of the same registry (R21).

        If the registry starts an upload instead, the next `push` of the blob uses it.

        Returns:
            Whether the repository has the blob now.

        Raises:
            TransportError: if the registry does not respond.
        """
        operation = f"mount blob {descriptor.digest} from {repository} to {self._endpoints.name}"
        if not self._profile.current.probes_by_mount and self._presence.has(descriptor):
            return True
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
        """Send a blob in one way; return None on success, or another way to try."""
        try:
            self._deliver(session, descriptor, body, way)
        except (TransportError, RegistryError) as error:
            following = self._way_after(error, session, descriptor.digest, way)
            if following is None:
                raise
            _logger.info("trying again to %s: %s", session.operation, error)
            return following
        except BaseException:
            session.abandon()
            raise
        self._presence.note_stored(descriptor.digest)
        if way.switched:
            self._learn(descriptor.size, way)
        return None

    def _way_after(
        self,
        error: TransportError | RegistryError,
        session: UploadSession,
        digest: Digest,
        way: _Way,
    ) -> _Way | None:
        """Abandon a failed upload, unless it is lost; return another way to try."""
        if session.lost:
            # The registry may have stored the blob all the same.
            self._presence.note_stored(digest)
            following = way.anew(MAX_RESTARTS)
            if following is not None and isinstance(error, RegistryError):
                from random import random  # noqa: PLC0415 - slow to import, and few are lost

                sleep(PAUSE_SECONDS * 2**way.restarts * (0.5 + random() / 2))  # noqa: S311
            return following
        if session.body_failure is not None:
            session.abandon()
            return None
        if isinstance(error, TransportError):
            return None  # a registry that does not respond is not sent a DELETE
        if error.status not in (401, 404):  # 404: unknown upload; 401: no access
            session.abandon()
        return way.after(error, MAX_RESTARTS if session.was_disturbed else 1)

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
        """Return a new upload, or that of an earlier mount; None if the blob exists."""
        with self._lock:
            pending = self._pending.pop(descriptor.digest, None)
        if pending is not None:
            return pending
        plain = _empty_post(self._endpoints.uploads())
        if not self._profile.current.probes_by_mount:
            if self._presence.has(descriptor):
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
        """Send a POST; return the upload that it started, or None if the blob was mounted."""
        expected = (201, 202) if "?" in request.url else (202,)
        current_token().raise_if_cancelled(operation)
        with respite(RESPITE_SECONDS):
            response = exchange(self._transport, request, operation, expected=expected)
            response.close()
        if response.status == 201 and descriptor is not None:
            check_digest_header(response.headers, descriptor.digest, f"response to '{operation}'")
            return None
        return UploadSession(self._transport, self._endpoints, operation, (request, response))


def _empty_post(url: str) -> HttpRequest:
    return HttpRequest("POST", url, body=BytesSource(b""))


@frozen
class _Way:
    """A way to send a blob, and the ways left to try if it fails. The sequence is finite.

    Attributes:
        chunk: the size of a chunk in bytes; None to send the blob in one request.
        fallback: the chunk size to use if one request is too large; None if the registry
            takes no chunks.
        switched: whether this is already the second way.
        restarts: how often a lost upload was restarted.
    """

    chunk: int | None
    fallback: int | None
    switched: bool = False
    restarts: int = 0

    @classmethod
    def first(cls, profile: HostProfile, size: int, wanted: int | None) -> _Way:
        """Return the first way to try."""
        return cls(
            profile.chunk_for(size, wanted), profile.chunk_size if profile.accepts_chunks else None
        )

    def after(self, error: RegistryError, restarts: int) -> _Way | None:
        """Return the way to try after `error`; None if there is none.

        `restarts` is the most restarts of a lost upload.
        """
        if not self.switched and self._is_refused(error):
            return evolve(self, chunk=self.fallback if self.chunk is None else None, switched=True)
        return self.anew(restarts) if _is_lost(error) else None

    def anew(self, most: int) -> _Way | None:
        """Return the same way once more; None after `most` restarts."""
        return evolve(self, restarts=self.restarts + 1) if self.restarts < most else None

    def _is_refused(self, error: RegistryError) -> bool:
        """Tell whether the registry refused this way of sending (R20)."""
        if self.chunk is None:
            return error.status == 413 and self.fallback is not None
        return error.method == "PATCH" and error.status in _NO_CHUNKS


def _is_lost(error: RegistryError) -> bool:
    """Tell whether the registry does not know the upload, or has another state of it."""
    if _LOST_CODES.intersection(error.codes):
        return True
    if error.method == "PUT" and error.status == 416:
        return True
    return error.status == 404 and "NAME_UNKNOWN" not in error.codes
