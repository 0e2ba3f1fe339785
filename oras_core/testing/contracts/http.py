"""The contract of `oras_core.ports.http.HttpTransport`, and its server."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
from array import array
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import Any, Final
from urllib.parse import urlsplit

from oras_core.content.sources import BytesSource
from oras_core.errors import TransportError
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.testing.contracts.expect import raises

__all__ = ["ContractOrigin", "HttpTransportContract", "pattern"]

PATIENCE: Final = 10.0
"""Seconds for which the server withholds an answer from a transport that does not stream."""

LARGE: Final = 5_000_000
"""Bytes that fit no buffer on the way."""


def pattern(size: int) -> bytes:
    """Return `size` bytes in which a missing or repeated piece is visible."""
    return array("Q", range(size // 8 + 1)).tobytes()[:size]


class _Iterated(ByteStream):
    """A stream over an iterator of bytes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(LARGE), b""))
        piece = self._rest or next(self._pieces, b"")
        self._rest = piece[size:]
        return piece[:size]

    def close(self) -> None:
        """Do nothing: nothing is open."""


class UnknownLength(ByteSource):
    """A body of unknown size that counts its streams."""

    def __init__(self, content: bytes) -> None:
        """Send `content` in pieces."""
        self._content = content
        self.opened: int = 0
        self.closed = 0

    @property
    def size(self) -> int | None:
        """The size: None, unknown."""
        return None

    def open(self) -> ByteStream:
        """Open a new stream."""
        self.opened += 1
        return _Counted(self)

    def content(self) -> bytes:
        """Return all bytes."""
        return self._content


class _Counted(io.BytesIO):
    def __init__(self, source: UnknownLength) -> None:
        super().__init__(source.content())
        self._source = source

    def close(self) -> None:
        if not self.closed:
            self._source.closed += 1
        super().close()


