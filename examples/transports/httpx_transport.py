"""A transport on httpx, as `docs/embedding.md` explains it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx

from oras_core.ports import HttpRequest, HttpResponse


class Pieces:
    """A body that arrives in pieces."""

    def __init__(self, pieces: Iterator[bytes], close: Callable[[], None]) -> None:
        self._pieces, self.close = pieces, close
        self._rest = b""

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            rest, self._rest = self._rest, b""
            return rest + b"".join(self._pieces)
        piece = self._rest or next(self._pieces, b"")
        self._rest = piece[size:]
        return piece[:size]


def as_httpx(request: HttpRequest, content: Iterator[bytes] | None) -> httpx.Request:
    headers = dict(request.headers)
    if request.body is not None and request.body.size is not None:
        headers["Content-Length"] = str(request.body.size)
    return httpx.Request(request.method, request.url, headers=headers, content=content)


class HttpxTransport:
    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def send(self, request: HttpRequest) -> HttpResponse:
        stream = request.body.open() if request.body is not None else None
        content = iter(lambda: stream.read(65536), b"") if stream is not None else None
        try:
            response = self._client.send(
                as_httpx(request, content), auth=None, stream=True, follow_redirects=False
            )
        finally:
            if stream is not None:
                stream.close()
        return HttpResponse(
            response.status_code,
            response.headers.multi_items(),
            body=Pieces(response.iter_raw(), response.close),
            url=request.url,
        )
