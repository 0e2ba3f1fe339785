"""Requests to an embedded registry, taken apart, and its answers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from attrs import field, frozen

from oras_core.errors import InvalidDigestError, SizeMismatchError
from oras_core.model.digest import Digest
from oras_core.model.reference import is_repository
from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse

__all__ = ["ApiError", "Call", "answer", "body_chunks", "digest_of", "json_answer", "page_of"]

CHUNK: Final = 1024 * 1024
"""Bytes of an upload read at a time."""

CallKind = Literal[
    "ping", "catalog", "blob", "uploads", "upload", "manifest", "tags", "referrers", "none"
]
"""The part of the registry API that a request concerns; "none" for other paths."""


class ApiError(Exception):
    """An error of the distribution spec, which becomes the answer to a request.

    Attributes:
        status: the HTTP status.
        code: the spec's error code, e.g. `BLOB_UNKNOWN`.
        message: a text for people.
        headers: additional header fields.
    """

    def __init__(
        self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> None:
        """Set the facts of the answer."""
        self.status = status
        self.code = code
        self.message = message
        self.headers: dict[str, str] = dict(headers or {})
        super().__init__(f"{status} {code}: {message}")

    def response(self) -> HttpResponse:
        """Return the answer with the spec's JSON body."""
        errors = [{"code": self.code, "message": self.message, "detail": None}]
        return json_answer(self.status, {"errors": errors}, self.headers)


@frozen
class Call:
    """A request, split into its parts.

    Attributes:
        kind: the endpoint, or `none` if there is no such endpoint.
        request: the whole request.
        repository: the repository name in the path, or an empty string.
        item: the last part of the path: a digest, a tag, a session, or an empty string.
        query: the parameters; the last one of each name.
        tags: the values of all parameters `tag`, in their order.
    """

    kind: CallKind
    request: HttpRequest = field(repr=False)
    repository: str = ""
    item: str = ""
    query: Mapping[str, str] = field(factory=dict)
    tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, request: HttpRequest) -> Call:
        """Split `request` into its parts.

        Raises:
            ApiError: if the repository name does not match the grammar of the spec (R36).
        """
        url = urlsplit(request.url)
        path = unquote(url.path)
        pairs = parse_qsl(url.query, keep_blank_values=True)
        query = dict(pairs)
        tags = tuple(value for name, value in pairs if name == "tag")
        for kind, pattern in _routes():
            if match := pattern.fullmatch(path):
                found = match.groupdict()
                name = found.get("name") or ""
                if "name" in found and not is_repository(name):
                    raise ApiError(400, "NAME_INVALID", f"{name!r} is no repository name")
                return cls(kind, request, name, found.get("item") or "", query, tags)
        return cls("none", request, query=query)

    @property
    def method(self) -> str:
        """The HTTP method."""
        return self.request.method


@cache
def _routes() -> tuple[tuple[CallKind, re.Pattern[str]], ...]:
    # A repository name may contain `blobs` or `manifests`: the last such part counts.
    routes: tuple[tuple[CallKind, str], ...] = (
        ("ping", "/v2/?"),
        ("catalog", "/v2/_catalog"),
        ("uploads", "/v2/(?P<name>.+)/blobs/uploads/?"),
        ("upload", "/v2/(?P<name>.+)/blobs/uploads/(?P<item>[^/]+)"),
        ("blob", "/v2/(?P<name>.+)/blobs/(?P<item>[^/]+)"),
        ("manifest", "/v2/(?P<name>.+)/manifests/(?P<item>[^/]+)"),
        ("tags", "/v2/(?P<name>.+)/tags/list"),
        ("referrers", "/v2/(?P<name>.+)/referrers/(?P<item>[^/]+)"),
    )
    return tuple((kind, re.compile(pattern)) for kind, pattern in routes)


def digest_of(text: str) -> Digest:
    """Read a digest from a path or a query.

    Raises:
        ApiError: if the text is not a digest.
    """
    try:
        return Digest.parse(text)
    except InvalidDigestError as error:
        raise ApiError(400, "DIGEST_INVALID", error.reason) from error


def body_chunks(request: HttpRequest) -> Iterator[bytes]:
    """Iterate over the request body as it arrives.

    Raises:
        SizeMismatchError: if the body is longer or shorter than announced.
    """
    if request.body is None:
        return
    announced = request.body.size
    count = 0
    stream = request.body.open()
    try:
        while chunk := stream.read(CHUNK):
            count += len(chunk)
            yield chunk
    finally:
        stream.close()
    if announced is not None and count != announced:
        raise SizeMismatchError(announced, count, what="the body to be sent")


def answer(
    status: int,
    headers: Mapping[str, str] | None = None,
    body: ByteStream | None = None,
    *,
    size: int = 0,
) -> HttpResponse:
    """Return an answer with `size` bytes in its body."""
    fields = {"Docker-Distribution-Api-Version": "registry/2.0", **(headers or {})}
    if status != 204:
        fields["Content-Length"] = str(size)
    return HttpResponse(
        status, fields, body=body or io.BytesIO(), reason=_phrases().get(status, "")
    )


def json_answer(
    status: int, document: object, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    """Return an answer with a JSON body."""
    content = json.dumps(document).encode()
    fields = {"Content-Type": "application/json", **(headers or {})}
    return answer(status, fields, io.BytesIO(content), size=len(content))


def page_of(call: Call, items: list[str]) -> tuple[list[str], dict[str, str]]:
    """Return the page of sorted `items` that `n` and `last` select.

    Returns:
        The page, and a `Link` field if there is a next page.

    Raises:
        ApiError: if `n` is not a number.
    """
    if "last" in call.query:
        items = [item for item in items if item > call.query["last"]]
    if "n" not in call.query:
        return items, {}
    if not re.fullmatch("[0-9]{1,9}", call.query["n"]):
        raise ApiError(400, "UNSUPPORTED", "n is not a number")
    count = int(call.query["n"])
    page = items[:count]
    if not page or len(page) == len(items):
        return page, {}
    path = quote(urlsplit(call.request.url).path)
    following = urlencode({"last": page[-1], "n": count})
    return page, {"Link": f'<{path}?{following}>; rel="next"'}


@cache
def _phrases() -> Mapping[int, str]:
    return {
        200: "OK",
        201: "Created",
        202: "Accepted",
        204: "No Content",
        206: "Partial Content",
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        413: "Content Too Large",
        414: "URI Too Long",
        416: "Range Not Satisfiable",
    }
