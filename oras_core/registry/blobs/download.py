"""Getting blobs: streamed, resumed where the connection breaks off (R35)."""

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
"""Breaks in a row without `PROGRESS` in between, after which a download is given up."""

PROGRESS: Final = 64 * 1024
"""Bytes that count as progress: a server that breaks off after each byte makes none."""

SKIP_SIZE: Final = 256 * 1024

_IDENTITY: Final = {"Accept-Encoding": "identity"}

_EXPIRED: Final = (400, 401, 403, 404, 410)
"""What object stores answer at a presigned address whose time is over."""

_NO_HEAD: Final = (400, 403, 405, 501)
"""How servers say that they do not answer HEAD, or that it was not signed for (R23)."""


class BlobDownloader:
    """Gets the blobs of one repository. Thread-safe."""

    def __init__(
        self, transport: HttpTransport, endpoints: RepositoryEndpoints, limits: Limits
    ) -> None:
        """Ask by `transport`, which follows redirects."""
        self._transport = transport
        self._endpoints = endpoints
        self._limits = limits

    def exists(self, descriptor: Descriptor) -> bool:
        """Tell whether the blob is here.

        Where HEAD is not answered, a byte of the blob is asked for (R23). A registry that
        forbids both may mean by it that there is none (R8): then this is False, and what
        is done next fails with the reason.
        """
        url = self._endpoints.blob(descriptor.digest)
        operation = f"look for blob {descriptor.digest} in {self._endpoints.name}"
        probes = (
            HttpRequest("HEAD", url, _IDENTITY),
            HttpRequest("GET", url, {**_IDENTITY, "Range": "bytes=0-0"}),
        )
        try:
            # 416: there is no first byte, so that the blob is empty, but here.
            answers = (200, 206, 416, *_NO_HEAD)
            with self._send(probes[0], operation, expected=answers) as response:
                if response.status not in _NO_HEAD:
                    return True
            with self._send(probes[1], operation, expected=(200, 206, 416)):
                return True
        except NotFoundError:
            return False
        except AccessDeniedError as error:
            _logger.debug("taken for absent: %s", error)
            return False

    def describe(self, digest: Digest) -> Descriptor:
        """Return the descriptor of a blob of which the digest alone is known.

        Raises:
            NotFoundError: if it is not here.
            RegistryError: if the registry refuses.
            UnsupportedError: if it does not say how large the blob is.
        """
        # Where HEAD is not answered a GET is, whose body is left unread (R23).
        size = self._announced_size("HEAD", digest, (200, *_NO_HEAD))
        if size is None:
            size = self._announced_size("GET", digest, (200,))
        if size is None:
            operation = f"describe blob {digest} of {self._endpoints.name}"
            raise UnsupportedError(operation, "the registry does not tell its size")
        return Descriptor(OCTET_STREAM, digest, size)

    def _announced_size(self, method: str, digest: Digest, expected: tuple[int, ...]) -> int | None:
        operation = f"look for blob {digest} in {self._endpoints.name}"
        request = HttpRequest(method, self._endpoints.blob(digest), _IDENTITY)
        with self._send(request, operation, expected=expected) as response:
            return content_length(response.headers) if response.status == 200 else None

    def fetch(self, descriptor: Descriptor) -> ByteStream:
        """Return a stream of the blob, which goes on where its connection breaks off.

        Raises, also while the stream is read:
            NotFoundError: if it is not here.
            SizeMismatchError: if its size is another than the descriptor's.
            ContentError: if it is sent compressed.
            RegistryError: if the registry refuses it.
            TransportError: if the connection keeps breaking off.
        """
        return self._open(descriptor, _Span(0, descriptor.size))

    def fetch_range(self, descriptor: Descriptor, start: int, length: int) -> ByteStream:
        """Return a stream of `length` bytes of the blob from byte `start` on.

        What a part holds cannot be verified by the digest of the whole.

        Raises: as `fetch`, and `InvalidInputError` if the blob has no such part.
        """
        if start < 0 or length < 0 or start + length > descriptor.size:
            raise InvalidInputError(
                (start, length), f"the blob has no such part, it has {descriptor.size} bytes"
            )
        if length == 0:
            return io.BytesIO()
        return self._open(descriptor, _Span(start, start + length))

    def _open(self, descriptor: Descriptor, span: _Span) -> ByteStream:
        stream = _ResumingStream(self, descriptor, span)
        stream.connect()
        return stream

    def request(self, descriptor: Descriptor, span: _Span) -> tuple[HttpRequest, HttpResponse]:
        """Ask the registry for what is left of a blob, and take 200, 206 and 416.

        Each time it is the registry that is asked: a presigned address of an earlier
        answer may have expired. Where the one that it names now has expired, it is asked
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
            _logger.debug("asking once more where the blob is: %s", error)
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
    """The bytes from `start` to before `end`."""

    start: int
    end: int

    @property
    def header(self) -> str:
        """The value of `Range`; both ends are inclusive there (RFC 9110, section 14.1.2)."""
        return f"bytes={self.start}-{self.end - 1}"


class _ResumingStream:
    """A part of a blob, or all of it, over as many answers as it takes."""

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
        """Ask for what is left.

        Raises:
            SizeMismatchError: if the answer shows that the blob is of another size.
            RegistryError: if it is not what was asked for.
        """
        request, response = self._downloader.request(
            self._descriptor, _Span(self._offset, self._end)
        )
        try:
            refuse_encoding(response, self._what)
            if response.status == 200:
                self._check_size(content_length(response.headers))
                self._to_skip = self._offset  # it starts again
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
        """Compare `Content-Range` with what was asked for (RFC 9110, section 14.4)."""
        text = response.headers.get("Content-Range", "")
        found = re.fullmatch(
            r"\s*bytes\s+(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)\s*", text
        )
        if found and found[3] != "*":
            self._check_size(int(found[3]))
        if response.status == 416 and (found is None or found[3] == "*"):
            # It has fewer bytes than were read already, and does not say how many.
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
                self._break_off(error)
                continue
            if chunk:
                return self._advance(chunk)
            self._break_off(None)
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

    def _break_off(self, error: TransportError | None) -> None:
        """Leave an answer that ended early, to be resumed by the next read, or give up."""
        self._leave()
        self._fruitless += 1
        if self._fruitless >= MAX_FRUITLESS:
            raise error or SizeMismatchError(self._descriptor.size, self._offset, what=self._what)
        self._progress = 0
        _logger.debug("%s broke off at byte %d: %s", self._what, self._offset, error)

    def _read_beyond(self) -> bytes:
        """Look whether the whole blob goes on where it should end."""
        response, self._response = self._response, None
        if response is None:
            return b""
        with response:
            if self._end < self._descriptor.size:
                return b""
            try:
                surplus = response.body.read(1)
            except TransportError:
                return b""  # all that was promised has come
        if surplus:
            size = self._descriptor.size
            raise SizeMismatchError(size, size + len(surplus), what=self._what)
        return b""

    def _leave(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.close()

    def close(self) -> None:
        """Give the connection back."""
        self._closed = True
        self._leave()
