"""The receiving side of a connection: its buffer, and the time that a response may take."""

from __future__ import annotations

import re
import time
from functools import cache
from typing import Any, Final, NamedTuple

__all__ = [
    "PLAIN",
    "HungUpError",
    "Receiver",
    "SlowResponseError",
    "SocketErrors",
    "WireError",
]

MIN_PROGRESS: Final = 1024
"""Bytes that must arrive within one timeout, once a response has begun: no real line is slower."""

MAX_HEADER_BYTES: Final = 1024 * 1024
"""Bytes of a status line and header fields, informational responses before them included."""

RECEIVED: Final = 256 * 1024
"""Bytes received at a time: more saves nothing."""

MAX_INFORMATIONAL: Final = 100
"""Informational responses before a final one; a server sends one or two."""

FILLED: Final = 256 * 1024
"""Bytes that a large read waits for: each piece costs its readers time."""

LARGE: Final = 64 * 1024
"""Bytes of the smallest read that waits for more than what has arrived."""

LARGEST: Final = 1024 * 1024
"""Bytes returned by one read."""


class SocketErrors(NamedTuple):
    """The errors by which a kind of socket tells its state.

    Attributes:
        blocked: a non-blocking socket would have to wait.
        unread: of these, it would have to wait until it can be read.
        hung_up: the other end has closed the connection.
    """

    blocked: tuple[type[OSError], ...]
    unread: tuple[type[OSError], ...]
    hung_up: tuple[type[OSError], ...]


PLAIN: Final = SocketErrors((BlockingIOError,), (), (BrokenPipeError, ConnectionResetError))
"""The errors of TCP sockets; `tls` has those of TLS."""


class WireError(Exception):
    """The server broke HTTP/1.1, or closed the connection within a response."""


class HungUpError(WireError):
    """The server closed the connection in place of a response, or sent something else before."""


class SlowResponseError(TimeoutError):
    """Almost no bytes of a response arrive; the message says how many did."""


@cache
def _head_end() -> re.Pattern[bytes]:
    return re.compile(rb"\n\r?\n")


