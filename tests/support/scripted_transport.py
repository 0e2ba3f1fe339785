"""A transport that answers what was written down, and keeps what it was asked."""

from __future__ import annotations

import io
from collections.abc import Callable

from attrs import field, frozen

from oras_core.errors import TransportError
from oras_core.ports.http import Headers, HttpRequest, HttpResponse


@frozen
class SentRequest:
    """A request, with the body that was read of it."""

    method: str
    url: str
    headers: Headers
    body: bytes

    @property
    def line(self) -> str:
        """Method and URL."""
        return f"{self.method} {self.url}"


@frozen
class Answer:
    """A response to be given: `body` raises after its bytes if `breaks` says so."""

    status: int
    headers: dict[str, str] = field(factory=dict)
    body: bytes = b""
    breaks: bool = False
    url: str = ""
    reads_body: bool = True

    def response(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(
            self.status,
            Headers(self.headers),
            body=BrokenStream(self.body, request) if self.breaks else io.BytesIO(self.body),
            url=self.url or request.url,
        )


class BrokenStream:
    """A body whose connection fails after its bytes."""

    def __init__(self, content: bytes, request: HttpRequest) -> None:
        self._stream = io.BytesIO(content)
        self._request = request

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        if not chunk:
            raise TransportError(self._request.method, self._request.url, "connection reset")
        return chunk

    def close(self) -> None:
        self._stream.close()


Step = Answer | Exception | Callable[[SentRequest], Answer]


class ScriptedTransport:
    """Gives the steps in their order; one more request is an error of the test."""

    def __init__(self, *steps: Step) -> None:
        self._steps = list(steps)
        self.requests: list[SentRequest] = []
        self._surplus = 0

    def send(self, request: HttpRequest) -> HttpResponse:
        step = self._steps.pop(0) if self._steps else None
        reads = not isinstance(step, Answer) or step.reads_body
        sent = SentRequest(
            request.method, request.url, request.headers, _read(request) if reads else b""
        )
        self.requests.append(sent)
        if step is None:
            self._surplus += 1
            raise AssertionError(f"an unexpected request: {sent.line}")
        if isinstance(step, Exception):
            raise step
        return (step if isinstance(step, Answer) else step(sent)).response(request)

    @property
    def lines(self) -> list[str]:
        return [sent.line for sent in self.requests]

    @property
    def finished(self) -> bool:
        """Whether all steps were asked for, and nothing else."""
        return not self._steps and not self._surplus


def _read(request: HttpRequest) -> bytes:
    if request.body is None:
        return b""
    stream = request.body.open()
    try:
        content = b"".join(iter(lambda: stream.read(1 << 16), b""))
    finally:
        stream.close()
    assert request.body.size in (None, len(content)), "the body is not of the announced length"
    return content
