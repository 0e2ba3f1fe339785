"""Transports over user code: an overridden `do_request` or a custom session."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Protocol

from oras._transports.bodies import Upload, as_data, joined
from oras_core.content.reading import CHUNK_SIZE
from oras_core.errors import OrasError
from oras_core.ports.http import Headers, HttpRequest, HttpResponse
from oras_core.registry.transports.redirects import origin_of

__all__ = ["PassedError", "RequestSender", "ThroughDoRequest", "ThroughSession"]

_OF_THE_BODY: Final = ("Content-Length", "Transfer-Encoding")


class PassedError(OrasError):
    """Carries an exception of a user's method through the core.

    Attributes:
        error: the exception.
    """

    def __init__(self, error: Exception) -> None:
        """Wrap `error` until the client's outermost call unwraps it."""
        self.error = error
        super().__init__(f"a user's method raised {type(error).__name__}")


class RequestSender(Protocol):
    """A client whose `do_request` sends a request and returns a response."""

    @property
    def do_request(self) -> Callable[..., Any]:
        """Send a request, with the arguments of `Registry.do_request`."""
        ...


class ThroughDoRequest:
    """A transport over an overridden `do_request`."""

    def __init__(self, client: RequestSender) -> None:
        """Send through `client.do_request`."""
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`.

        Raises:
            PassedError: wraps an exception of the method.
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
    """A transport over a `requests.Session` or a compatible object.

    A session may add secrets to every request: `auth`, header fields, cookies, parameters, a
    client certificate, entries of `.netrc`. Only requests to the registry carry them (R10).
    """

    def __init__(self, session: Any, verify: bool | str, origins: Collection[str]) -> None:
        """Send through `session.request`.

        Args:
            session: the session.
            verify: as in `requests`.
            origins: the origins of the registry that the session's secrets belong to.
        """
        self._session = session
        self._verify = verify
        self._origins = frozenset(origins)

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
                **self._without_secrets(request),
            )
        return _as_http_response(response, request)

    def _without_secrets(self, request: HttpRequest) -> dict[str, Any]:
        """Return the arguments that keep the session's secrets out of a request."""
        own = origin_of(request.url) in self._origins
        if own or not hasattr(self._session, "prepare_request"):
            return {}
        # An `auth` comes last, in place of the session's own and of `.netrc`.
        return {"auth": _Bare(request), "cert": ()}


class _Bare:
    """An `auth` of `requests` that removes all that a session has added to a request."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __call__(self, prepared: Any) -> Any:
        kept = {name.lower() for name in (*self._request.headers, *_OF_THE_BODY)}
        for name in [name for name in prepared.headers if name.lower() not in kept]:
            del prepared.headers[name]
        prepared.headers.update(self._request.headers)
        prepared.prepare_url(self._request.url, None)
        return prepared


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
