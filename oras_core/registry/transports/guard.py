"""Translates the exceptions of a foreign transport to `TransportError`.

An embedder's transport raises the exceptions of its HTTP library. Only this module translates
them to those of the port, while a request is sent and while a response's body is read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, NoReturn, TypeVar

from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import (
    CancelledError,
    OrasError,
    TransportError,
    TransportTimeoutError,
    redact_url,
)
from oras_core.errors.redaction import may_be_printed, redact_text
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.header_fields import content_length

__all__ = ["Guarded", "WatchedBody"]

T = TypeVar("T")

_MAX_REASON: Final = 300
"""Characters of a foreign exception's text that a message repeats."""

_BODYLESS: Final = frozenset({204, 304})


def _fail(request: HttpRequest, error: Exception) -> NoReturn:
    """Raise the port's error in place of `error`."""
    reason = type(error).__name__
    shown = redact_text(str(error))[:_MAX_REASON]
    if shown:
        reason = f"{reason}: {shown}"
    kind = TransportTimeoutError if isinstance(error, TimeoutError) else TransportError
    raise kind(request.method, request.url, reason) from (error if may_be_printed(error) else None)


def _cancelled(request: HttpRequest) -> CancelledError:
    return CancelledError(f"{request.method} {redact_url(request.url)}")


class WatchedBody:
    """A request's body that keeps its own failure, to tell it from one of the connection.

    Whatever a transport, or a registry in this process, makes of the failure, `Guarded` raises
    it unchanged. A caller that must know the difference passes a `WatchedBody` itself.

    Attributes:
        failure: what the body raised; None if it did not fail.
    """

    def __init__(self, source: ByteSource) -> None:
        """Watch `source`, and let the thread's token cancel its streams."""
        self._source = source
        self._token = current_token()
        self.failure: Exception | None = None

    @property
    def size(self) -> int | None:
        """The size of the source in bytes."""
        return self._source.size

    def open(self) -> ByteStream:
        """Open the source."""
        return _WatchedStream(self.watched(self._source.open), self)

    def watched(self, read: Callable[[], T]) -> T:
        """Return what `read` returns, or keep its failure; raise if the token is cancelled."""
        try:
            self._token.raise_if_cancelled("send the body of a request")
            return read()
        except Exception as error:
            self.failure = error
            raise


class _WatchedStream:
    def __init__(self, stream: ByteStream, body: WatchedBody) -> None:
        self._stream = stream
        self._body = body

    def read(self, size: int = -1, /) -> bytes:
        return self._body.watched(partial(self._stream.read, size))

    def close(self) -> None:
        self._stream.close()


class _GuardedStream:
    """A response's body that raises only the port's errors, also if it ends early."""

    def __init__(
        self, stream: ByteStream, request: HttpRequest, length: int | None, token: CancelToken
    ) -> None:
        self._stream = stream
        self._request = request
        self._length = length
        self._token = token
        self._count = 0

    def read(self, size: int = -1, /) -> bytes:
        if self._token.cancelled:
            raise _cancelled(self._request)
        try:
            data = self._stream.read(size)
        except Exception as error:
            if self._token.cancelled:
                raise _cancelled(self._request) from None
            if isinstance(error, OrasError):
                raise
            _fail(self._request, error)
        self._count += len(data)
        ended = size < 0 or (size > 0 and not data)
        if not ended or self._count == self._length:
            return data
        if self._token.cancelled:  # the cancellation may have ended the body
            raise _cancelled(self._request)
        if self._length is not None and self._count < self._length:
            raise TransportError(
                self._request.method,
                self._request.url,
                f"the response ended after {self._count} of {self._length} bytes",
            )
        return data

    def close(self) -> None:
        self._stream.close()


def _promised_length(request: HttpRequest, response: HttpResponse) -> int | None:
    """Return the length of the response's body in bytes; None if it is unknown."""
    if request.method == "HEAD" or response.status in _BODYLESS:
        return None
    if "Content-Encoding" in response.headers or "Transfer-Encoding" in response.headers:
        return None
    return content_length(response.headers)


class Guarded:
    """A transport that raises only the library's own errors.

    An error of the request's body is raised unchanged: an unreadable file is no network
    failure, and a retry would not help.

    Once the thread's token is cancelled, every error becomes a `CancelledError`. An interrupt
    of the thread cancels the token.
    """

    def __init__(self, transport: HttpTransport) -> None:
        """Wrap `transport`."""
        self._transport = transport

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`.

        Raises:
            TransportError: if there is no response, or the transport raised something else.
            CancelledError: if the thread's token is cancelled before or meanwhile.
        """
        token = current_token()
        if token.cancelled:
            raise _cancelled(request)
        watched = _watched(request.body)
        try:
            response = self._transport.send(request.with_body(watched))
            if watched is not None and watched.failure is not None:
                response.close()
                raise watched.failure
        except Exception as error:
            if token.cancelled:
                raise _cancelled(request) from None
            if watched is not None and watched.failure is not None:
                raise watched.failure from None
            if isinstance(error, OrasError):
                raise
            _fail(request, error)
        except BaseException:
            # An interrupt: the threads that this one waits for must end, too.
            token.cancel()
            raise
        length = _promised_length(request, response)
        return response.with_body(_GuardedStream(response.body, request, length, token))


def _watched(body: ByteSource | None) -> WatchedBody | None:
    if body is None or isinstance(body, WatchedBody):
        return body
    return WatchedBody(body)
