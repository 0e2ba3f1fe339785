"""A way to a server that breaks off at random bytes, and counts what went over it."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
from collections.abc import Iterator

from attrs import define, field

_BLOCK = 16 * 1024
_BUFFER = 32 * 1024
"""Asked of the system for what waits to be sent on: it takes twice as much."""

IN_BUFFERS = 8 * _BLOCK
"""Bytes that a break may take away of what was sent already: the proxy's block and buffers."""


@define
class Tally:
    """What happened during a transfer.

    Attributes:
        up: bytes that came from the client.
        down: bytes that came from the server.
        in_flight: for each break, how many bytes had gone up of the request that did not get
            its answer, or not all of it.
    """

    up: int = 0
    down: int = 0
    in_flight: list[int] = field(factory=list)


class BreakingProxy:
    """Passes TCP connections on to `address`. A context manager.

    Where a break is due, both sides of the connection that passes the byte see a reset, or
    the end. `seed` decides on where and how.
    """

    def __init__(self, address: str, seed: object) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._chance = random.Random(f"breaks {seed}")
        self._links: list[_Link] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._tally = Tally()
        self._distances: list[int] = []

    def __enter__(self) -> BreakingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            links = list(self._links)
        for link in links:
            link.end()
        for thread in self._threads:
            thread.join(5)

    @property
    def address(self) -> str:
        """Where to connect to, as in a reference."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @contextlib.contextmanager
    def breaking(self, count: int, within: int) -> Iterator[Tally]:
        """Break up to `count` times during the block, each within so many bytes of the last."""
        with self._lock:
            self._tally = Tally()
            self._distances = [self._chance.randrange(within) for _ in range(count)]
        try:
            yield self._tally
        finally:
            with self._lock:
                self._distances = []
                self._tally = Tally()

    def _start(self, target, *arguments) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket()
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
            server.connect(self._target)
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            link = _Link(client, server)
            with self._lock:
                self._links.append(link)
            self._start(self._pass_on, link, "up")
            self._start(self._pass_on, link, "down")

    def _pass_on(self, link: _Link, direction: str) -> None:
        source, sink = link.ends(direction)
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                with self._lock:
                    passed = self._count(link, direction, len(block))
                    how = self._chance.choice([_reset, _finish])
                sink.sendall(block[:passed])
                if passed < len(block):
                    link.end(how)
                    return
            sink.shutdown(socket.SHUT_WR)

    def _count(self, link: _Link, direction: str, size: int) -> int:
        """Count a block, and return how much of it is passed on."""
        setattr(self._tally, direction, getattr(self._tally, direction) + size)
        if direction == "up":
            link.request = size if link.answering else link.request + size
        link.answering = direction == "down"
        if not self._distances or self._distances[0] >= size:
            self._distances[:1] = [self._distances[0] - size] if self._distances else []
            return size
        self._tally.in_flight.append(link.request)
        return self._distances.pop(0)


@define(eq=False)
class _Link:
    client: socket.socket
    server: socket.socket
    request: int = 0
    answering: bool = False

    def ends(self, direction: str) -> tuple[socket.socket, socket.socket]:
        ends = (self.client, self.server)
        return ends if direction == "up" else ends[::-1]

    def end(self, how=None) -> None:
        for each in (self.client, self.server):
            (how or _reset)(each)


def _reset(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    each.close()


def _finish(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
