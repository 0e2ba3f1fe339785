"""Blob downloads: streamed, and resumed when the connection fails (R35)."""

from __future__ import annotations

import io
import logging
import re
from typing import Final

from attrs import frozen

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
from oras_core.registry.responses import content_length, exchange, protocol_error, refuse_encoding
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

_NO_HEAD: Final = (400, 403, 405, 501)
"""Statuses of servers that do not support HEAD, or did not sign the URL for it (R23)."""


class BlobDownloader:
    """Downloads the blobs of one repository. Thread-safe."""

    def __init__(
        self, transport: HttpTransport, endpoints: RepositoryEndpoints, limits: Limits
    ) -> None:
        """Send requests through `transport`, which follows redirects."""
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the repository has the blob.

        If HEAD is not supported, one byte of the blob is requested (R23). A registry that
        forbids both may mean that the blob does not exist (R8): the result is then False,
        and the next operation on the blob fails with the reason.
        """
        url = self._endpoints.blob(descriptor.digest)
        operation = f"look for blob {descriptor.digest} in {self._endpoints.name}"
        probes = (
            HttpRequest("HEAD", url, _IDENTITY),
            HttpRequest("GET", url, {**_IDENTITY, "Range": "bytes=0-0"}),
        )
        try:
            # 416: the blob exists but is empty, so it has no first byte.
            answers = (200, 206, 416, *_NO_HEAD)
            with self._send(probes[0], operation, expected=answers) as response:
                if response.status not in _NO_HEAD:
                    return True
            with self._send(probes[1], operation, expected=(200, 206, 416)):
                return True
        except NotFoundError:
            return False
        except AccessDeniedError as error:
            _logger.debug("treated as absent: %s", error)
            return False

    def describe(self, digest: Digest) -> Descriptor:
        """Return the descriptor of a blob whose digest alone is known.

        Raises:
            NotFoundError: if the repository does not have the blob.
            RegistryError: if the registry refuses the request.
            UnsupportedError: if the registry does not report the size of the blob.
        """
        # If HEAD is not supported, a GET gives the size; its body is not read (R23).
        size = self._announced_size("HEAD", digest, (200, *_NO_HEAD))
        if size is None:
            size = self._announced_size("GET", digest, (200,))
        if size is None:
            operation = f"describe blob {digest} of {self._endpoints.name}"
            raise UnsupportedError(operation, "the registry does not report the size of the blob")
        return Descriptor(OCTET_STREAM, digest, size)

    def _announced_size(self, method: str, digest: Digest, expected: tuple[int, ...]) -> int | None:
        operation = f"look for blob {digest} in {self._endpoints.name}"
        request = HttpRequest(method, self._endpoints.blob(digest), _IDENTITY)
        with self._send(request, operation, expected=expected) as response:
            return content_length(response.headers) if response.status == 200 else None

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the blob, which resumes when the connection fails.

        Raises, also while the stream is read:
            NotFoundError: if the repository does not have the blob.
            SizeMismatchError: if the blob and the descriptor differ in size.
            ContentError: if the response is compressed.
            RegistryError: if the registry refuses the request.
            TransportError: if the connection fails repeatedly.
        """
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

    def _open(self, descriptor: Descriptor, span: _Span) -> ByteStream:
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
        self, request: HttpRequest, operation: str, *, expected: tuple[int, ...]
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


class _ResumingStream:
    """A span of a blob, read from as many responses as needed."""

    def __init__(self, downloader: BlobDownloader, descriptor: Descriptor, span: _Span) -> None:
        self._downloader = downloader
        self._descriptor = descriptor
        self._offset = span.start
        self._end = span.end
        self._what = f"blob {descriptor.digest}"
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
            refuse_encoding(response, self._what)
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

    def _check_size(self, size: int | None) -> None:
        if size is not None and size != self._descriptor.size:
            raise SizeMismatchError(self._descriptor.size, size, what=self._what)

    def _check_range(self, request: HttpRequest, response: HttpResponse) -> None:
        """Compare `Content-Range` with the requested range (RFC 9110, section 14.4)."""
        text = response.headers.get("Content-Range", "")
        found = re.fullmatch(
            r"\s*bytes\s+(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)\s*", text
        )
        if found and found[3] != "*":
            self._check_size(int(found[3]))
        if response.status == 416 and (found is None or found[3] == "*"):
            # The blob is shorter than the offset, and its size is not reported.
            raise SizeMismatchError(self._descriptor.size, self._offset, what=self._what)
        if (
            response.status == 416
            or found is None
            or found[1] is None
            or int(found[1]) != self._offset
            or not self._offset <= int(found[2]) < self._end
        ):
            raise protocol_error(
                request,
                response,
                f"pull {self._what}",
                f"{request.headers['Range']} was answered with Content-Range {text!r}",
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
            raise error or SizeMismatchError(self._descriptor.size, self._offset, what=self._what)
        self._progress = 0
        _logger.debug(
            "download of %s was interrupted at byte %d: %s", self._what, self._offset, error
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
            raise SizeMismatchError(size, size + len(surplus), what=self._what)
        return b""

    def _leave(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def close(self) -> None:
        """Return the connection to the pool."""
        self._closed = True
        self._leave()
