"""Header fields that every request carries, and notices in the fields of responses."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from attrs import frozen

from oras_core.errors.redaction import redact_text
from oras_core.forks import ForkSafeLock
from oras_core.model.values import Value
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.redirects import origin_of

__all__ = ["DefaultHeaders", "NoticeReader", "RateLimit", "rate_limit", "warnings"]

_USER_AGENT = "User-Agent"


class DefaultHeaders:
    """A transport that adds header fields to requests that lack them.

    The fields may hold an access key: only the registry's origin gets them, not the hosts
    that it redirects to (R10). The `User-Agent` alone is sent to every host.
    """

    def __init__(
        self, transport: HttpTransport, *, origin: str, headers: Mapping[str, str], user_agent: str
    ) -> None:
        """Wrap `transport`; a `User-Agent` among `headers` replaces `user_agent`."""
        self._transport = transport
        self._origin = origin_of(origin)
        self._own = Headers({_USER_AGENT: user_agent}).with_fields(headers)
        self._others = Headers({_USER_AGENT: self._own[_USER_AGENT]})

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` with the fields for its origin."""
        fields = self._own if origin_of(request.url) == self._origin else self._others
        return self._transport.send(request.with_defaults(fields))


_logger = logging.getLogger(__name__)

MAX_WARNINGS: Final = 20
"""Different warnings of one registry that are logged."""

MAX_WARNING: Final = 300
"""Characters of one warning that are logged."""


@frozen(eq=False, repr=False)
class RateLimit(Value):
    """How many requests a registry accepts in a period (R33).

    Attributes:
        limit: requests in a period; None if unknown.
        remaining: requests left in this period.
        window: the length of the period in seconds; None if unknown.
    """

    limit: int | None
    remaining: int
    window: int | None = None


@cache
def _grammars() -> tuple[re.Pattern[str], re.Pattern[str]]:
    return (
        re.compile(r"\s*([0-9]{1,18})\s*(?:;\s*w=([0-9]{1,18}))?"),
        # Distribution spec: Warning: 299 - "message"
        re.compile(r"299\s+\S+\s+\"((?:[^\"\\]|\\.)*)\""),
    )


def rate_limit(headers: Headers) -> RateLimit | None:
    """Read `ratelimit-limit` and `ratelimit-remaining`, `COUNT` or `COUNT;w=SECONDS`."""
    quota, _ = _grammars()
    remaining = quota.match(headers.get("ratelimit-remaining", ""))
    if remaining is None:
        return None
    limit = quota.match(headers.get("ratelimit-limit", ""))
    window = remaining[2] or (limit and limit[2])
    return RateLimit(int(limit[1]) if limit else None, int(remaining[1]), int(window or 0) or None)


def warnings(headers: Headers) -> list[str]:
    """Return the texts, without secrets, of `Warning: 299` fields (distribution spec, Warnings)."""
    _, warning = _grammars()
    texts = warning.findall(headers.get("Warning", ""))
    return [redact_text(re.sub(r"\\(.)", r"\1", text))[:MAX_WARNING] for text in texts]


class NoticeReader:
    """A transport that logs each warning of a registry once and keeps its rate limit."""

    def __init__(self, transport: HttpTransport, registry: str) -> None:
        """Wrap `transport`, which sends requests to `registry`."""
        self._transport = transport
        self._registry = registry
        self._seen: set[str] = set()
        self._lock = ForkSafeLock()
        self.rate_limit: RateLimit | None = None

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request` and read the notices in its response."""
        response = self._transport.send(request)
        if "ratelimit-remaining" in response.headers:
            self.rate_limit = rate_limit(response.headers) or self.rate_limit
        if "Warning" in response.headers:
            self._tell(warnings(response.headers))
        return response

    def _tell(self, texts: list[str]) -> None:
        for text in texts:
            if self._is_new(text):
                _logger.warning("%s warns: %s", self._registry, text)

    def _is_new(self, text: str) -> bool:
        with self._lock:
            if text in self._seen or len(self._seen) >= MAX_WARNINGS:
                return False
            self._seen.add(text)
            return True
