"""Streams of a blob that resume when the connection fails (R35)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from oras_core.content.reading import CHUNK_SIZE, read_rest
from oras_core.errors import SizeMismatchError, TransportError, TransportTimeoutError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.http import HttpRequest, HttpResponse
from oras_core.registry.header_fields import content_length
from oras_core.registry.responses import protocol_error

__all__ = ["ContentRange", "Request", "ResumingStream", "Span"]

_logger = logging.getLogger(__name__)

MAX_FRUITLESS: Final = 5
"""Connection failures in a row without `PROGRESS`, after which a download fails."""

PROGRESS: Final = 64 * 1024
"""Bytes that count as progress: a connection that fails after each byte makes none."""

FRUITLESS_TIMEOUT: Final = 3
"""How much an interruption by a timeout counts: a server that was silent twice stays so."""


@frozen
class Span:
    """The bytes from offset `start` up to, but not including, offset `end`."""

    start: int
    end: int

    @property
    def header(self) -> str:
        """The value of `Range`, whose ends are inclusive (RFC 9110, section 14.1.2)."""
        return f"bytes={self.start}-{self.end - 1}"


@frozen
class ContentRange:
    """The value of `Content-Range` (RFC 9110, section 14.4); -1 and None for missing numbers."""

    text: str
    start: int = -1
    last: int = -1
    total: int | None = None

    @classmethod
    def of(cls, response: HttpResponse) -> ContentRange:
        """Parse the field of `response`."""
        text = response.headers.get("Content-Range", "").strip()
        found = re.fullmatch(r"bytes\s+(?:([0-9]{1,19})-([0-9]{1,19})|\*)/([0-9]{1,19}|\*)", text)
        if found is None:
            return cls(text)
        start, last = (int(found[1]), int(found[2])) if found[1] else (-1, -1)
        return cls(text, start, last, None if found[3] == "*" else int(found[3]))


Request = Callable[[Span], tuple[HttpRequest, HttpResponse]]
"""Requests a span of a blob; raises errors of the registry."""


class ResumingStream:
    """A span of a blob, read from as many responses as needed."""

    def __init__(self, request: Request, descriptor: Descriptor, span: Span, *, where: str) -> None:
        """Read `span` through `request`. Nothing is requested yet; see `connect`.

        `where` is the name of the repository, for errors.
        """
        self._request = request
        self._descriptor = descriptor
        self._offset = span.start
        self._end = span.end
        self.what: str = f"blob {descriptor.digest} of {where}"
        self._response: HttpResponse | None = None
        self._to_skip = 0
        self._closed = False
        self._fruitless = 0
        self._progress = 0

    @property
    def starts_over(self) -> bool:
        """Whether the response starts at offset 0 instead of the requested offset."""
        return self._to_skip > 0

    def connect(self) -> None:
        """Request the bytes that are still missing.

        Raises:
            SizeMismatchError: if the response shows that the blob has another size.
            RegistryError: if the response holds another range.
        """
        request, response = self._request(Span(self._offset, self._end))
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
        found = ContentRange.of(response)
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
            return read_rest(self)
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
            skipped = body.read(min(self._to_skip, CHUNK_SIZE))
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
            if error is None:
                raise SizeMismatchError(self._descriptor.size, self._offset, what=self.what)
            error.during(f"pull {self.what}")
            raise error
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
