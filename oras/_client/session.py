"""`Session`: what a client's `session` is until the user sets one of their own."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from oras._client.bodies import as_source
from oras._client.failures import reporting
from oras._client.response import Response
from oras_core.ports.http import Headers, HttpRequest

if TYPE_CHECKING:
    from oras._client.base import BaseClient

__all__ = ["Session"]


class Session:
    """Sends requests as the client does, in the manner of `requests.Session`.

    Cookies are never kept (R13).
    """

    def __init__(self, client: BaseClient) -> None:
        """Send as `client`."""
        self._client = client

    @property
    def headers(self) -> MutableMapping[str, str]:
        """Fields that go along with every request to a registry: those of the client."""
        return self._client.headers

    @property
    def verify(self) -> bool | str:
        """Whom to trust: the client's `tls_verify`."""
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
        """Send a request: with the credentials that are the registry's, with retries.

        Arguments of `requests` that are not named here have no effect: whom to trust, how
        long to wait and which redirects to follow is settled for the whole client.

        Args:
            method: of HTTP.
            url: absolute.
            data: the body: bytes, text, an open binary file, an iterable of bytes.
            headers: fields; the dictionary stays as it is.
            json: instead of `data`, an object to be sent as JSON.
            stream: read the body when it is asked for, not now.

        Raises:
            TransportError: where there is no answer.
        """
        fields = Headers(headers or {})
        if json is not None:
            data = json_module.dumps(json).encode()
            if "Content-Type" not in fields:
                fields = fields.with_fields({"Content-Type": "application/json"})
        request = HttpRequest(method.upper(), url, fields, as_source(data))
        with reporting():
            response = Response(self._client.connections.send(request), request)
            if not stream:
                response.content  # noqa: B018 - reads the body and gives the connection back
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
        """Close the client's connections; the next request opens new ones."""
        self._client.connections.close()
