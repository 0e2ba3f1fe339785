"""Blob downloads: streamed, and resumed when the connection fails (R35)."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Collection
from typing import Final

from attrs import frozen

from oras_core.content.verify import VerifyingReader
from oras_core.errors import (
    AccessDeniedError,
    InvalidInputError,
    NotFoundError,
    RegistryError,
    SizeMismatchError,
    TransportError,
    TransportTimeoutError,
    UnsupportedError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.media_types import OCTET_STREAM
from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.endpoints import RepositoryEndpoints
from oras_core.registry.responses import content_length, exchange, protocol_error
from oras_core.registry.transports.redirects import origin_of

__all__ = ["BlobDownloader"]

_logger = logging.getLogger(__name__)

MAX_FRUITLESS: Final = 5
"""Connection failures in a row without `PROGRESS`, after which a download fails."""

FRUITLESS_TIMEOUT: Final = 3
"""How much an interruption by a timeout counts: a server that was silent twice stays so."""

PROGRESS: Final = 64 * 1024
"""Bytes that count as progress: a connection that fails after each byte makes none."""

SKIP_SIZE: Final = 256 * 1024

_IDENTITY: Final = {"Accept-Encoding": "identity"}

_EXPIRED: Final = (400, 401, 403, 404, 410)
"""Statuses of object stores for an expired presigned URL."""

_NO_ANSWER: Final = frozenset(range(200, 600)) - {404}
"""Statuses of a HEAD that do not prove anything: HEAD may be refused where GET works (R23)."""


class BlobDownloader:
    """Downloads the blobs of one repository. Thread-safe."""

    def __init__(
        self, transport: HttpTransport, endpoints: RepositoryEndpoints, limits: Limits
    ) -> None:
        """Send requests through `transport`, which follows redirects."""
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits

    def exists(self, digest: Digest) -> bool:
        """Tell whether the repository has the blob.

        If HEAD fails, one byte of the blob is requested (R23). A registry that forbids both
        may mean that the blob does not exist (R8): the result is then False, and the next
        operation on the blob fails with the reason.
        """
        operation = f"look for blob {digest} in {self._endpoints.name}"
        head = HttpRequest("HEAD", self._endpoints.blob(digest), _IDENTITY)
        try:
            with self._send(head, operation, expected=_NO_ANSWER) as response:
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
                size = _ContentRange.of(response).total
        if size is None:
            operation = f"describe blob {digest} of {self._endpoints.name}"
            raise UnsupportedError(operation, "the registry does not report the size of the blob")
        return Descriptor(OCTET_STREAM, digest, size)

    def _first_byte(self, digest: Digest) -> HttpResponse:
        """Request the first byte; 416 means that the blob exists but is empty."""
        operation = f"look for blob {digest} in {self._endpoints.name}"
        headers = {**_IDENTITY, "Range": "bytes=0-0"}
        request = HttpRequest("GET", self._endpoints.blob(digest), headers)
        return self._send(request, operation, expected=(200, 206, 416))

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

    def fetch_unverified(self, descriptor: Descriptor) -> _ResumingStream:
        """Return a stream as `fetch`, whose bytes the caller must verify."""
        return self._open(descriptor, _Span(0, descriptor.size))

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
        return self._open(descriptor, _Span(start, start + length))

    def _open(self, descriptor: Descriptor, span: _Span) -> _ResumingStream:
        stream = _ResumingStream(self, descriptor, span)
        stream.connect()
        return stream

    def request(self, descriptor: Descriptor, span: _Span) -> tuple[HttpRequest, HttpResponse]:
        """Request a span of a blob; accept 200, and for a part also 206 and 416.

        Every request goes to the registry, since the presigned URL of an earlier response
        may have expired. If the new presigned URL has expired too, the registry is asked
        once more.
        """
        url = self._endpoints.blob(descriptor.digest)
        operation = f"pull blob {descriptor.digest} from {self._endpoints.name}"
        whole = span == _Span(0, descriptor.size)
        headers = _IDENTITY if whole else {**_IDENTITY, "Range": span.header}
        request = HttpRequest("GET", url, headers)
        expected = (200,) if whole else (200, 206, 416)
        try:
            return request, self._send(request, operation, expected=expected)
        except RegistryError as error:
            if error.status not in _EXPIRED or origin_of(error.url) == origin_of(url):
                raise
            _logger.debug("requesting another presigned URL: %s", error)
        return request, self._send(request, operation, expected=expected)

    def _send(
        self, request: HttpRequest, operation: str, *, expected: Collection[int]
    ) -> HttpResponse:
        return exchange(
            self._transport,
            request,
            operation,
            expected=expected,
            error_body=self._limits.error_body,
        )


@frozen
class _Span:
    """The bytes from offset `start` up to, but not including, offset `end`."""

    start: int
    end: int

    @property
    def header(self) -> str:
        """The value of `Range`, whose ends are inclusive (RFC 9110, section 14.1.2)."""
        return f"bytes={self.start}-{self.end - 1}"


@frozen
class _ContentRange:
    """The value of `Content-Range` (RFC 9110, section 14.4); -1 and None for missing numbers."""

    text: str
    start: int = -1
    last: int = -1
    total: int | None = None

    @classmethod
    def of(cls, response: HttpResponse) -> _ContentRange:
        text = response.headers.get("Content-Range", "").strip()
        found = re.fullmatch(r"bytes\s+(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)", text)
        if found is None:
            return cls(text)
        start, last = (int(found[1]), int(found[2])) if found[1] else (-1, -1)
        return cls(text, start, last, None if found[3] == "*" else int(found[3]))


class _ResumingStream:
    """A span of a blob, read from as many responses as needed."""

    def __init__(self, downloader: BlobDownloader, descriptor: Descriptor, span: _Span) -> None:
        self._downloader = downloader
        self._descriptor = descriptor
        self._offset = span.start
        self._end = span.end
        self.what: str = f"blob {descriptor.digest}"
        self._response: HttpResponse | None = None
        self._to_skip = 0
        self._closed = False
        self._fruitless = 0
        self._progress = 0

    def connect(self) -> None:
        """Request the bytes that are still missing.

        Raises:
            SizeMismatchError: if the response shows that the blob has another size.
            RegistryError: if the response holds another range.
        """
        request, response = self._downloader.request(
            self._descriptor, _Span(self._offset, self._end)
        )
        try:
            self._note_encoding(response)
            if response.status == 200:
                self._check_size(content_length(response.headers))
                self._to_skip = self._offset  # the response starts at offset 0
            else:
                self._check_range(request, response)
                self._to_skip = 0
        except BaseException:
            response.close()
            raise
        self._response = response

    def _note_encoding(self, response: HttpResponse) -> None:
        """Name the encoding in errors: its bytes are probably not those of the blob."""
        encoding = response.headers.get("Content-Encoding", "").strip().lower()
        if encoding not in ("", "identity") and "Content-Encoding" not in self.what:
            self.what += f", which was sent with Content-Encoding {encoding[:40]!r},"

    def _check_size(self, size: int | None) -> None:
        if size is not None and size != self._descriptor.size:
            raise SizeMismatchError(self._descriptor.size, size, what=self.what)

    def _check_range(self, request: HttpRequest, response: HttpResponse) -> None:
        """Compare `Content-Range` with the requested range (RFC 9110, section 14.4)."""
        found = _ContentRange.of(response)
        if found.total is not None:
            self._check_size(found.total)
        elif response.status == 416:
            # The blob is shorter than the offset, and its size is not reported.
            raise SizeMismatchError(self._descriptor.size, self._offset, what=self.what)
        if (
            response.status == 416
            or found.start != self._offset
            or not found.start <= found.last < self._end
        ):
            raise protocol_error(
                request,
                response,
                f"pull {self.what}",
                f"{request.headers['Range']} was answered with Content-Range {found.text!r}",
            )

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises: as `BlobDownloader.fetch`.
        """
        if self._closed:
            raise ValueError("read of a closed stream")
        if size < 0:
            return b"".join(iter(lambda: self.read(SKIP_SIZE), b""))
        while size > 0 and self._offset < self._end:
            if self._response is None:
                self.connect()
            try:
                chunk = self._read_some(min(size, self._end - self._offset))
            except TransportError as error:
                self._interrupted(error)
                continue
            if chunk:
                return self._advance(chunk)
            self._interrupted(None)
        return self._read_beyond() if size > 0 else b""

    def _read_some(self, size: int) -> bytes:
        if self._response is None:
            return b""
        body = self._response.body
        while self._to_skip > 0:
            skipped = body.read(min(self._to_skip, SKIP_SIZE))
            if not skipped:
                return b""
            self._to_skip -= len(skipped)
        return body.read(size)

    def _advance(self, chunk: bytes) -> bytes:
        self._offset += len(chunk)
        self._progress += len(chunk)
        if self._progress >= PROGRESS:
            self._fruitless = self._progress = 0
        return chunk

    def _interrupted(self, error: TransportError | None) -> None:
        """Close a response that ended early; raise if there was no progress for too long."""
        self._leave()
        silent = isinstance(error, TransportTimeoutError)
        self._fruitless += FRUITLESS_TIMEOUT if silent else 1
        if self._fruitless >= MAX_FRUITLESS:
            raise error or SizeMismatchError(self._descriptor.size, self._offset, what=self.what)
        self._progress = 0
        _logger.debug(
            "download of %s was interrupted at byte %d: %s", self.what, self._offset, error
        )

    def _read_beyond(self) -> bytes:
        """Check that the response has no bytes after the end of the blob."""
        response, self._response = self._response, None
        if response is None:
            return b""
        with response:
            if self._end < self._descriptor.size:
                return b""
            try:
                surplus = response.body.read(1)
            except TransportError:
                return b""  # the blob is complete
        if surplus:
            size = self._descriptor.size
            raise SizeMismatchError(size, size + len(surplus), what=self.what)
        return b""

    def _leave(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def close(self) -> None:
        """Return the connection to the pool."""
        self._closed = True
        self._leave()
