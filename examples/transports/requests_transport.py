"""A transport on requests, as `docs/embedding.md` explains it."""

from __future__ import annotations

import http.cookiejar
import io
from collections.abc import Iterator
from typing import Any

import requests

from oras_core.ports import ByteStream, HttpRequest, HttpResponse


class Sized:
    """A body with a length, as requests demands it."""

    def __init__(self, stream: ByteStream, size: int) -> None:
        self._stream, self._size = stream, size

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._stream.read(65536), b"")

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)


class RequestsTransport:
    def __init__(self, session: requests.Session) -> None:
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        self._session = session

    def send(self, request: HttpRequest) -> HttpResponse:
        data: Any = None
        stream = None
        if request.body is not None:
            stream = request.body.open()
            if request.body.size is None:
                data = iter(lambda: stream.read(65536), b"")
            else:
                data = Sized(stream, request.body.size) if request.body.size else b""
        try:
            response = self._session.request(
                request.method,
                request.url,
                data=data,
                headers={"Accept-Encoding": "identity", **request.headers},
                auth=lambda prepared: prepared,
                allow_redirects=False,
                stream=True,
                timeout=60,
            )
        finally:
            if stream is not None:
                stream.close()
        # The body of a redirect was read by requests.
        body = io.BytesIO(response.content) if response.is_redirect else response.raw
        return HttpResponse(response.status_code, response.headers, body=body, url=request.url)
