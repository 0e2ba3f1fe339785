"""Blob downloads: streamed, and resumed when the connection fails (R35)."""

from __future__ import annotations

import io
import logging
from functools import partial
from typing import Final

from oras_core.content.verify import VerifyingReader
from oras_core.errors import (
    AccessDeniedError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    UnsupportedError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.media_types import OCTET_STREAM
from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.blobs.parallel import ParallelStream, Slots
from oras_core.registry.blobs.resuming import ContentRange, ResumingStream, Span
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.header_fields import content_length
from oras_core.registry.profiles import HostProfile, LearnedProfile
from oras_core.registry.responses import exchange
from oras_core.registry.transports.redirects import origin_of

__all__ = ["BlobDownloader"]

_logger = logging.getLogger(__name__)

RANGED_SIZE: Final = 64 * 1024 * 1024
"""Smallest span, in bytes, that is fetched over several connections."""

_IDENTITY: Final = {"Accept-Encoding": "identity"}

_EXPIRED: Final = (400, 401, 403, 404, 410)
"""Statuses of object stores for an expired presigned URL."""

_NO_ANSWER: Final = frozenset(range(200, 600)) - {404}
"""Statuses of a HEAD that do not prove anything: HEAD may be refused where GET works (R23)."""


class BlobDownloader:
    """Downloads the blobs of one repository. Thread-safe."""

    def __init__(
        self,
        transport: HttpTransport,
        endpoints: RepositoryEndpoints,
        profile: LearnedProfile | None = None,
    ) -> None:
        """Send requests through `transport`, which follows redirects.

        Without a `profile`, each blob is fetched over one connection.
        """
        self._transport = transport
        self._endpoints = endpoints
        self._profile = profile or LearnedProfile(HostProfile(range_connections=1))
        self._slots = Slots()

    def exists(self, digest: Digest) -> bool:
        """Tell whether the repository has the blob.

        If HEAD fails, one byte of the blob is requested (R23). A registry that forbids both
        may mean that the blob does not exist (R8): the result is then False, and the next
        operation on the blob fails with the reason.
        """
        operation = f"look for blob {digest} in {self._endpoints.name}"
        head = HttpRequest("HEAD", self._endpoints.blob(digest), _IDENTITY)
        try:
            with exchange(self._transport, head, operation, expected=_NO_ANSWER) as response:
                if response.status == 200:
                    return True
            self._first_byte(digest).close()
            return True
        except NotFoundError:
            return False
        except AccessDeniedError as error:
            _logger.debug("treated as absent: %s", error)
            return False

    def describe(self, digest: Digest) -> Descriptor:
        """Return the descriptor of a blob whose digest alone is known.

        A GET of one byte gives the size: the `Content-Length` of a HEAD may be wrong (R23).

        Raises:
            NotFoundError: if the repository does not have the blob.
            RegistryError: if the registry refuses the request.
            UnsupportedError: if the registry does not report the size of the blob.
        """
        with self._first_byte(digest) as response:
            size = content_length(response.headers)
            if response.status != 200:
                size = ContentRange.of(response).total
        if size is None:
            operation = f"describe blob {digest} of {self._endpoints.name}"
            raise UnsupportedError(operation, "the registry does not report the size of the blob")
        return Descriptor(OCTET_STREAM, digest, size)

    def _first_byte(self, digest: Digest) -> HttpResponse:
        """Request the first byte; 416 means that the blob exists but is empty."""
        operation = f"look for blob {digest} in {self._endpoints.name}"
        headers = {**_IDENTITY, "Range": "bytes=0-0"}
        request = HttpRequest("GET", self._endpoints.blob(digest), headers)
        return exchange(self._transport, request, operation, expected=(200, 206, 416))

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the blob that is verified at its end, and resumes after failures.

        Bytes are never decoded: the digest decides, whatever `Content-Encoding` says (R38).

        Raises, also while the stream is read:
            NotFoundError: if the repository does not have the blob.
            SizeMismatchError: if the blob and the descriptor differ in size.
            DigestMismatchError: if the blob has another digest.
            RegistryError: if the registry refuses the request.
            TransportError: if the connection fails repeatedly.
        """
        stream = self.fetch_unverified(descriptor)
        return VerifyingReader(stream, descriptor, what=stream.what)

    def fetch_unverified(self, descriptor: Descriptor) -> ResumingStream | ParallelStream:
        """Return a stream as `fetch`, whose bytes the caller must verify."""
        return self._open(descriptor, Span(0, descriptor.size))

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return a stream of `length` bytes of the blob from offset `start`.

        These bytes are not verified: the digest covers only the whole blob.

        Raises: as `fetch`, and `InvalidInputError` if the range exceeds the blob.
        """
        if start < 0 or length < 0 or start + length > descriptor.size:
            raise InvalidInputError(
                (start, length), f"the range exceeds the blob, which has {descriptor.size} bytes"
            )
        if length == 0:
            return io.BytesIO()
        return self._open(descriptor, Span(start, start + length))

    def _open(self, descriptor: Descriptor, span: Span) -> ResumingStream | ParallelStream:
        stream = self._connect(descriptor, span)
        connections = self._profile.current.range_connections
        if connections < 2 or span.end - span.start < RANGED_SIZE:
            return stream
        return ParallelStream(
            stream,
            span,
            partial(self._connect, descriptor),
            connections=connections,
            slots=self._slots,
            ignores_ranges=self._profile.learn_no_ranges,
        )

    def _connect(self, descriptor: Descriptor, span: Span) -> ResumingStream:
        request = partial(self._request, descriptor)
        stream = ResumingStream(request, descriptor, span, where=self._endpoints.name)
        stream.connect()
        return stream

    def _request(self, descriptor: Descriptor, span: Span) -> tuple[HttpRequest, HttpResponse]:
        """Request a span of a blob; accept 200, and for a part also 206 and 416.

        Every request goes to the registry, since the presigned URL of an earlier response
        may have expired. If the new presigned URL has expired too, the registry is asked
        once more.
        """
        url = self._endpoints.blob(descriptor.digest)
        operation = f"pull blob {descriptor.digest} from {self._endpoints.name}"
        whole = span == Span(0, descriptor.size)
        headers = _IDENTITY if whole else {**_IDENTITY, "Range": span.header}
        request = HttpRequest("GET", url, headers)
        expected = (200,) if whole else (200, 206, 416)
        try:
            return request, exchange(self._transport, request, operation, expected=expected)
        except RegistryError as error:
            if error.status not in _EXPIRED or origin_of(error.url) == origin_of(url):
                raise
            _logger.debug("requesting another presigned URL: %s", error)
        return request, exchange(self._transport, request, operation, expected=expected)
