"""Connecting to a host by the first of its addresses that answers (RFC 8305)."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

from oras_core.cancellation import LOOK_SECONDS, Bell, CancelToken

__all__ = ["ConnectTimeoutError", "Dialer", "in_background"]

T = TypeVar("T")

ATTEMPT_SECONDS: Final = 0.25
"""Seconds before the next address is tried in parallel (RFC 8305, section 5)."""

REMEMBERED: Final = 64
"""Hosts of which the last address that answered is remembered."""

_BEGUN: Final = (errno.EINPROGRESS, errno.EWOULDBLOCK)

SocketOptions = Iterable[tuple[int, int, int | bytes]]


class ConnectTimeoutError(TimeoutError):
    """No connection was made in time. The message says which step took too long."""


class Dialer:
    """Connects, and tries the address first that answered last time. Thread-safe."""

    def __init__(self) -> None:
        """Remember no address."""
        self._answered: dict[tuple[str, int], object] = {}

    def connect(
        self,
        address: tuple[str, int],
        timeout: float,
        options: SocketOptions,
        token: CancelToken,
    ) -> socket.socket:
        """Return a socket that is connected to one of the addresses of a host.

        Args:
            address: host and port.
            timeout: the seconds for everything: resolving the name and connecting.
            options: arguments of `setsockopt`.
            token: ends the attempts when it is cancelled.

        Raises:
            socket.gaierror: if the name cannot be resolved.
            ConnectTimeoutError: if no address answers in time.
            OSError: if every address refuses the connection, or `token` is cancelled.
        """
        end = time.monotonic() + timeout
        found = _addresses(address, timeout, token)
        last = self._answered.get(address)
        ordered = sorted(_alternating(found), key=lambda entry: entry[4] != last)
        with contextlib.closing(_Race(ordered, options)) as race:
            sock, target = race.run(end, token)
        if len(found) > 1:
            if len(self._answered) >= REMEMBERED:
                self._answered.clear()
            self._answered[address] = target
        sock.settimeout(timeout)
        return sock


class _Race:
    """Connection attempts to several addresses, of which the first to succeed is kept."""

    def __init__(self, entries: Iterable[Any], options: SocketOptions) -> None:
        self._waiting = list(entries)[::-1]
        self._options = tuple(options)
        self._selector = selectors.DefaultSelector()
        self._failure: OSError = OSError("the host has no address")
        self._due = 0.0

    def run(self, end: float, token: CancelToken) -> tuple[socket.socket, object]:
        while True:
            now = time.monotonic()
            if token.cancelled:
                raise OSError(errno.ECANCELED, "cancelled")
            if now >= end:
                raise ConnectTimeoutError("no connection was made in time")
            attempts = self._selector.get_map()
            if self._waiting and (now >= self._due or not attempts):
                self._due = now + ATTEMPT_SECONDS
                won = self._begin(self._waiting.pop())
            elif not attempts:
                raise self._failure
            else:
                due = self._due if self._waiting else end
                won = self._await(max(0.0, min(LOOK_SECONDS, due - now, end - now)))
            if won is not None:
                return won

    def _begin(self, entry: Any) -> tuple[socket.socket, object] | None:  # noqa: ANN401
        family, kind, protocol, _, target = entry
        sock = None
        try:
            sock = socket.socket(family, kind, protocol)
            for option in self._options:
                sock.setsockopt(*option)
            sock.settimeout(0)
            code = sock.connect_ex(target)
        except OSError as error:
            self._fail(sock, error)
            return None
        if code in _BEGUN:
            self._selector.register(sock, selectors.EVENT_WRITE, target)
            return None
        return self._settled(sock, code, target)

    def _await(self, seconds: float) -> tuple[socket.socket, object] | None:
        for key, _ in self._selector.select(seconds):
            sock: Any = key.fileobj
            self._selector.unregister(sock)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            won = self._settled(sock, code, key.data)
            if won is not None:
                return won
        return None

    def _settled(
        self, sock: socket.socket, code: int, target: object
    ) -> tuple[socket.socket, object] | None:
        if not code:
            return sock, target
        self._fail(sock, OSError(code, os.strerror(code)))
        return None

    def _fail(self, sock: socket.socket | None, error: OSError) -> None:
        self._failure = error
        self._due = 0.0  # the next address need not wait
        if sock is not None:
            sock.close()

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            sock: Any = key.fileobj
            sock.close()
        self._selector.close()


def _alternating(entries: Sequence[Any]) -> Iterable[Any]:
    """Alternate the address families, beginning with the first (RFC 8305, section 4)."""
    family = entries[0][0] if entries else None
    first = [entry for entry in entries if entry[0] == family]
    others = [entry for entry in entries if entry[0] != family]
    pairs = itertools.zip_longest(first, others)
    return [entry for entry in itertools.chain.from_iterable(pairs) if entry is not None]


def _addresses(address: tuple[str, int], timeout: float, token: CancelToken) -> Sequence[Any]:
    """Return the addresses of a host, in the form of `socket.getaddrinfo`."""
    host, port = address[0].strip("[]"), address[1]

    def resolve(name: str | bytes = host) -> Sequence[Any]:
        return socket.getaddrinfo(name, port, socket.AF_UNSPEC, socket.SOCK_STREAM)

    if _is_address(host):
        return resolve(host.encode())  # as text, Python would load the codec of host names
    return in_background(resolve, "the host name was not resolved", timeout, token)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):
            socket.inet_pton(family, host)
            return True
    return False


def in_background(work: Callable[[], T], failure: str, timeout: float, token: CancelToken) -> T:
    """Run `work`, which cannot be interrupted, in a thread that may be left behind.

    Raises:
        ConnectTimeoutError: if it takes longer than `timeout` seconds; `failure` says what failed.
        OSError: if `token` is cancelled.
        Exception: what `work` raised.
    """
    answers: list[Callable[[], T]] = []
    bell = Bell()

    def tell(answer: Callable[[], T]) -> None:
        answers.append(answer)
        bell.ring()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - raised by the thread that waits
            tell(lambda error=error: _raise(error))  # type: ignore[misc]
        else:
            tell(lambda: result)

    forget = token.on_cancel(lambda: tell(lambda: _raise(OSError(errno.ECANCELED, "cancelled"))))
    try:
        threading.Thread(target=run, name="oras-resolver", daemon=True).start()
        if not bell.wait(timeout):
            raise ConnectTimeoutError(failure)
    finally:
        forget()
    return answers[0]()


def _raise(error: Exception) -> Any:  # noqa: ANN401 - never returns
    raise error
