"""Header fields that every request carries."""

from __future__ import annotations

from collections.abc import Mapping

from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport
from oras_core.registry.transports.redirects import origin_of

__all__ = ["DefaultHeaders"]

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
