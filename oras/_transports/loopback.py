"""A transport that detects the scheme of a registry on this machine."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve

from oras_core.errors import OrasError, TransportError
from oras_core.ports.http import Headers, HttpRequest, HttpResponse, HttpTransport

__all__ = ["LoopbackTransport"]

_OTHER = {"http": "https", "https": "http"}


class LoopbackTransport:
    """Sends requests to one host, and changes the scheme if the host uses the other one.

    The scheme may change only before the first success. Callers do not notice: URLs in
    responses have the scheme of the requests. Requests to other hosts are not changed.
    """

    def __init__(
        self,
        transport: HttpTransport,
        host: str,
        scheme: str,
        *,
        known: str | None,
        speaks_tls: Callable[[str], bool | None],
        found: Callable[[str, str], None],
    ) -> None:
        """Wrap `transport`.

        Args:
            transport: sends the requests.
            host: `HOST:PORT` on the loopback interface.
            scheme: the scheme of the requests.
            known: the scheme that the host is known to speak, or None.
            speaks_tls: returns whether a host speaks TLS, or None if it is unreachable.
            found: called with the host and its scheme when it is known.
        """
        self._transport = transport
        self._host = host
        self._scheme = scheme
        self._actual = known
        self._speaks_tls = speaks_tls
        self._found = found

    def send(self, request: HttpRequest) -> HttpResponse:
        """Send `request`. Raises: as the wrapped transport."""
        if not request.url.startswith(f"{self._scheme}://{self._host}/"):
            return self._transport.send(request)
        if self._actual is None:
            response = self._first(request)
            if response is not None:
                return response
        if self._actual == self._scheme:
            return self._transport.send(request)
        response = self._transport.send(evolve(request, url=self._moved(request.url)))
        fields = {
            name: self._restored(value)
            for name, value in response.headers.items()
            if name.lower() in ("location", "link")
        }
        return evolve(
            response,
            headers=Headers(response.headers).with_fields(fields),
            url=self._restored(response.url),
        )

    def _first(self, request: HttpRequest) -> HttpResponse | None:
        """Return the response if the host speaks the scheme of the request; None otherwise."""
        # A plain server may let a TLS handshake wait for minutes, so it is probed first.
        if self._scheme == "https" and self._speaks_other():
            return None
        try:
            response = self._transport.send(request)
        except Exception as error:  # `TransportError`, or one of a session of the program
            ours = isinstance(error, OrasError) and not isinstance(error, TransportError)
            if ours or self._scheme == "https" or not self._speaks_other():
                raise
            return None
        # Servers answer plain HTTP on a TLS port with 400.
        if self._scheme == "http" and response.status == 400 and self._speaks_other():
            response.close()
            return None
        self._settle(self._scheme)
        return response

    def _speaks_other(self) -> bool:
        tls = self._speaks_tls(self._host)
        if tls is None or tls == (self._scheme == "https"):
            return False
        self._settle(_OTHER[self._scheme])
        return True

    def _settle(self, scheme: str) -> None:
        self._actual = scheme
        self._found(self._host, scheme)

    def _moved(self, url: str) -> str:
        return url.replace(f"{self._scheme}://", f"{_OTHER[self._scheme]}://", 1)

    def _restored(self, text: str) -> str:
        start = f"{_OTHER[self._scheme]}://{self._host}/"
        return text.replace(start, f"{self._scheme}://{self._host}/")
