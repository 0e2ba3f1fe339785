"""Handles of sockets, by which another thread can shut a connection down."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from oras_core.cancellation import CancelToken

__all__ = ["Lifeline"]


class Lifeline:
    """A duplicate of a connection's socket, by which any thread can shut the connection down.

    It is a duplicate because a TLS socket object must not be used by two threads. After a fork
    the child's copy has no effect: the connection belongs to the parent.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Duplicate `sock`."""
        self._socket = sock.dup()
        self._process = os.getpid()
        self._forget: Callable[[], None] | None = None

    def tie(self, token: CancelToken) -> None:
        """Shut the connection down when `token` is cancelled; at once if it already is."""
        self.untie()
        self._forget = token.on_cancel(self._cut)

    def untie(self) -> None:
        """Stop watching the token: the request is finished."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()

    def close(self) -> None:
        """Close the duplicate."""
        self.untie()
        self._socket.close()

    def _cut(self) -> None:
        if self._process != os.getpid():
            return
        # Wakes every thread that waits to read or write, in whatever layer.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
