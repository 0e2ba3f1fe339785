"""Which redirects of a registry are followed, and the transport that follows them.

Registries keep blobs in object storage and redirect to it (R35). Another host is another
party: it gets no credentials, and some addresses are refused (R10, R18).
"""

from __future__ import annotations

import logging
import re
from functools import cache, lru_cache
from typing import Final
from urllib.parse import SplitResult, quote, urljoin, urlsplit, urlunsplit

from attrs import evolve

from oras_core.errors import InvalidInputError, UnsafeRedirectError, redact_url
from oras_core.model.hosts import may_lead_to, reach_of
from oras_core.model.limits import Limits
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.header_fields import content_type

__all__ = ["RedirectFollower", "origin_of", "resolve_location", "without_secrets"]

_LOGGER = logging.getLogger(__name__)

HOSTS: Final = 256
"""Hosts in the cache of parsed addresses; a client uses a few."""

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEEPS_METHOD: Final = frozenset({307, 308})
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})

# The only fields sent to another origin. Any other field may hold a secret: Authorization,
# Cookie, or one that the user set (R10).
_HARMLESS: Final = (
    "Accept",
    "Accept-Encoding",
    "Content-Range",
    "Content-Type",
    "If-Range",
    "Range",
    "User-Agent",
)

_FORM: Final = "application/x-www-form-urlencoded"

_URL_CHARACTERS: Final = "%:/?#[]@!$&'()*+,;="

_MALFORMED: Final = "<malformed address>"


@cache
def _forbidden() -> re.Pattern[str]:
    # `urlsplit` silently removes control characters; clients disagree about the backslash.
    return re.compile(r"[\x00-\x1f\x7f\\]")


def _port_of(parts: SplitResult) -> int:
    return parts.port or _DEFAULT_PORTS[parts.scheme]


def origin_of(url: str) -> str:
    """Return scheme, host and port of `url`, the port left out where it is the default.

    Two URLs belong to one party only if their origins are equal (RFC 6454): the same host
    with another scheme or port is another party.

    Raises:
        InvalidInputError: if `url` is not an absolute http or https URL.
    """
    try:
        parts = urlsplit(url)
        origin = _origin(parts.scheme, parts.netloc)
    except ValueError as error:
        raise InvalidInputError(redact_url(url), str(error)) from None
    if origin is None:
        raise InvalidInputError(redact_url(url), "expected an http or https URL with a host")
    return origin


@lru_cache(maxsize=HOSTS)
def _origin(scheme: str, netloc: str) -> str | None:
    parts = SplitResult(scheme, netloc, "", "", "")
    host, port = parts.hostname, parts.port
    if scheme not in _DEFAULT_PORTS or not host:
        return None
    shown = f"[{host}]" if ":" in host else host
    if port is None or port == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{shown}"
    return f"{scheme}://{shown}:{port}"


@lru_cache(maxsize=HOSTS)
def _refusal(base_scheme: str, scheme: str, netloc: str, registry_host: str) -> str:
    """Return why a step to `scheme://netloc` is refused; empty where it is not.

    Raises:
        ValueError: if the port is malformed.
    """
    target = SplitResult(scheme, netloc, "", "", "")
    _port_of(target._replace(scheme="https"))  # a malformed port is a ValueError
    host = target.hostname or ""
    reach = reach_of(host)
    refusals = {
        "the scheme is not http or https": target.scheme not in _DEFAULT_PORTS,
        "it leads from https to unencrypted http": base_scheme == "https" != target.scheme,
        "it names no host": not host,
        "it holds a user name": "@" in target.netloc,
        "the host is not plain ASCII": not host.isascii() or ("%" in host and ":" not in host),
        f"it leads to a {reach} address, where the registry itself is not": not may_lead_to(
            reach_of(registry_host), reach
        ),
    }
    return next((reason for reason, holds in refusals.items() if holds), "")


def resolve_location(base_url: str, location: str, *, registry_url: str = "") -> str:
    """Return the absolute URL of a `Location` in a response from `base_url` (R18).

    A location may be a URL, a path or a query. An explicit port is kept, a fragment dropped.

    Args:
        base_url: the address of the response, `HttpResponse.url`.
        location: the field's value.
        registry_url: an address of the registry that got the first request. Its reach decides
            whether private addresses are allowed; by default `base_url`.

    Raises:
        UnsafeRedirectError: if the location is malformed, or leads from https to http, to
            another scheme, or to a private, loopback or link-local address that the
            registry's own address does not allow.
    """
    if not location.strip() or _forbidden().search(location):
        reason = "control characters" if location.strip() else "nothing"
        raise UnsafeRedirectError(base_url, _MALFORMED, f"the address holds {reason}")
    try:
        joined = quote(location.strip(), safe=_URL_CHARACTERS)
        target = urlsplit(joined)
        if not (target.scheme and target.netloc):
            joined = urljoin(base_url, joined)
            target = urlsplit(joined)
        reason = _refusal(
            urlsplit(base_url).scheme,
            target.scheme,
            target.netloc,
            urlsplit(registry_url or base_url).hostname or "",
        )
    except ValueError as error:
        raise UnsafeRedirectError(
            base_url, _MALFORMED, f"the address is malformed: {error}"
        ) from None
    if reason:
        raise UnsafeRedirectError(base_url, joined, reason)
    return urlunsplit(target._replace(fragment=""))


def without_secrets(request: HttpRequest) -> HttpRequest:
    """Return the request with only the header fields that another origin may see."""
    kept = {name: request.headers[name] for name in _HARMLESS if name in request.headers}
    return evolve(request, headers=Headers(kept))


class RedirectFollower:
    """A transport that follows redirects, within the rules of `resolve_location`.

    GET and HEAD follow every redirect and keep their method (R23). Other methods follow only
    307 and 308, which allow repeating method and body; other redirects are returned as the
    response. The response's `url` is the last address.

    Another origin gets no credentials (R10), nor does any later address of the same request.
    A form is never sent to another origin: it may hold a refresh token.
    """

    def __init__(self, transport: HttpTransport, limits: Limits | None = None) -> None:
        """Wrap `transport`; `limits.redirects` is the number of hops of one request."""
        self._transport = transport
        self._hops = (limits or Limits()).redirects

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`, and again to every address it is redirected to.

        Raises:
            TransportError: if there is no response.
            UnsafeRedirectError: if a redirect is refused, or there are too many.
        """
        current = request
        for _ in range(self._hops + 1):
            response = self._transport.send(current)
            if not response.url:
                response = evolve(response, url=current.url)
            location = response.headers.get("Location")
            if location is None or not self._follows(current.method, response.status):
                return response
            response.close()
            target = resolve_location(response.url, location, registry_url=request.url)
            current = self._step(current, target)
        reason = f"there were more than {self._hops} redirects"
        raise UnsafeRedirectError(request.url, current.url, reason)

    @staticmethod
    def _follows(method: str, status: int) -> bool:
        return status in (_REDIRECTS if method in _SAFE_METHODS else _KEEPS_METHOD)

    @staticmethod
    def _step(request: HttpRequest, target: str) -> HttpRequest:
        _LOGGER.debug(
            "%s %s is redirected to %s",
            request.method,
            redact_url(request.url),
            redact_url(target),
        )
        if origin_of(target) == origin_of(request.url):
            return evolve(request, url=target)
        if request.body is not None and content_type(request.headers) == _FORM:
            raise UnsafeRedirectError(
                request.url, target, "a form may hold secrets and is not sent to another host"
            )
        return evolve(without_secrets(request), url=target)
