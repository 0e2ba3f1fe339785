"""What a transport does that can be cancelled, and a server that keeps it waiting."""

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
"""Seconds after which the server says something all the same, and the promise is broken."""

SECONDS: Final = 2.0
"""Within which a request ends that is cancelled; on a machine that does nothing else, one."""

LARGE: Final = 50_000_000
"""Bytes that fit no buffer on the way."""


class SilentOrigin(HttpTransport):
    """The server that the contract talks to; itself an `HttpTransport`.

    Attributes:
        reached: set when a request has come that will not be answered.
        released: answers all of them, when it is set.
    """

    def __init__(self) -> None:
        """Begin silent."""
        self.reached: Event = Event()
        self.released: Event = Event()

    def send(self, request: HttpRequest) -> HttpResponse:
        """Answer as the path says: `/silent` not at all, `/half` by a half, others at once."""
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
    """The first half at once, the second when `wait` has returned."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._left = [b"first", b"secon"]
        self._wait = wait

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002 - a server reads by the chunk
        if len(self._left) == 1:
            self._wait()
        return self._left.pop(0) if self._left else b""

    def close(self) -> None:
        """Nothing is held."""


class CancellationContract:
    """What a plain transport does that takes part in cancellations.

    None has to: what waits in one that does not ends when that gives up waiting. One that does
    asks `current_token()` for the token of the thread that calls `send`, and lets its
    `on_cancel` break the connection off, from then on until the answer is closed; whatever is
    raised because of that, the core makes a `CancelledError` of it.

    Subclass it as `Test…` and give it three pytest fixtures: `transport`; `origin`, a
    `SilentOrigin`; and `base_url`, where the transport reaches it, without a slash at the end.
    """

    def test_waiting_for_an_answer_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """However long the server thinks."""
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(HttpRequest("GET", f"{base_url}/silent")).close()

    def test_waiting_for_the_rest_of_an_answer_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """By an error, or as if the answer had ended there."""
        with _cancelled_when_reached(origin), raises(Exception):
            with transport.send(HttpRequest("GET", f"{base_url}/half")) as response:
                content = b"".join(iter(lambda: response.body.read(5), b""))
            if len(content) < 10:
                raise EOFError

    def test_sending_what_nobody_reads_ends(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """However full the buffers are."""
        request = HttpRequest("PUT", f"{base_url}/silent", body=BytesSource(bytes(LARGE)))
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(request).close()

    def test_what_another_token_governs_goes_on(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """Also over a connection that served a cancelled token before."""
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

    def test_it_serves_again_after_a_cancellation(
        self, transport: HttpTransport, base_url: str, origin: SilentOrigin
    ) -> None:
        """As if nothing had been."""
        with _cancelled_when_reached(origin), raises(Exception):
            transport.send(HttpRequest("GET", f"{base_url}/silent")).close()
        with transport.send(HttpRequest("GET", f"{base_url}/")) as response:
            assert response.body.read() == b"whole"


@contextmanager
def _cancelled_when_reached(origin: SilentOrigin) -> Iterator[None]:
    """Cancel what the block does when the server has been reached, and see it end in time."""
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
    assert moment, "it ended before it was cancelled"
    assert ended - moment[0] < SECONDS, "it went on after it was cancelled"
