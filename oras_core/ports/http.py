"""The HTTP port: one request in, one response with a streamed body out."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar, cast, overload

from attrs import evolve, field, frozen

from oras_core.errors import redact_url
from oras_core.forks import ClosedOnExit, Unpicklable
from oras_core.model.values import Value
from oras_core.ports.content import ByteSource, ByteStream

__all__ = ["Headers", "HttpRequest", "HttpResponse", "HttpTransport"]

T = TypeVar("T")

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "set-cookie"})

_ADDRESS_HEADERS = frozenset({"location", "content-location"})
"""May hold a presigned address (R32)."""


def _shown(key: str, value: str) -> str:
    if key in _SECRET_HEADERS:
        return "<hidden>"
    return redact_url(value) if key in _ADDRESS_HEADERS else value


class Headers(Unpicklable, Mapping[str, str]):
    """Header fields: immutable, with case-insensitive names (RFC 9110, section 5.1).

    Repeated fields are joined by a comma and a space (section 5.2).
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, str] | Iterable[tuple[str, str]] = ()) -> None:
        """Copy `fields` and join repeated ones."""
        given = fields.items() if isinstance(fields, Mapping) else fields
        pairs = cast("Iterable[tuple[str, str]]", given)
        kept: dict[str, tuple[str, str]] = {}
        for name, value in pairs:
            key = name.lower()
            first, earlier = kept.get(key, (name, ""))
            kept[key] = (first, f"{earlier}, {value}" if key in kept else value)
        self._fields = kept

    def __getitem__(self, name: str) -> str:
        """Return the value of the field `name`."""
        return self._fields[name.lower()][1]

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a field `name`."""
        return isinstance(name, str) and name.lower() in self._fields

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names in their original case."""
        return (name for name, _ in self._fields.values())

    def __len__(self) -> int:
        """Return the number of fields."""
        return len(self._fields)

    # Mapping's own `get` raises and catches an error for each field that is missing, and its
    # `items` looks each name up. Every request uses both.

    @overload
    def get(self, key: str, /) -> str | None: ...
    @overload
    def get(self, key: str, /, default: str | T) -> str | T: ...
    def get(self, key: str, /, default: str | T | None = None) -> str | T | None:
        """Return the value of the field `key`; `default` if there is none."""
        field = self._fields.get(key.lower())
        return default if field is None else field[1]

    def items(self) -> ItemsView[str, str]:
        """Return the names in their original case, with the values."""
        return dict(self._fields.values()).items()

    def __repr__(self) -> str:
        """Show the fields without secrets."""
        shown = {name: _shown(key, value) for key, (name, value) in self._fields.items()}
        return f"Headers({shown!r})"

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the fields if none holds a secret.

        Raises:
            TypeError: if a field holds a credential or a cookie.
        """
        if not _SECRET_HEADERS.isdisjoint(self._fields):
            super().__reduce__()
        return Headers, (list(self._fields.values()),)

    def with_fields(self, fields: Mapping[str, str]) -> Headers:
        """Return headers in which `fields` replace fields of the same names."""
        replaced = self.without(*fields)
        replaced._fields.update(Headers(fields)._fields)
        return replaced

    def with_defaults(self, fields: Headers) -> Headers:
        """Return headers with those of `fields` that are missing in these ones."""
        completed = Headers.__new__(Headers)  # its constructor would check valid fields again
        completed._fields = {**self._fields, **fields._fields, **self._fields}
        return completed

    def without(self, *names: str) -> Headers:
        """Return headers without the fields `names`."""
        rest = Headers()
        rest._fields = dict(self._fields)
        for name in names:
            rest._fields.pop(name.lower(), None)
        return rest


def _as_headers(fields: Mapping[str, str] | Iterable[tuple[str, str]]) -> Headers:
    return fields if isinstance(fields, Headers) else Headers(fields)


@frozen(eq=False, repr=False)
class HttpRequest(Value):
    """One HTTP request.

    Attributes:
        method: in upper case.
        url: absolute.
        headers: sent unchanged. The transport adds `Content-Length`, from the body's size,
            and `Host`.
        body: the source of the body; None for no body. It may be opened again for another
            attempt. A size of None means an unknown length; the body is sent chunked.
        repeatable: whether the request may be sent again after a broken connection or a 5xx.
            If not, the caller finds out how much the server received. Plain transports ignore this.
    """

    method: str
    url: str = field(repr=redact_url)
    headers: Headers = field(factory=Headers, converter=_as_headers)
    body: ByteSource | None = None
    repeatable: bool = field(default=True, kw_only=True)

    def with_headers(self, fields: Mapping[str, str]) -> HttpRequest:
        """Return the request with `fields`, which replace fields of the same names."""
        return self._with(self.headers.with_fields(fields))

    def with_defaults(self, fields: Headers) -> HttpRequest:
        """Return the request with those of `fields` that it lacks."""
        return self._with(self.headers.with_defaults(fields))

    def _with(self, headers: Headers) -> HttpRequest:
        return HttpRequest(self.method, self.url, headers, self.body, repeatable=self.repeatable)

    def with_body(self, body: ByteSource | None) -> HttpRequest:
        """Return the request with another body."""
        return HttpRequest(self.method, self.url, self.headers, body, repeatable=self.repeatable)


@frozen(eq=False)
class HttpResponse(ClosedOnExit):
    """One HTTP response: status, header fields, and a body that is still to be read.

    A context manager: leaving it closes the body, which releases the connection.

    Attributes:
        status: the HTTP status.
        headers: the header fields.
        body: the raw body, not decoded by `Content-Encoding`. Reading raises
            `TransportError` if the connection breaks, also if the body is shorter than
            `Content-Length`.
        reason: the reason phrase; may be empty.
        url: the address of the response, after redirects; a plain transport may leave it
            empty.
        repeated: whether the server may have carried out the request at an earlier attempt,
            which a transport has repeated.
        explanation: what the client knows of the cause of an error status; may be empty.
    """

    status: int
    headers: Headers = field(factory=Headers, converter=_as_headers)
    body: ByteStream = field(kw_only=True, repr=False)
    reason: str = ""
    url: str = field(default="", repr=redact_url)
    repeated: bool = field(default=False, kw_only=True)
    explanation: str = field(default="", kw_only=True)

    def with_body(self, body: ByteStream) -> HttpResponse:
        """Return the response with another body."""
        # Not `evolve`: every response passes here, and this takes a third of the time.
        return HttpResponse(
            self.status,
            self.headers,
            body=body,
            reason=self.reason,
            url=self.url,
            repeated=self.repeated,
            explanation=self.explanation,
        )

    def following(self, earlier: HttpResponse) -> HttpResponse:
        """Return the response, to the same request as `earlier`, with what `earlier` repeated."""
        return evolve(self, repeated=True) if earlier.repeated else self

    def close(self) -> None:
        """Close the body. A second call does nothing."""
        self.body.close()


class HttpTransport(Protocol):
    """Sends requests. Thread-safe.

    A plain transport, which an embedder writes in ten lines, follows no redirect, retries
    nothing, adds no credentials, decodes no body and keeps no cookies (R13). The core wraps
    it with transports that do these things where needed.
    """

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` and return as soon as the header fields have arrived.

        Raises:
            TransportError: if there is no response. Any other exception is wrapped in one
                that may be retried.
        """
        ...
