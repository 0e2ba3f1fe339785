"""`Response`: what the registry answered, in the shape that users of `requests` know."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from oras._client.failures import issue_of
from oras_core.content.sources import BytesSource
from oras_core.ports.http import Headers, HttpRequest, HttpResponse

__all__ = ["Response"]

CHUNK = 1024 * 1024


class Response:
    """An HTTP answer: status, header fields, and a body that is read when it is asked for.

    Attributes:
        status_code: the HTTP status.
        reason: the phrase behind it.
        headers: found in any case.
        url: the address that answered.
        request: what it answers.
    """

    def __init__(self, response: HttpResponse, request: HttpRequest | None = None) -> None:
        """Take over `response`, which is closed when the body was read, or by `close`."""
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
        """Return the answer to something that took other requests, or none, to do."""
        body = BytesSource(content).open()
        return cls(HttpResponse(status, Headers(headers or {}), body=body, url=url))

    @property
    def content(self) -> bytes:
        """The whole body. For large blobs use `iter_content`."""
        if self._content is None:
            self._content = b"".join(self.iter_content(CHUNK))
        return self._content

    @property
    def text(self) -> str:
        """The body as text: UTF-8, what is none replaced."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """Return the body's JSON.

        Raises:
            ValueError: if it is none.
        """
        return json.loads(self.content)

    def iter_content(self, chunk_size: int = CHUNK) -> Iterator[bytes]:
        """Yield the body in pieces of at most `chunk_size` bytes; once, if it is large."""
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
            RegistryError: also a ValueError, if the status is 400 or more.
        """
        if not self.ok:
            raise issue_of(self)

    def close(self) -> None:
        """Give the connection back; what was not read is lost."""
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
        """Close it."""
        self.close()

    def __bool__(self) -> bool:
        """Tell whether the status is below 400."""
        return self.ok

    def __repr__(self) -> str:
        """Show the status."""
        return f"<Response [{self.status_code}]>"


def _phrase(status: int) -> str:
    from http import HTTPStatus  # noqa: PLC0415 - only where a transport gives no phrase

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
