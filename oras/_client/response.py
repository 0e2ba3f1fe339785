"""`Response`: a registry's response, with the interface of `requests.Response`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from oras._client.failures import refusal
from oras_core.content.sources import BytesSource
from oras_core.errors import RegistryError
from oras_core.ports.http import Headers, HttpRequest, HttpResponse

__all__ = ["Response"]

CHUNK = 1024 * 1024


class Response:
    """An HTTP response: status, header fields, and a body that is read on access.

    Attributes:
        status_code: the HTTP status.
        reason: the reason phrase.
        headers: the header fields, case-insensitive.
        url: the URL that sent the response, after redirects.
        request: the request.
    """

    def __init__(self, response: HttpResponse, request: HttpRequest | None = None) -> None:
        """Wrap `response`. It is closed when its body has been read, or by `close`."""
        self.status_code = response.status
        self.reason = response.reason or _phrase(response.status)
        self.headers: Headers = response.headers
        self.url = response.url or (request.url if request else "")
        self.request = request or HttpRequest("GET", self.url)
        self._body = response.body
        self._content: bytes | None = None

    @classmethod
    def of(
        cls,
        status: int,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        *,
        url: str = "",
    ) -> Response:
        """Return a response that stands for an operation of several requests, or of none."""
        body = BytesSource(content).open()
        return cls(HttpResponse(status, Headers(headers or {}), body=body, url=url))

    @property
    def content(self) -> bytes:
        """The whole body. Use `iter_content` for large blobs."""
        if self._content is None:
            self._content = b"".join(self.iter_content(CHUNK))
        return self._content

    @property
    def text(self) -> str:
        """The body decoded as UTF-8. Invalid bytes are replaced."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Parse the body as JSON.

        Raises:
            ValueError: if the body is not JSON.
        """
        return json.loads(self.content)

    def iter_content(self, chunk_size: int = CHUNK) -> Iterator[bytes]:
        """Yield the body in pieces of at most `chunk_size` bytes. The stream is read once."""
        if self._content is not None:
            for start in range(0, len(self._content), chunk_size):
                yield self._content[start : start + chunk_size]
            return
        try:
            while chunk := self._body.read(chunk_size):
                yield chunk
        finally:
            self.close()

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    def raise_for_status(self) -> None:
        """Do nothing if `ok`.

        Raises:
            RegistryError: also a ValueError; if the status is 400 or more.
        """
        if not self.ok:
            raise self.error()

    def error(self) -> RegistryError:
        """Return the error that an unexpected status means, also a ValueError."""
        body = BytesSource(self.content).open()
        answer = HttpResponse(self.status_code, Headers(self.headers), body=body, url=self.url)
        return refusal(self.request, answer)

    def close(self) -> None:
        """Release the connection. Unread bytes are discarded."""
        self._body.close()

    def __enter__(self) -> Response:
        """Return the response itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the response."""
        self.close()

    def __bool__(self) -> bool:
        """Return whether the status is below 400."""
        return self.ok

    def __repr__(self) -> str:
        """Return the class and the status."""
        return f"<Response [{self.status_code}]>"


def _phrase(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - rarely needed

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
