"""A transport over the `fetch` of a browser or of Node.js, for Python in WebAssembly (Pyodide).

`run_sync` waits for a promise: the JavaScript engine must offer promise integration (JSPI).
"""

from __future__ import annotations

from contextlib import closing

from js import Object, fetch
from pyodide.ffi import JsException, JsProxy, run_sync, to_js

from oras_core.errors import TransportError
from oras_core.ports import HttpRequest, HttpResponse

SET_BY_FETCH = ("accept-encoding", "connection", "content-length", "host", "transfer-encoding")
"""A browser sets these fields itself, and refuses them from a program."""


class FetchedBody:
    """The body of a response, read piece by piece."""

    def __init__(self, request: HttpRequest, response: JsProxy) -> None:
        self._request = request
        self._reader = response.body and response.body.getReader()
        self._rest = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, or all of the rest; nothing at the end."""
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        while not self._rest and self._reader:
            try:
                piece = run_sync(self._reader.read())
            except JsException as error:
                raise _failure(self._request, error) from error
            if piece.done:
                self._reader = None
            else:
                self._rest = memoryview(piece.value.to_bytes())
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def close(self) -> None:
        """Abandon the rest of the body."""
        if self._reader:
            self._reader.cancel()
            self._reader = None


class FetchTransport:
    """Send requests by `fetch`.

    The body of a request is held in memory: uploads in chunks keep it small. A browser follows
    redirects itself, without `Authorization` to another origin.
    """

    def __init__(self, redirect: str = "follow") -> None:
        """Pass `redirect="manual"` to Node.js, which then lets the core follow redirects."""
        self._redirect = redirect

    def send(self, request: HttpRequest) -> HttpResponse:
        """Return the response as soon as its header fields are there.

        Raises:
            TransportError: if there is no response. A browser gives no reason; often the registry
                allows no requests from the page's origin (CORS).
        """
        headers = request.headers.without(*SET_BY_FETCH)
        options: dict[str, object] = {
            "method": request.method,
            "headers": list(headers.items()),
            "redirect": self._redirect,
            "credentials": "omit",
            "cache": "no-store",
        }
        if request.body is not None:
            with closing(request.body.open()) as stream:
                options["body"] = stream.read()
        try:
            response = run_sync(
                fetch(request.url, to_js(options, dict_converter=Object.fromEntries))
            )
        except JsException as error:
            raise _failure(request, error) from error
        fields = [(name, value) for name, value in response.headers]
        if response.headers.has("content-encoding"):
            # `fetch` has decoded the body, so these fields no longer describe it.
            decoded = ("content-encoding", "content-length")
            fields = [(name, value) for name, value in fields if name not in decoded]
        return HttpResponse(
            response.status, fields, body=FetchedBody(request, response), url=response.url
        )


def _failure(request: HttpRequest, error: JsException) -> TransportError:
    return TransportError(request.method, request.url, str(error))
