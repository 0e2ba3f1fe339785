"""Connections that another thread may cut: their sockets, waited for and held.

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
"""How often it is looked whether a connection that is not made yet is wanted still. A socket
that is not connected cannot be cut on every system."""

_BEGUN: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)


class Lifeline:
    """A handle of a connection's socket, by which any thread can shut it down.

    Of its own, so that nobody else's object is touched: one of TLS bears no second thread.
    It is held by the connection and by the answer that is read from it, whichever lives on.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Hold `sock`, once."""
        self._socket = sock.dup()
        self._holders = 1
        self._forget: Callable[[], None] | None = None

    def tie(self, token: CancelToken) -> None:
        """Cut the connection when `token` is cancelled, at once if it is."""
        self.untie()
        self._forget = token.on_cancel(self._cut)

    def untie(self) -> None:
        """Cut it no more: what it served is done."""
        forget, self._forget = self._forget, None
        if forget is not None:
            forget()

    def hold(self) -> Lifeline:
        """Keep it open until one more `release`."""
        self._holders += 1
        return self

    def release(self) -> None:
        """Let go; the last one closes it."""
        self._holders -= 1
        if self._holders == 0:
            self.untie()
            self._socket.close()

    def _cut(self) -> None:
        # Whoever waits for it, to read or to write, in whatever layer, is woken by that.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)


def connected(
    address: tuple[str, int],
    timeout: float,
    options: Iterable[tuple[int, int, int | bytes]],
    token: CancelToken,
) -> socket.socket:
    """Return a socket that is connected to one of the addresses that a name has.

    Raises:
        socket.gaierror: if the name is not known.
        TimeoutError: if nobody answers within `timeout` seconds.
        OSError: if nobody takes the connection, or `token` is cancelled.
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
    """Return what the system's resolver knows of a name, as `socket.getaddrinfo` does."""
    if _is_address(host):
        return socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
    answers: SimpleQueue[Sequence[Any] | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(host, port, allowed_gai_family(), socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 - raised by whoever waits
            answers.put(error)
        else:
            answers.put(found)

    # Nothing interrupts a resolver, not even a signal. Who is cancelled leaves it behind.
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
