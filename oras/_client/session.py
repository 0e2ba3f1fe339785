"""`Session`: the default value of a client's `session`."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, MutableMapping
from datetime import timedelta
from time import monotonic
from typing import Any, Protocol

from oras._client.connections import Connections
from oras._client.failures import reporting
from oras._client.response import Response
from oras._transports.bodies import as_source
from oras_core.ports.http import Headers, HttpRequest

__all__ = ["Session"]


class SessionOwner(Protocol):
    """The attributes of a client that its session uses."""

    headers: dict[str, str]
    tls_verify: bool | str
    connections: Connections


class Session:
    """Sends requests for a client, with the interface of `requests.Session`.

    Cookies are never stored (R13).
    """

    def __init__(self, client: SessionOwner) -> None:
        """Send requests for `client`."""
        self._client = client

    @property
    def headers(self) -> MutableMapping[str, str]:
        """The client's header fields, sent with every request to a registry."""
        return self._client.headers

    @property
    def verify(self) -> bool | str:
        """The client's `tls_verify`."""
        return self._client.tls_verify

    @verify.setter
    def verify(self, verify: bool | str) -> None:
        self._client.tls_verify = verify

    def request(
        self,
        method: str,
        url: str,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        stream: bool = False,
        **_: Any,
    ) -> Response:
        """Send an HTTP request with the registry's credentials and with retries.

        Other arguments of `requests` have no effect: certificate verification, timeouts and
        redirects are settings of the client.

        Args:
            method: the HTTP method.
            url: the absolute URL.
            data: the body: bytes, text, an open binary file, or an iterable of bytes.
            headers: header fields. The dictionary is not modified.
            json: an object to send as JSON instead of `data`.
            stream: do not read the body until it is accessed.

        Raises:
            TransportError: if there is no response.
        """
        fields = Headers(headers or {})
        if json is not None:
            data = json_module.dumps(json).encode()
            if "Content-Type" not in fields:
                fields = fields.with_fields({"Content-Type": "application/json"})
        request = HttpRequest(method.upper(), url, fields, as_source(data))
        with reporting():
            started = monotonic()
            answer = self._client.connections.send(request)
            response = Response(answer, request, timedelta(seconds=monotonic() - started))
            if not stream:
                response.content  # noqa: B018 - reads the body and releases the connection
        return response

    def get(self, url: str, **options: Any) -> Response:
        """Send a GET; see `request`."""
        return self.request("GET", url, **options)

    def head(self, url: str, **options: Any) -> Response:
        """Send a HEAD; see `request`."""
        return self.request("HEAD", url, **options)

    def post(self, url: str, **options: Any) -> Response:
        """Send a POST; see `request`."""
        return self.request("POST", url, **options)

    def put(self, url: str, **options: Any) -> Response:
        """Send a PUT; see `request`."""
        return self.request("PUT", url, **options)

    def patch(self, url: str, **options: Any) -> Response:
        """Send a PATCH; see `request`."""
        return self.request("PATCH", url, **options)

    def delete(self, url: str, **options: Any) -> Response:
        """Send a DELETE; see `request`."""
        return self.request("DELETE", url, **options)

    def close(self) -> None:
        """Close the client's connections. The next request opens new ones."""
        self._client.connections.close()
