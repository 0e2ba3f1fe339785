"""A session with the part of `requests.Session` that a client needs, over the standard library."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen


@frozen
class SessionCall:
    """One call of `request`, as it was made."""

    method: str
    url: str
    arguments: Mapping[str, Any]


class StubResponse:
    """What a response of `requests` is asked for."""

    def __init__(self, connection: http.client.HTTPConnection, url: str) -> None:
        self._connection = connection
        self._response = connection.getresponse()
        self.status_code = self._response.status
        self.reason = self._response.reason
        self.headers = dict(self._response.headers)
        self.url = url

    def iter_content(self, chunk_size: int) -> Iterator[bytes]:
        """Yield the body."""
        while chunk := self._response.read(chunk_size):
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._response.close()
        self._connection.close()


class StubSession:
    """Opens a connection for each request, and remembers how it was called."""

    def __init__(self) -> None:
        self.calls: list[SessionCall] = []
        self._lock = Lock()

    def request(self, method: str, url: str, **arguments: Any) -> StubResponse:
        """Send a request."""
        with self._lock:
            self.calls.append(SessionCall(method, url, arguments))
        parts = urlsplit(url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        data = arguments.get("data")
        fields = dict(arguments.get("headers") or {})
        if data is not None:
            fields["Content-Length"] = str(len(data))
        connection.request(method, target, body=data, headers=fields)
        return StubResponse(connection, url)
