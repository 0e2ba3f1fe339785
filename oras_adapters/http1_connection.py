"""One HTTP/1.1 connection, watched while it sends and receives.

It gives up a server that sends next to nothing, and listens while it sends: a server that
answers 401 or 413 before it has read a body may never read the rest.
"""

from __future__ import annotations

import io
import socket
import ssl
import time
from collections.abc import Generator
from typing import Any, Final

from urllib3.util.wait import wait_for_read, wait_for_socket

from oras_adapters.http1_messages import AnswerHead, MessageError, read_head
from oras_adapters.message_bodies import ChunkedStream, SizedStream
from oras_core.ports.content import ByteStream

__all__ = ["MAX_HEADER_BYTES", "Http1Connection"]

SEND_PIECE: Final = 256 * 1024
"""Bytes handed to the system at a time: more brings nothing."""

RECEIVE_BUFFER: Final = 64 * 1024
"""Bytes received at a time, with a head: a small answer comes as a whole."""

MIN_PROGRESS: Final = 1024
"""Bytes that must arrive within one timeout, once an answer has begun: no real line is slower."""

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Bytes of a status line and header fields, informational answers before it included."""

EARLY: Final = 4096
"""Bytes looked at of an answer that comes while a body is sent."""

_BLOCKED: Final = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket that does not wait says where there is nothing to do."""

_GONE: Final = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)
"""How a send fails where the server has hung up."""


class _AnsweredError(Exception):
    """The server has answered, or hung up, before the request's end."""


class _Receiver(io.RawIOBase):
    """The receiving side of a socket, which gives up when next to nothing arrives."""

    def __init__(self, sock: Any, patience: float) -> None:  # noqa: ANN401 - a socket, or TLS within TLS
        super().__init__()
        self._sock = sock
        self._patience = patience
        self.early = b""
        self.paused = False
        self.begin()

    def begin(self) -> None:
        """Expect a new answer."""
        self._begun = False
        self._waited = 0.0
        self._arrived = 0
        self.header_budget: int | None = MAX_HEADER_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - any writable buffer
        if self.paused:
            return None
        if self.early:
            piece, self.early = self.early[: len(buffer)], self.early[len(buffer) :]
            buffer[: len(piece)] = piece
            return len(piece)
        start = time.monotonic()
        count: int = self._sock.recv_into(buffer)
        self._watch(count, time.monotonic() - start)
        return count

    def _watch(self, count: int, seconds: float) -> None:
        if self.header_budget is not None:
            self.header_budget -= count
            if self.header_budget < 0:
                raise MessageError(f"more than {MAX_HEADER_BYTES} bytes of header")
        # How long a server thinks before its answer is the socket timeout's matter alone.
        self._waited += seconds if self._begun else 0.0
        self._begun = True
        self._arrived += count
        if self._waited > self._patience and count:
            if self._arrived < MIN_PROGRESS:
                raise TimeoutError(
                    f"only {self._arrived} bytes came within {self._patience:g} seconds"
                )
            self._waited = 0.0
            self._arrived = 0


class Http1Connection:
    """Requests go out and answers come in, one after the other. For one thread at a time."""

    def __init__(self, sock: Any, patience: float) -> None:  # noqa: ANN401 - a socket, or TLS within TLS
        """Take over a connected socket; `patience` is how long nothing may move, in seconds."""
        self._sock = sock
        self._patience = patience
        self._receiver = _Receiver(sock, patience)
        self._reader = io.BufferedReader(self._receiver, RECEIVE_BUFFER)
        self._is_last = False
        self._hastened = False
        # TLS within TLS, to an HTTPS proxy, can only wait.
        self._listens = isinstance(sock, socket.socket)
        sock.settimeout(patience)

    @property
    def is_usable(self) -> bool:
        """Whether a further request may be sent: nothing came that was not asked for."""
        return not self._is_last and not wait_for_read(self._sock, timeout=0.0)

    def exchange(
        self, head: bytes, pieces: Generator[bytes, None, None], method: str
    ) -> tuple[AnswerHead, ByteStream]:
        """Send a request and return what its answer begins with, and the body to be read.

        Args:
            head: the request up to its body, or with a part of it.
            pieces: the body, or the rest of it, framed.
            method: of the request.

        Raises:
            MessageError: if what comes is no answer.
            TimeoutError: if nothing moves.
            OSError: if the connection breaks off.
        """
        self._receiver.begin()
        try:
            self._send(head, pieces)
        except _AnsweredError as answered:
            # What else the server would read is the rest of this body: no further request
            # may follow.
            self._is_last = True
            answer = self._early_answer(method, answered)
        else:
            answer = read_head(self._reader, method)
        self._receiver.header_budget = None
        self._is_last |= answer.is_last
        return answer, self._body_of(answer)

    def _early_answer(self, method: str, answered: _AnsweredError) -> AnswerHead:
        try:
            return read_head(self._reader, method)
        except (MessageError, OSError):
            if isinstance(answered.__cause__, OSError):
                raise answered.__cause__ from None
            raise

    def _body_of(self, answer: AnswerHead) -> ByteStream:
        if answer.is_chunked:
            return ChunkedStream(self._reader, "the answer")
        if answer.length is not None:
            return SizedStream(self._reader, answer.length, "the answer")
        return self._reader

    # --- Sending --------------------------------------------------------------------------

    def _send(self, head: bytes, pieces: Generator[bytes, None, None]) -> None:
        """Send piece by piece, listening meanwhile."""
        try:
            self._sock.settimeout(0 if self._listens else self._patience)
            self._send_piece(head)
            for piece in pieces:
                self._check_unanswered()
                self._send_piece(piece)
        except _GONE as error:
            raise _AnsweredError from error
        finally:
            self._sock.settimeout(self._patience)
            pieces.close()

    def _send_piece(self, piece: bytes) -> None:
        view = memoryview(piece)
        if not self._listens:
            self._sock.sendall(view)
            return
        while view:
            try:
                view = view[self._sock.send(view[:SEND_PIECE]) :]
            except _BLOCKED as error:
                self._wait(writing=not isinstance(error, ssl.SSLWantReadError))

    def _wait(self, *, writing: bool) -> None:
        reading = not (writing and self._receiver.early)
        if not wait_for_socket(self._sock, reading, writing, self._patience):
            raise TimeoutError("timed out")
        self._check_unanswered()

    def _check_unanswered(self) -> None:
        """Stop sending where the server has answered: with 401 or 413, or by hanging up."""
        receiver = self._receiver
        if not self._listens:
            return
        if not receiver.early:
            if not wait_for_read(self._sock, timeout=0.0):
                return
            try:
                receiver.early = self._sock.recv(EARLY)
            except _BLOCKED:  # TLS has news of its own
                return
        if not receiver.early.startswith(b"HTTP/1.1 1"):  # informational: go on
            raise _AnsweredError

    # --- The end of an answer -------------------------------------------------------------

    def ends_cleanly(self) -> bool:
        """Tell, after an answer was read to its end, whether a request may follow."""
        self._receiver.paused = True
        try:
            surplus = self._reader.peek(1)
        finally:
            self._receiver.paused = False
        if self._hastened:
            self._hastened = False
            self._sock.settimeout(self._patience)
        return not self._is_last and not surplus

    def hasten(self, seconds: float) -> None:
        """Wait no longer than `seconds` for what is still read of this answer."""
        self._hastened = True
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Close the connection."""
        self._is_last = True
        self._sock.close()
