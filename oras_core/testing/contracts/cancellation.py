"""The contract of a transport that can be cancelled, and a server that does not answer."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import Final
from urllib.parse import urlsplit

from oras_core.cancellation import CancelToken, current_token
from oras_core.content.sources import BytesSource
from oras_core.ports.content import ByteStream
from oras_core.ports.http import HttpRequest, HttpResponse, HttpTransport
from oras_core.testing.contracts.expect import raises

__all__ = ["CancellationContract", "SilentOrigin"]

PATIENCE: Final = 20.0
"""Seconds after which the server answers nevertheless, and the test fails."""

SECONDS: Final = 2.0
"""Seconds within which a cancelled request ends; one second on an idle machine."""

LARGE: Final = 50_000_000
"""More bytes than all buffers between client and server."""


class SilentOrigin(HttpTransport):
    """The server of the contract; itself an `HttpTransport`.

    Attributes:
        reached: set when a request arrives that gets no answer.
        released: when set, all requests are answered.
    """

    def __init__(self) -> None:
        """Start without an answer."""
        self.reached: Event = Event()
        self.released: Event = Event()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer by path: `/silent` never, `/half` with half a body, others at once."""
        path = urlsplit(request.url).path
        if path == "/silent":
            self._wait()
            return HttpResponse(200, {"Content-Length": "0"}, body=io.BytesIO())
        if path == "/half":
            return HttpResponse(200, {"Content-Length": "10"}, body=_Halves(self._wait))
        return HttpResponse(200, {"Content-Length": "5"}, body=io.BytesIO(b"whole"))

    def _wait(self) -> None:
        self.reached.set()
        self.released.wait(PATIENCE)


class _Halves(ByteStream):
    """Return the first half at once, the second after `wait` returns."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._left = [b"first", b"secon"]
        self._wait = wait

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002 - a server reads by the chunk
        if len(self._left) == 1:
            self._wait()
        return self._left.pop(0) if self._left else b""

    def close(self) -> None:
        """Do nothing: nothing is open."""


class CancellationContract:
    """The contract of a transport that can be cancelled.

    Cancellation is optional: a request of another transport ends at its own timeout. A
    transport with cancellation calls `current_token()` in `send`, and registers a callback by
    `on_cancel` that closes the connection, until the answer is closed. The core turns the
    resulting exception into a `CancelledError`.

    Subclass it as `Test…` and give it three pytest fixtures: `transport`; `origin`, a
    `SilentOrigin`; and `base_url`, where the transport reaches it, without a slash at the end.
    """

    def test_a_request_without_an_answer_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """A request that waits for an answer ends."""
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(HttpRequest("GET", f"{base_url}/silent")).close()

    def test_a_stalled_body_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """A body that stalls ends, by an error or as if it were complete."""
        with _cancelled_when_reached(origin), raises(Exception):
            with transport.send(HttpRequest("GET", f"{base_url}/half")) as response:
                content = b"".join(iter(lambda: response.body.read(5), b""))
            if len(content) < 10:
                raise EOFError

    def test_a_stalled_upload_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """A request body that the server does not read ends, however much the buffers hold."""
        request = HttpRequest("PUT", f"{base_url}/silent", body=BytesSource(bytes(LARGE)))
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(request).close()

    def test_requests_of_another_token_continue(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """Cancelling a token ends no request of another token, on the same connection either."""
        for path in ("", "half"):
            ended = CancelToken()
            with ended.scope(), transport.send(HttpRequest("GET", f"{base_url}/")) as response:
                assert response.body.read() == b"whole"
            with CancelToken().scope():
                answer = transport.send(HttpRequest("GET", f"{base_url}/{path}"))
            with answer:
                first = answer.body.read(5)
                ended.cancel()
                origin.released.set()
                assert first + answer.body.read() in (b"whole", b"firstsecon")

    def test_requests_after_a_cancellation_are_answered(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """A request that is not cancelled is unaffected."""
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(HttpRequest("GET", f"{base_url}/silent")).close()
        with transport.send(HttpRequest("GET", f"{base_url}/")) as response:
            assert response.body.read() == b"whole"


@contextmanager
def _cancelled_when_reached(origin: SilentOrigin) -> Iterator[None]:
    """Cancel the block once the server is reached, and check that the block ends in time."""
    token = CancelToken(current_token())
    moment: list[float] = []

    def cancel() -> None:
        if origin.reached.wait(PATIENCE):
            moment.append(time.monotonic())
            token.cancel()

    thread = Thread(target=cancel, name="canceller")
    thread.start()
    try:
        with token.scope():
            yield
        ended = time.monotonic()
    finally:
        origin.released.set()
        thread.join()
    assert moment, "the request ended before it was cancelled"
    assert ended - moment[0] < SECONDS, "the request continued after it was cancelled"
