"""`Response`: a registry's response, with the interface of `requests.Response`."""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Self

from oras_core.errors import RegistryError, TransportError
from oras_core.forks import ClosedOnExit
from oras_core.ports.http import Headers, HttpRequest, HttpResponse
from oras_core.registry.responses import raise_for_status

if TYPE_CHECKING:
    from oras._client.raw_body import RawBody
    from oras_core.model.digest import Digest

__all__ = ["Response"]

CHUNK = 1024 * 1024

# A link of RFC 8288: a URL, and parameters whose values may be quoted.
_PARAMETER = r';\s*([^\s=;,]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]+))'
_LINK = r'<([^>]*)>((?:[^,<"]|"[^"]*")*)'


class Response(ClosedOnExit):
    """An HTTP response: status, header fields, and a body that is read on access.

    Attributes:
        status_code: the HTTP status.
        reason: the reason phrase.
        headers: the header fields, case-insensitive.
        url: the URL that sent the response, after redirects.
        request: the request, with `method`, `url` and `headers`.
        elapsed: the time from sending the request to the header fields of the response.
        history: always empty: responses of redirects are not kept.
        cookies: always empty: cookies are never stored (R13).
        encoding: the character set of `text`. The default is that of `Content-Type`. None
            means `apparent_encoding`, which is UTF-8.
    """

    apparent_encoding = "utf-8"

    def __init__(
        self,
        response: HttpResponse,
        request: HttpRequest | None = None,
        elapsed: timedelta = timedelta(0),
    ) -> None:
        """Wrap `response`. It is closed when its body has been read, or by `close`."""
        self.status_code: int = response.status
        self.reason: str = response.reason or _phrase(response.status)
        self.headers: Headers = response.headers
        self.url: str = response.url or (request.url if request else "")
        self.request: HttpRequest = request or HttpRequest("GET", self.url)
        self.elapsed = elapsed
        self.history: list[Response] = []
        self.cookies: dict[str, str] = {}
        self.encoding: str | None = _charset(response.headers.get("Content-Type", ""))
        self._body = response.body
        self._content: bytes | None = None
        self._raw: RawBody | None = None

    @classmethod
    def of(
        cls,
        status: int,
        headers: Mapping[str, str] | None = None,
        content: bytes = b"",
        *,
        url: str = "",
    ) -> Self:
        """Return a response for an operation of several requests, or of none."""
        return cls(HttpResponse(status, Headers(headers or {}), body=io.BytesIO(content), url=url))

    @classmethod
    def stored(cls, url: str, digest: Digest, *, status: int = 201) -> Self:
        """Return a response to the push of a blob or manifest."""
        return cls.of(status, {"Docker-Content-Digest": str(digest)}, url=url)

    # --- The body -------------------------------------------------------------------------

    @property
    def content(self) -> bytes:
        """The whole body. Use `iter_content` for large blobs."""
        if self._content is None:
            self._content = b"".join(self.iter_content(CHUNK))
        return self._content

    @property
    def text(self) -> str:
        """The body decoded with `encoding`. Invalid bytes are replaced."""
        return self.content.decode(self.encoding or self.apparent_encoding, "replace")

    @property
    def raw(self) -> RawBody:
        """The unread body as a binary file."""
        from oras._client.raw_body import RawBody  # noqa: PLC0415 - few programs read it

        if self._raw is None:
            self._raw = RawBody(self._read, self.close, self.status_code, self.headers)
        return self._raw

    def json(self, **options: Any) -> Any:
        """Parse the body as JSON, with the `options` of `json.loads`.

        Raises:
            ValueError: if the body is not JSON.
        """
        return json.loads(self.content, **options)

    def iter_content(
        self, chunk_size: int | None = CHUNK, decode_unicode: bool = False
    ) -> Iterator[Any]:
        """Yield the body in pieces of at most `chunk_size` bytes. The stream is read once.

        Args:
            chunk_size: the size of a piece in bytes. None means a size of our choice.
            decode_unicode: yield text instead of bytes.

        Raises:
            TransportError: if the connection breaks.
        """
        pieces = self._pieces(chunk_size or CHUNK)
        if not decode_unicode:
            return pieces
        return codecs.iterdecode(pieces, self.encoding or "utf-8", "replace")

    def iter_lines(
        self,
        chunk_size: int = 512,
        decode_unicode: bool = False,
        delimiter: bytes | str | None = None,
    ) -> Iterator[Any]:
        """Yield the body line by line, without line ends or `delimiter`."""
        rest: Any = None
        for piece in self.iter_content(chunk_size, decode_unicode):
            text: Any = piece if rest is None else rest + piece
            # The last line may continue in the next piece, a CR with its LF.
            *lines, rest = text.split(delimiter) if delimiter else text.splitlines(keepends=True)
            yield from (line if delimiter else line.splitlines()[0] for line in lines)
        if rest:
            yield rest if delimiter else rest.splitlines()[0]

    def __iter__(self) -> Iterator[bytes]:
        """Yield the body in pieces of 128 bytes, as `requests` does."""
        return self._pieces(128)

    def _pieces(self, size: int) -> Iterator[bytes]:
        if self._content is not None:
            for start in range(0, len(self._content), size):
                yield self._content[start : start + size]
            return
        try:
            while chunk := self._read(size):
                yield chunk
        finally:
            self.close()

    def _read(self, size: int) -> bytes:
        try:
            return self._body.read(size)
        except TransportError as error:
            from oras._client.translation import translated  # noqa: PLC0415 - only errors need it

            if (other := translated(error)) is error:
                raise
            raise other from error.__cause__

    # --- The status -----------------------------------------------------------------------

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def is_redirect(self) -> bool:
        """Whether the response is a redirect that was not followed."""
        return "Location" in self.headers and self.status_code in (301, 302, 303, 307, 308)

    @property
    def links(self) -> dict[str, dict[str, str]]:
        """The links of the `Link` header field, by `rel` or else by URL."""
        found = {}
        for url, parameters in re.findall(_LINK, self.headers.get("Link", "")):
            pairs = {
                name: quoted or plain for name, quoted, plain in re.findall(_PARAMETER, parameters)
            }
            found[pairs.get("rel") or url] = {"url": url, **pairs}
        return found

    def raise_for_status(self) -> None:
        """Do nothing if `ok`.

        Raises:
            RegistryError: also a ValueError; if the status is 400 or more.
        """
        if not self.ok:
            raise self.error()

    def error(self) -> RegistryError:
        """Return the error that an unexpected status means; see `oras.errors`."""
        body = io.BytesIO(self.content)
        answer = HttpResponse(self.status_code, self.headers, body=body, url=self.url)
        try:
            raise_for_status(
                self.request, answer, f"complete the {self.request.method}", expected=()
            )
        except RegistryError as error:
            from oras._client.translation import translated  # noqa: PLC0415 - as above

            other: Any = translated(error)
            other.response, other.request = self, self.request
            return other  # type: ignore[no-any-return]
        raise AssertionError("no status is expected, so an error was raised")

    def close(self) -> None:
        """Release the connection. Unread bytes are discarded."""
        self._body.close()

    def __bool__(self) -> bool:
        """Return whether the status is below 400."""
        return self.ok

    def __repr__(self) -> str:
        """Return the class and the status."""
        return f"<Response [{self.status_code}]>"


def _charset(content_type: str) -> str | None:
    found = re.search(r";\s*charset=[\"']?([^\s;\"']+)", content_type, re.IGNORECASE)
    try:
        return codecs.lookup(found[1]).name if found else None
    except LookupError:
        return None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
