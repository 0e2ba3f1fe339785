"""Transports over what a program brings: an overridden `do_request`, a session of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from oras.bodies import as_data, joined
from oras_core.ports.http import Headers, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from oras.base import BaseClient

__all__ = ["ThroughDoRequest", "ThroughSession"]


class ThroughDoRequest:
    """A transport over an overridden `do_request`, whatever it does and returns."""

    def __init__(self, client: BaseClient) -> None:
        """Send by `client.do_request`."""
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; raises whatever the method raises."""
        response = self._client.do_request(
            request.url,
            request.method,
            data=as_data(request.body),
            headers=dict(request.headers),
            stream=True,
        )
        return _as_http_response(response, request)


class ThroughSession:
    """A transport over a session of the user's, of `requests` or alike."""

    def __init__(self, session: Any, verify: bool | str) -> None:
        """Send by `session.request`; `verify` is as `requests` has it."""
        self._session = session
        self._verify = verify

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`; raises whatever the session raises."""
        response = self._session.request(
            request.method,
            request.url,
            data=as_data(request.body),
            headers=dict(request.headers),
            stream=True,
            allow_redirects=False,
            verify=self._verify,
        )
        return _as_http_response(response, request)


def _as_http_response(response: Any, request: HttpRequest) -> HttpResponse:
    headers: Mapping[str, str] = response.headers
    body = joined(response.iter_content(1024 * 1024), close=getattr(response, "close", None))
    return HttpResponse(
        response.status_code,
        Headers(headers),
        body=body,
        reason=getattr(response, "reason", "") or "",
        url=str(getattr(response, "url", "") or request.url),
    )
