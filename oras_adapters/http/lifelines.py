"""Sockets that another thread can shut down, and how they are connected.

A part of `oras_adapters.http.urllib3_connection`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from queue import SimpleQueue
from typing import Any, Final

from urllib3.util.connection import allowed_gai_family
from urllib3.util.wait import wait_for_write

from oras_core.cancellation import CancelToken

__all__ = ["Lifeline", "connected"]

LOOK_SECONDS: Final = 0.1
"""Seconds between two checks for a cancellation while connecting. Not every system can shut down
a socket that is not connected yet."""

_BEGUN: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)


class Lifeline:
    """A duplicate of a connection's socket, by which any thread can shut the connection down.

    It is a duplicate because a TLS socket object must not be used by two threads. Connection
    and response both hold it; it is closed when both have released it.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Duplicate `sock`; the caller is the first holder."""
        self._socket = sock.dup()
        self._holders = 1
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

    def hold(self) -> Lifeline:
        """Add a holder, which must call `release`."""
        self._holders += 1
        return self

    def release(self) -> None:
        """Remove a holder; the last one closes the duplicate."""
        self._holders -= 1
        if self._holders == 0:
            self.untie()
            self._socket.close()

    def _cut(self) -> None:
        # Wakes every thread that waits to read or write, in whatever layer.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def connected(
    address: tuple[str, int],
    timeout: float,
    options: Iterable[tuple[int, int, int | bytes]],
    token: CancelToken,
) -> socket.socket:
    """Return a socket that is connected to one of the addresses of a host.

    Raises:
        socket.gaierror: if the name cannot be resolved.
        TimeoutError: if no address answers within `timeout` seconds.
        OSError: if every address refuses the connection, or `token` is cancelled.
    """
    host, port = address
    failure = OSError("the name has no address")
    for family, kind, protocol, _, target in _addresses(host.strip("[]"), port, token):
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            for option in options:
                sock.setsockopt(*option)
            _connect(sock, target, timeout, token)
            sock.settimeout(timeout)
        except BaseException as error:
            if sock is not None:
                sock.close()
            if not isinstance(error, OSError):
                raise
            failure = error
        else:
            return sock
    raise failure


def _addresses(host: str, port: int, token: CancelToken) -> Sequence[Any]:
    """Return the addresses of a host, in the form of `socket.getaddrinfo`."""
    if _is_address(host):
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    answers: SimpleQueue[Sequence[Any] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 - raised by the thread that waits
            answers.put(error)
        else:
            answers.put(found)

    # A resolver cannot be interrupted, not even by a signal: a cancelled thread leaves it behind.
    forget = token.on_cancel(lambda: answers.put(OSError(errno.ECANCELED, "cancelled")))
    try:
        threading.Thread(target=ask, name="oras-resolver", daemon=True).start()
        answer = answers.get()
    finally:
        forget()
    if isinstance(answer, Exception):
        raise answer
    return answer


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


def _connect(sock: socket.socket, target: object, timeout: float, token: CancelToken) -> None:
    end = time.monotonic() + timeout
    sock.settimeout(0)
    code = sock.connect_ex(target)  # type: ignore[arg-type]  # as getaddrinfo gave it
    if code in _BEGUN:
        while not wait_for_write(sock, min(LOOK_SECONDS, max(0.0, end - time.monotonic()))):
            if token.cancelled:
                raise OSError(errno.ECANCELED, "cancelled")
            if time.monotonic() >= end:
                raise TimeoutError("timed out")
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))