class ContractOrigin(HttpTransport):
    """The server of the contract; itself an `HttpTransport`.

    A transport reaches it through `oras_adapters.registry_server`. A request
    for any other host than that server's gets no answer.
    """

    def __init__(self) -> None:
        """Start without a released request."""
        self.released: Event = Event()
        self.released_late = False
        self._lock = Lock()
        self._answers: Mapping[str, Callable[[HttpRequest, str], HttpResponse]] = {
            "bytes": self._bytes,
            "stream": self._stream,
            "held": self._held,
            "short": self._short,
            "echo": self._echo,
            "gzip": self._gzip,
            "redirect": self._redirect,
            "cookie": self._cookie,
            "status": self._status,
        }

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer as the path says."""
        url = urlsplit(request.url)
        if url.hostname == "unreachable.invalid":
            raise TransportError(request.method, request.url, "there is no such server")
        _, kind, argument = (url.path + "/").split("/", 2)
        response = self._answers[kind](request, argument.rstrip("/"))
        if request.method == "HEAD":
            return HttpResponse(response.status, response.headers, body=io.BytesIO())
        return response

    def _bytes(self, _: HttpRequest, size: str) -> HttpResponse:
        return _sized(200, pattern(int(size)))

    def _stream(self, _: HttpRequest, size: str) -> HttpResponse:
        return HttpResponse(200, body=io.BytesIO(pattern(int(size))))

    def _held(self, _: HttpRequest, __: str) -> HttpResponse:
        def pieces() -> Iterator[bytes]:
            yield b"first"
            self.released_late = not self.released.wait(PATIENCE)
            yield b"second"

        return HttpResponse(200, body=_Iterated(pieces()))

    def _short(self, request: HttpRequest, _: str) -> HttpResponse:
        def pieces() -> Iterator[bytes]:
            yield b"half"
            raise TransportError(request.method, request.url, "4 of 8 bytes came")

        return HttpResponse(200, {"Content-Length": "8"}, body=_Iterated(pieces()))

    def _echo(self, request: HttpRequest, _: str) -> HttpResponse:
        hasher = hashlib.sha256()
        count = 0
        if request.body is not None:
            stream = request.body.open()
            while piece := stream.read(65536):
                hasher.update(piece)
                count += len(piece)
            stream.close()
        seen = {
            "method": request.method,
            "query": urlsplit(request.url).query,
            "headers": {name.lower(): value for name, value in request.headers.items()},
            "announced": request.body.size if request.body else 0,
            "size": count,
            "sha256": hasher.hexdigest(),
        }
        return _sized(200, json.dumps(seen).encode())

    def _gzip(self, _: HttpRequest, __: str) -> HttpResponse:
        return _sized(200, gzip.compress(b"packed"), {"Content-Encoding": "gzip"})

    def _redirect(self, _: HttpRequest, __: str) -> HttpResponse:
        return _sized(307, b"elsewhere", {"Location": "/bytes/5"})

    def _cookie(self, _: HttpRequest, __: str) -> HttpResponse:
        return _sized(200, b"", {"Set-Cookie": "session=1; Path=/"})

    def _status(self, _: HttpRequest, status: str) -> HttpResponse:
        headers = {"Retry-After": "1"} if status == "503" else {}
        return _sized(int(status), b"" if status == "204" else b"words", headers)


def _sized(status: int, content: bytes, headers: Mapping[str, str] | None = None) -> HttpResponse:
    fields = {**(headers or {})}
    if status != 204:
        fields["Content-Length"] = str(len(content))
    return HttpResponse(status, fields, body=io.BytesIO(content))


class HttpTransportContract:
    """The contract of every transport.

    Subclass it as `Test…` and give it three pytest fixtures: `transport`; `origin`, a
    `ContractOrigin`; and `base_url`, where the transport reaches it, without a slash at
    the end. Each method is one promise of the port.
    """

    def test_a_large_body_is_read_whole(self, transport: HttpTransport, base_url: str) -> None:
        """A body larger than any buffer is read whole, and forwards only."""
        with transport.send(HttpRequest("GET", f"{base_url}/bytes/{LARGE}")) as response:
            assert response.status == 200
            assert response.headers["content-length"] == str(LARGE)
            pieces = list(iter(lambda: response.body.read(700_001), b""))
        assert all(0 < len(piece) <= 700_001 for piece in pieces)
        assert b"".join(pieces) == pattern(LARGE)

    def test_the_rest_of_a_body_is_read_at_once(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """A negative size, or none, reads the rest; the next read returns b""."""
        with transport.send(HttpRequest("GET", f"{base_url}/bytes/1000")) as response:
            assert response.body.read(10) == pattern(10)
            assert response.body.read() == pattern(1000)[10:]
            assert response.body.read(5) == b""

    def test_a_body_of_unknown_length_is_read_whole(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """A chunked body ends where the server ends it."""
        with transport.send(HttpRequest("GET", f"{base_url}/stream/{LARGE}")) as response:
            assert b"".join(iter(lambda: response.body.read(65_536), b"")) == pattern(LARGE)

    def test_a_body_is_streamed(
        self, transport: HttpTransport, base_url: str, origin: ContractOrigin
    ) -> None:
        """An answer is returned, and its body read, before the server has sent the end."""
        with transport.send(HttpRequest("GET", f"{base_url}/held")) as response:
            first = response.body.read(5)
            origin.released.set()
            assert (first, response.body.read()) == (b"first", b"second")
        assert not origin.released_late

    def test_an_incomplete_body_is_an_error(self, transport: HttpTransport, base_url: str) -> None:
        """A body shorter than `Content-Length` is an error."""
        response = transport.send(HttpRequest("GET", f"{base_url}/short"))
        with response, raises(TransportError):
            while response.body.read(8):
                continue

    def test_head_has_the_fields_of_get_and_no_body(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """`Content-Length` of HEAD is the length of the body that GET would return."""
        with transport.send(HttpRequest("HEAD", f"{base_url}/bytes/1000")) as response:
            assert response.status == 200
            assert response.headers["Content-Length"] == "1000"
            assert response.body.read() == b""

    def test_an_answer_without_a_body_reads_as_empty(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """204 has no body."""
        with transport.send(HttpRequest("GET", f"{base_url}/status/204")) as response:
            assert (response.status, response.body.read(10)) == (204, b"")

    def test_an_error_status_is_an_answer(self, transport: HttpTransport, base_url: str) -> None:
        """An error status is returned as it is, and nothing is repeated."""
        for status in (400, 401, 403, 404, 416, 429, 500, 503):
            with transport.send(HttpRequest("GET", f"{base_url}/status/{status}")) as response:
                assert (response.status, response.body.read()) == (status, b"words")

    def test_no_redirect_is_followed(self, transport: HttpTransport, base_url: str) -> None:
        """A redirect is returned as it is: the core follows it (R10, R18)."""
        with transport.send(HttpRequest("GET", f"{base_url}/redirect")) as response:
            assert (response.status, response.headers["Location"]) == (307, "/bytes/5")
            assert response.body.read() == b"elsewhere"

    def test_no_body_is_decoded(self, transport: HttpTransport, base_url: str) -> None:
        """Bodies are not decoded: digests are of the bytes as received."""
        with transport.send(HttpRequest("GET", f"{base_url}/gzip")) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(response.body.read()) == b"packed"

    def test_no_cookie_is_kept(self, transport: HttpTransport, base_url: str) -> None:
        """No cookie is sent: a registry takes one for a browser (R13)."""
        transport.send(HttpRequest("GET", f"{base_url}/cookie")).close()
        assert (
            "cookie"
            not in self._echoed(transport, HttpRequest("GET", f"{base_url}/echo"))["headers"]
        )

    def test_a_body_is_sent_whole(self, transport: HttpTransport, base_url: str) -> None:
        """The length of a sized body is announced, and every byte arrives."""
        for size in (0, 1, LARGE):
            content = pattern(size)
            request = HttpRequest("PUT", f"{base_url}/echo", body=BytesSource(content))
            seen = self._echoed(transport, request)
            assert (seen["method"], seen["announced"], seen["size"]) == ("PUT", size, size)
            assert seen["sha256"] == hashlib.sha256(content).hexdigest()

    def test_a_body_of_unknown_length_is_sent_in_chunks(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """An unsized body is sent without a length; its source is opened once and closed."""
        source = UnknownLength(pattern(LARGE))
        seen = self._echoed(transport, HttpRequest("PATCH", f"{base_url}/echo", body=source))
        assert (seen["announced"], seen["size"]) == (None, LARGE)
        assert seen["sha256"] == hashlib.sha256(pattern(LARGE)).hexdigest()
        assert (source.opened, source.closed) == (1, 1)

    def test_method_query_and_fields_arrive(self, transport: HttpTransport, base_url: str) -> None:
        """Header fields are sent as given, with every method."""
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            request = HttpRequest(method, f"{base_url}/echo?a=1&b=%2F", {"X-Given": "as it is"})
            seen = self._echoed(transport, request)
            assert (seen["method"], seen["query"]) == (method, "a=1&b=%2F")
            assert seen["headers"]["x-given"] == "as it is"
            assert seen["size"] == 0

    def test_a_response_may_be_closed_early_and_twice(
        self, transport: HttpTransport, base_url: str
    ) -> None:
        """A body that is closed early does not disturb the next request."""
        response = transport.send(HttpRequest("GET", f"{base_url}/bytes/{LARGE}"))
        assert response.body.read(3) == pattern(3)
        response.close()
        response.close()
        with transport.send(HttpRequest("GET", f"{base_url}/bytes/20")) as following:
            assert following.body.read() == pattern(20)

    def test_no_answer_is_a_transport_error(self, transport: HttpTransport) -> None:
        """An error names the request, without its query."""
        with raises(TransportError) as caught:
            transport.send(HttpRequest("GET", "http://unreachable.invalid/v2/?signature=secret"))
        assert caught.error.method == "GET"
        assert caught.error.url == "http://unreachable.invalid/v2/"
        assert "secret" not in str(caught.error)

    def test_threads_share_a_transport(self, transport: HttpTransport, base_url: str) -> None:
        """Requests of several threads do not mix."""

        def fetch(size: int) -> bool:
            with transport.send(HttpRequest("GET", f"{base_url}/bytes/{size}")) as response:
                return response.body.read() == pattern(size)

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(fetch, [1000 * number for number in range(64)]))

    def _echoed(self, transport: HttpTransport, request: HttpRequest) -> dict[str, Any]:
        with transport.send(request) as response:
            assert response.status == 200
            seen: dict[str, Any] = json.loads(response.body.read())
            return seen
