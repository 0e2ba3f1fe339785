"""A connection that is kept: requests and their responses, one pair after the other.

After an exchange a connection is used again only if the whole request was sent, the whole
response was read, and the server has sent nothing else. So no response, whatever the server does,
is taken for the response to another request.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from urllib3.util.wait import wait_for_read, wait_for_socket

from oras_adapters.http.body_frames import BodyFrame, BrokenFrameError, OpenFrame, SizedFrame
from oras_adapters.http.framing import framing_of
from oras_adapters.http.receiver import BLOCKED, Receiver, WireError
from oras_adapters.http.response_heads import HeadParser, ResponseHead
from oras_adapters.http.urllib3_connection import Link

__all__ = ["Answer", "KeptConnection"]

SEND_PIECE: Final = 256 * 1024
"""Bytes handed to the system at a time: more saves nothing."""

_SWITCHING_PROTOCOLS: Final = 101
_FINAL: Final = 200


class Answer(NamedTuple):
    """A response whose body is still to be read.

    Attributes:
        head: the head, without fields that do not count.
        body: the body.
    """

    head: ResponseHead
    body: BodyFrame


class KeptConnection:
    """Sends requests and receives their responses on one connection.

    Attributes:
        link: the open connection.
        used: whether it was given back to its pool before.
    """

    def __init__(self, link: Link, timeout: float, parse: HeadParser) -> None:
        """Use `link`; `timeout` is in seconds, for sending and for receiving."""
        self.link = link
        self.used = False
        self._sock: Any = link.sock
        self._timeout = timeout
        self._parse = parse
        self._receiver = Receiver(self._sock, timeout)
        self._reusable = True
        self._body: BodyFrame | None = None

    @property
    def is_fresh(self) -> bool:
        """Whether the last exchange is complete, so that another request may be sent."""
        complete = self._body is None or self._body.ended
        return self._reusable and complete and self._receiver.is_empty

    @property
    def is_quiet(self) -> bool:
        """Whether the server has sent nothing, and not hung up, since the last exchange."""
        return self._receiver.is_idle()

    def exchange(self, method: str, head: bytes, body: Iterator[bytes] | None) -> Answer:
        """Send a request and receive the head of its response.

        Sending stops where the server answers early; the connection is then not used again.

        Args:
            method: the request's method.
            head: the request's head.
            body: the request's body in pieces, as they are to be sent.

        Raises:
            WireError: if the response is malformed or missing.
            MalformedHeadError: likewise.
            OSError: if the connection breaks.
            Exception: what `body` raises.
        """
        self._reusable = False
        self._receiver.begin()
        whole = self._send(head, body)
        response = self._final_head()
        framing = framing_of(method, response, self._receiver)
        self._body = framing.body
        self._reusable = whole and framing.kept
        if framing.fields is not response.fields:
            response = response._replace(fields=framing.fields)
        return Answer(response, framing.body)

    def drain(self, limit: int, seconds: float) -> None:
        """Read the rest of the body, if it is at most `limit` bytes and arrives in `seconds`."""
        body = self._body
        if not self._reusable or body is None or isinstance(body, OpenFrame):
            return
        if isinstance(body, SizedFrame) and body.left > limit:
            return
        end = time.monotonic() + seconds
        try:
            while limit > 0 and not body.ended and (left := end - time.monotonic()) > 0:
                self._sock.settimeout(left)
                limit -= len(body.read(limit))
        except (OSError, BrokenFrameError, WireError):
            self._reusable = False
        finally:
            self._sock.settimeout(self._timeout)

    def close(self) -> None:
        """Close the connection."""
        self._reusable = False
        self.link.close()

    # --- Sending --------------------------------------------------------------------------

    def _send(self, head: bytes, body: Iterator[bytes] | None) -> bool:
        """Send a request; return whether all of it was sent."""
        if body is None:
            self._sock.sendall(head)
            return True
        try:
            self._send_watching(head)
            for piece in body:
                self._send_watching(piece)
        except _AnsweredError:
            return False
        return True

    def _send_watching(self, data: bytes) -> None:
        """Send `data`, unless the server answers or hangs up."""
        sock = self._sock
        if not isinstance(sock, socket.socket):  # TLS within TLS can only wait
            sock.sendall(data)
            return
        view = memoryview(data)
        sock.settimeout(0)
        try:
            while view:
                self._check_unanswered()
                try:
                    view = view[sock.send(view[:SEND_PIECE]) :]
                except BLOCKED as error:
                    writing = not isinstance(error, ssl.SSLWantReadError)
                    if not wait_for_socket(sock, read=True, write=writing, timeout=self._timeout):
                        raise TimeoutError("timed out") from None
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            # The server has hung up; it may have answered before.
            raise _AnsweredError from None
        finally:
            sock.settimeout(self._timeout)

    def _check_unanswered(self) -> None:
        if not wait_for_read(self._sock, timeout=0) and self._receiver.is_empty:
            return
        try:
            answered = self._receiver.has_final_answer()
        except WireError:
            raise _AnsweredError from None
        if answered:
            raise _AnsweredError

    # --- Receiving ------------------------------------------------------------------------

    def _final_head(self) -> ResponseHead:
        while True:
            head = self._parse(self._receiver.head())
            if head.status == _SWITCHING_PROTOCOLS:
                raise WireError("the server switched to another protocol without being asked")
            if head.status >= _FINAL:
                return head


class _AnsweredError(Exception):
    """The server answered, or hung up, before the request was sent."""
