"""The HTTP port: one request in, one response with a streamed body out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Protocol, cast

from attrs import field, frozen

from oras_core.errors import redact_url
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.credentials import Unpicklable

__all__ = ["Headers", "HttpRequest", "HttpResponse", "HttpTransport"]

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_ADDRESS_HEADERS = frozenset({"location", "content-location"})
"""May hold a presigned address (R32)."""


def _shown(key: str, value: str) -> str:
    if key in _SECRET_HEADERS:
        return "<hidden>"
    return redact_url(value) if key in _ADDRESS_HEADERS else value


class Headers(Unpicklable, Mapping[str, str]):
    """Header fields: immutable, found in any case (RFC 9110, section 5.1).

    Fields that came several times are one, joined by `, ` (section 5.2).
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Copy `fields`, joining what occurs twice."""
        given = fields.items() if isinstance(fields, Mapping) else fields
        pairs = cast("Iterable[tuple[str, str]]", given)
        kept: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            key = name.lower()
            first, earlier = kept.get(key, (name, ""))
            kept[key] = (first, f"{earlier}, {value}" if key in kept else value)
        self._fields = kept

    def __getitem__(self, name: str) -> str:
        """Return the value of the field `name`, in whatever case."""
        return self._fields[name.lower()][1]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names as they were written."""
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self._fields)

    def __repr__(self) -> str:
        """Show the fields, but no secret."""
        shown = {name: _shown(key, value) for key, (name, value) in self._fields.items()}
        return f"Headers({shown!r})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle fields without secrets; refuse others.

        Raises:
            TypeError: if there is a credential or a cookie.
        """
        if not _SECRET_HEADERS.isdisjoint(self._fields):
            super().__reduce__()
        return Headers, (list(self._fields.values()),)

    def with_fields(self, fields: Mapping[str, str]) -> Headers:
        """Return headers in which `fields` replace those of the same name."""
        replaced = self.without(*fields)
        replaced._fields.update(Headers(fields)._fields)
        return replaced

    def without(self, *names: str) -> Headers:
        """Return headers that lack the fields `names`."""
        rest = Headers()
        rest._fields = dict(self._fields)
        for name in names:
            rest._fields.pop(name.lower(), None)
        return rest


def _as_headers(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    return fields if isinstance(fields, Headers) else Headers(fields)


@frozen
class HttpRequest:
    """One HTTP request.

    Attributes:
        method: in upper case.
        url: absolute.
        headers: to be sent as they are. `Content-Length` is the transport's to add, from
            the body's size; `Host` likewise.
        body: where the body comes from; None for none. It may be opened again for
            another attempt. A size of None means a body of unknown length, sent chunked.
        repeatable: whether it may be sent again where an attempt broke off. Who sends another
            one finds out itself how far it came; transports have nothing to heed.
    """

    method: str
    url: str = field(repr=redact_url)
    headers: Headers = field(factory=Headers, converter=_as_headers)
    body: ByteSource | None = None
    repeatable: bool = field(default=True, kw_only=True)

    def with_headers(self, fields: Mapping[str, str]) -> HttpRequest:
        """Return the request with `fields` set, replacing those of the same name."""
        headers = self.headers.with_fields(fields)
        return HttpRequest(self.method, self.url, headers, self.body, repeatable=self.repeatable)

    def with_body(self, body: ByteSource | None) -> HttpRequest:
        """Return the request with another body."""
        return HttpRequest(self.method, self.url, self.headers, body, repeatable=self.repeatable)


@frozen(eq=False)
class HttpResponse:
    """What came back: status and header fields, and a body still to be read.

    A context manager: leaving it closes the body, which gives the connection back.

    Attributes:
        status: the HTTP status.
        headers: found in any case.
        body: the raw body, not decoded by `Content-Encoding`. Reading raises
            `TransportError` where the connection breaks off, also when fewer bytes come
            than `Content-Length` said.
        reason: the phrase behind the status; may be empty.
        url: the address that answered, after redirects; a plain transport may leave it
            empty.
    """

    status: int
    headers: Headers = field(factory=Headers, converter=_as_headers)
    body: ByteStream = field(kw_only=True, repr=False)
    reason: str = ""
    url: str = field(default="", repr=redact_url)

    def with_body(self, body: ByteStream) -> HttpResponse:
        """Return the response with another body."""
        return HttpResponse(self.status, self.headers, body=body, reason=self.reason, url=self.url)

    def close(self) -> None:
        """Close the body; twice does no harm."""
        self.body.close()

    def __enter__(self) -> HttpResponse:
        """Return the response itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the body."""
        self.close()


class HttpTransport(Protocol):
    """Sends requests. Thread-safe.

    A plain transport, the embedder's ten lines, follows no redirect, retries nothing, adds
    no credentials, decodes no body and keeps no cookies (R13): the core wraps it with
    transports that do what of this is wanted.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` and return as soon as the header fields have come.

        Raises:
            TransportError: where there is no answer. Another exception is taken for one
                that may be retried, and wrapped.
        """
        ...
