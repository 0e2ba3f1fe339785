"""A transport on the standard library, as `docs/embedding.md` explains it."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Callable
from functools import partial
from urllib.parse import urlsplit

from oras_core import current_token
from oras_core.ports import HttpRequest, HttpResponse


class Answer:
    """The body; `read` returns bytes as soon as some have arrived."""

    def __init__(self, answer: http.client.HTTPResponse, forget: Callable[[], None]) -> None:
        self._answer, self._forget = answer, forget

    def read(self, size: int = -1, /) -> bytes:
        return self._answer.read() if size < 0 else self._answer.read1(size)

    def close(self) -> None:
        self._forget()
        self._answer.close()


class StandardLibraryTransport:
    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls or ssl.create_default_context()

    def send(self, request: HttpRequest) -> HttpResponse:
        url = urlsplit(request.url)
        connection: http.client.HTTPConnection
        if url.scheme == "https":
            connection = http.client.HTTPSConnection(url.netloc, timeout=60, context=self._tls)
        else:
            connection = http.client.HTTPConnection(url.netloc, timeout=60)
        connection.connect()
        # A cancelled token ends reads and writes of the socket.
        cut = partial(socket.socket.shutdown, connection.sock, socket.SHUT_RDWR)
        forget = current_token().on_cancel(cut)
        headers = {**request.headers, "Connection": "close"}
        stream = None
        if request.body is not None:
            stream = request.body.open()
            if request.body.size is None:
                headers["Transfer-Encoding"] = "chunked"
            else:
                headers["Content-Length"] = str(request.body.size)
        try:
            target = f"{url.path or '/'}?{url.query}" if url.query else url.path or "/"
            chunked = "Transfer-Encoding" in headers
            connection.request(request.method, target, stream, headers, encode_chunked=chunked)
            answer = connection.getresponse()
        except BaseException:
            forget()
            connection.close()
            raise
        finally:
            if stream is not None:
                stream.close()
        return HttpResponse(
            answer.status, answer.getheaders(), body=Answer(answer, forget), url=request.url
        )