class Receiver:
    """Receives responses, one after the other, and stops if almost no bytes arrive.

    Bytes that were received but not read stay in the buffer: a connection may only be used
    again if there are none.
    """

    def __init__(self, sock: Any, timeout: float, errors: SocketErrors) -> None:  # noqa: ANN401 - plain or TLS
        """Receive from `sock`, whose timeout is `timeout` seconds."""
        self._sock = sock
        self._blocked = errors.blocked
        self._timeout = timeout
        self._buffer = bytearray()
        self._searched = 0
        self._failure: OSError | None = None
        self.begin()

    def begin(self) -> None:
        """Prepare for the response to a new request."""
        self._budget = MAX_HEADER_BYTES
        self._heads = 0
        self._begun = False
        self._waited = 0.0
        self._arrived = 0

    # --- Between two exchanges ------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether everything that was received has been read."""
        return not self._buffer

    def is_idle(self) -> bool:
        """Tell whether the server has sent nothing more, and has not hung up."""
        if self._buffer:
            return False
        try:
            return self._receive_now() is None
        except OSError:
            return False

    # --- Heads ----------------------------------------------------------------------------

    def head(self) -> bytes:
        """Return the next head, the empty line at its end included.

        Raises:
            WireError: if the connection ends before, or the head is too large.
            TimeoutError: if it does not arrive in time.
        """
        while True:
            block = self.complete_head()
            if block is not None:
                return block
            piece = self._receive(RECEIVED)
            if not piece:
                if self._buffer:
                    raise HungUpError("the connection was closed within the header fields")
                raise HungUpError("the server closed the connection without an answer")
            self._buffer += piece

    def complete_head(self) -> bytes | None:
        """Return the next head if all of it is in the buffer."""
        buffer = self._buffer
        # Only the new bytes are searched, and the last two, where the end may begin.
        end = _head_end().search(buffer, max(0, self._searched - 2))
        taken = len(buffer) if end is None else end.end()
        if taken > self._budget:
            raise WireError(f"more than {MAX_HEADER_BYTES} bytes of header fields arrived")
        if end is None:
            self._searched = len(buffer)
            return None
        self._searched = 0
        self._heads += 1
        if self._heads > MAX_INFORMATIONAL:
            raise WireError(f"more than {MAX_INFORMATIONAL} informational responses arrived")
        self._budget -= taken
        block = bytes(buffer[:taken])
        del buffer[:taken]
        return block

    def has_final_answer(self) -> bool:
        """Receive without waiting; tell whether a final response has begun.

        Complete informational responses are discarded.

        Raises:
            WireError: if the server has closed the connection.
        """
        piece = self._receive_now()
        if piece == b"" and not self._buffer:
            raise HungUpError("the server closed the connection")
        self._buffer += piece or b""
        while self._buffer:
            if self._buffer[:7] != b"HTTP/1."[: len(self._buffer)]:
                return True
            if len(self._buffer) < len(b"HTTP/1.1 1"):
                return piece == b""
            if self._buffer[9:10] != b"1" or self._buffer[9:12] == b"101":
                return True
            if self.complete_head() is None:
                return piece == b""
        return False

    # --- Bodies, as `body_frames.ByteFeed` ------------------------------------------------

    def read1(self, size: int, /) -> bytes:
        """Return at least one byte and at most `size`; nothing at the end."""
        buffer = self._buffer
        if not buffer:
            return self._receive(size) if size < LARGE else self._receive_filled(size)
        if len(buffer) <= size:
            self._buffer = bytearray()
            return bytes(buffer)
        piece = bytes(buffer[:size])
        del buffer[:size]
        return piece

    def readline(self, limit: int, /) -> bytes:
        """Return a line with its end; at most `limit` bytes, fewer at the end."""
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched, limit) + 1
            searched = len(self._buffer)
            if end or searched >= limit:
                return self.read1(end or limit)
            piece = self._receive(RECEIVED)
            if not piece:
                return self.read1(searched) if searched else b""
            self._buffer += piece

    # --- The socket -----------------------------------------------------------------------

    def _receive(self, size: int) -> bytes:
        self._raise_failure()
        start = time.monotonic()
        piece: bytes = self._sock.recv(size)
        self._watch(len(piece), time.monotonic() - start)
        return piece

    def _receive_filled(self, size: int) -> bytes:
        """Receive as often as it takes to have `size` bytes, or at least `FILLED`.

        The next read raises an error that follows the first bytes.
        """
        size = min(size, LARGEST)
        first = self._receive(size)
        count, enough = len(first), min(size, FILLED)
        if not first or count >= enough:
            return first
        view = memoryview(bytearray(size))
        view[:count] = first
        while count < enough:
            start = time.monotonic()
            try:
                received = self._sock.recv_into(view[count:])
            except OSError as error:
                # The system reports a reset once, and the end of the connection afterwards.
                self._failure = error
                break
            self._watch(received, time.monotonic() - start)
            if not received:
                break
            count += received
        return bytes(view[:count])

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _receive_now(self) -> bytes | None:
        """Receive without waiting; None if nothing has arrived."""
        timeout = self._sock.gettimeout()
        self._sock.settimeout(0)
        try:
            piece: bytes = self._sock.recv(RECEIVED)
        except self._blocked:  # TLS may have received something of its own
            return None
        finally:
            self._sock.settimeout(timeout)
        return piece

    def _watch(self, count: int, seconds: float) -> None:
        # Only the socket's timeout limits the time before the first byte of a response.
        self._waited += seconds if self._begun else 0.0
        self._begun = True
        self._arrived += count
        if self._waited > self._timeout and count:
            if self._arrived < MIN_PROGRESS:
                raise SlowResponseError(
                    f"only {self._arrived} bytes came within {self._timeout:g} seconds"
                )
            self._waited = 0.0
            self._arrived = 0
