"""Read lists page by page; `Link` names the next page (RFC 8288, R27)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from oras_core.errors import RegistryError, SizeLimitError, UnsafeRedirectError
from oras_core.model.limits import Limits
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.responses import exchange_body, parse_json, protocol_error
from oras_core.registry.transports.redirects import origin_of, resolve_location

__all__ = ["Page", "next_link", "paginate", "paginate_by"]

_logger = logging.getLogger(__name__)

_PAGE_SIZE_REFUSED: Final = (400, 413, 416, 422)


@cache
def _link_grammar() -> tuple[re.Pattern[str], re.Pattern[str]]:
    # RFC 8288, section 3: <URI-Reference> *( ; token [ = ( token / quoted-string ) ] )
    parameter = r"\s*;\s*([\w!#$&+.^`|~*-]+)(?:\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s;,\"]+)))?"
    return re.compile(rf"[\s,]*+<([^>]*)>((?:{parameter})*)"), re.compile(parameter)


def next_link(headers: Headers, url: str) -> str | None:
    """Return the URL of the next page; None on the last page.

    Args:
        headers: the header fields of the answer; `Link` may hold several links.
        url: the URL of the page; the link is relative to it.

    Raises:
        UnsafeRedirectError: if the next page is at another origin. That host would learn
            what is being listed, and its answer would be taken for the registry's.
    """
    text = headers.get("Link", "")
    if not text:
        return None
    link, parameter = _link_grammar()
    position = 0
    while found := link.match(text, position):
        position = found.end()
        for name, quoted, token in parameter.findall(found[2]):
            if name.lower() == "rel" and "next" in (quoted or token).lower().split():
                return _resolve(url, found[1])
    return None


def _resolve(url: str, target: str) -> str:
    resolved = resolve_location(url, target)
    if origin_of(resolved) != origin_of(url):
        raise UnsafeRedirectError(url, resolved, "the next page is at another origin")
    return resolved


class Page(NamedTuple):
    """One page of a list: a JSON object.

    Attributes:
        request: the request for the page.
        response: the answer; its body has been read.
        operation: what is being done, for errors.
        members: the members of the object.
    """

    request: HttpRequest
    response: HttpResponse
    operation: str
    members: dict[str, Any]

    def entries(self, member: str) -> list[Any]:
        """Return the list in `member`; an empty one if it is null or absent.

        Raises:
            RegistryError: if `member` is not a list.
        """
        values = self.members.get(member)
        if values is None:
            return []
        if not isinstance(values, list):
            raise protocol_error(
                self.request, self.response, self.operation, f"{member!r} is not a list"
            )
        return values

    def strings(self, member: str) -> list[str]:
        """Return the strings in the list `member`; some registries also list nulls (R27)."""
        return [value for value in self.entries(member) if isinstance(value, str)]


def paginate(
    transport: HttpTransport,
    url: str,
    operation: str,
    *,
    limits: Limits,
    accept: str = "application/json",
) -> Iterator[Page]:
    """Iterate over the pages of a list; each is requested when the caller reaches it.

    Args:
        transport: sends the requests.
        url: the URL of the first page.
        operation: what is being done, for errors.
        limits: the limits on the size and the number of pages.
        accept: the media type to accept.

    Raises:
        RegistryError: if the registry refuses, or a page is not a JSON object.
        SizeLimitError: if a page is too large, or there are more than `limits.pages`.
        UnsafeRedirectError: if the next page was already read, or is at another origin.
    """
    seen: set[str] = set()
    following: str | None = url
    while following is not None:
        if len(seen) >= limits.pages:
            raise SizeLimitError(f"answer to '{operation}'", limits.pages, unit="pages")
        seen.add(following)
        request = HttpRequest("GET", following, {"Accept": accept})
        response, body = exchange_body(transport, request, operation, limit=limits.listing_body)
        members = parse_json(request, response, operation, body)
        yield Page(request, response, operation, members)
        following = next_link(response.headers, request.url)
        if following in seen:
            raise UnsafeRedirectError(request.url, following, "that page has already been read")


def paginate_by(
    transport: HttpTransport,
    url_of: Callable[[int | None], str],
    page_size: int | None,
    operation: str,
    *,
    limits: Limits,
) -> Iterator[Page]:
    """Iterate over the pages of a list as `paginate`, with a page size that may be refused.

    A registry with a maximum refuses larger pages (R27). The list is then read in pages of
    the registry's own size.

    Args:
        transport: sends the requests.
        url_of: returns the URL of the first page for a page size.
        page_size: the number of entries on a page; None for the registry's default.
        operation: what is being done, for errors.
        limits: the limits on the size and the number of pages.

    Raises: as `paginate`.
    """
    pages = paginate(transport, url_of(page_size), operation, limits=limits)
    try:
        first = next(pages)
    except RegistryError as error:
        if page_size is None or error.status not in _PAGE_SIZE_REFUSED:
            raise
        _logger.debug("reading pages of the registry's own size: %s", error)
        pages = paginate(transport, url_of(None), operation, limits=limits)
    else:
        yield first
    yield from pages
