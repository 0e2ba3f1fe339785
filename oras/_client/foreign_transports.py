"""Transports over user code: an overridden `do_request` or a custom session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from oras._client.bodies import Upload, as_data, joined
from oras._client.failures import PassedError
from oras_core.content.sources import CHUNK_SIZE
from oras_core.errors import OrasError
from oras_core.ports.http import Headers, HttpRequest, HttpResponse

if TYPE_CHECKING:
    from oras._client.base import BaseClient

__all__ = ["ThroughDoRequest", "ThroughSession"]


class ThroughDoRequest:
    """A transport over an overridden `do_request`."""

    def __init__(self, client: BaseClient) -> None:
        """Send through `client.do_request`."""
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`.

        Raises:
            PassedError: wraps an exception of the method; `reporting` unwraps it.
        """
        with _sending(request) as data:
            try:
                response = self._client.do_request(
                    request.url,
                    request.method,
                    data=data,
                    headers=dict(request.headers),
                    stream=True,
                )
            except OrasError:
                raise
            except Exception as error:
                raise PassedError(error) from error
        return _as_http_response(response, request)


class ThroughSession:
    """A transport over a `requests.Session` or a compatible object."""

    def __init__(self, session: Any, verify: bool | str) -> None:
        """Send through `session.request`. `verify` has the meaning that `requests` gives it."""
        self._session = session
        self._verify = verify

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`. Exceptions of the session are not converted."""
        with _sending(request) as data:
            response = self._session.request(
                request.method,
                request.url,
                data=data,
                headers=dict(request.headers),
                stream=True,
                allow_redirects=False,
                verify=self._verify,
            )
        return _as_http_response(response, request)


@contextmanager
def _sending(request: HttpRequest) -> Iterator[Any]:
    """Yield the request's body as `data` and close it afterwards."""
    data = as_data(request.body)
    try:
        yield data
    finally:
        if isinstance(data, Upload):
            data.close()


def _as_http_response(response: Any, request: HttpRequest) -> HttpResponse:
    headers: Mapping[str, str] = response.headers
    iterate = getattr(response, "iter_content", None)
    pieces = iterate(CHUNK_SIZE) if iterate else [response.content]
    body = joined(pieces, close=getattr(response, "close", None))
    return HttpResponse(
        response.status_code,
        Headers(headers),
        body=body,
        reason=getattr(response, "reason", "") or "",
        url=str(getattr(response, "url", "") or request.url),
    )
