"""A proxy that closes connections at random bytes, and counts the bytes."""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable, Iterator

from attrs import define, field

from support.tcp_proxy import BLOCK, Direction, Link, TcpProxy, finish, reset

_BUFFER = 32 * 1024
"""Requested buffer size for bytes to send; the system takes twice as much."""

IN_BUFFERS = 8 * BLOCK
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


@define
class _Exchange:
    """The bytes of a link's latest request, and whether it is being answered."""

    sent: int = 0
    answering: bool = False


class BreakingProxy(TcpProxy):
    """Passes TCP connections on to `address`. A context manager.

    Where a break is due, both sides of the connection that passes the byte see a reset, or
    the end. `seed` decides on where and how.
    """

    def __init__(self, address: str, seed: object) -> None:
        super().__init__(address)
        self._chance = random.Random(f"breaks {seed}")
        self._exchanges: dict[Link, _Exchange] = {}
        self._tally = Tally()
        self._distances: list[int] = []

    def __enter__(self) -> BreakingProxy:
        super().__enter__()
        _keep_little(self._listener)  # and with it what it accepts
        return self

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

    def _connect(self) -> socket.socket:
        server = socket.socket()
        _keep_little(server)
        server.connect(self._target)
        return server

    def _forward(self, link: Link, direction: Direction, block: bytes) -> bool:
        with self._lock:
            passed = self._count(link, direction, len(block))
            how: Callable[[socket.socket], None] = self._chance.choice([reset, finish])
        link.ends(direction)[1].sendall(block[:passed])
        if passed == len(block):
            return True
        how(link.client)
        how(link.server)
        return False

    def _count(self, link: Link, direction: Direction, size: int) -> int:
        """Count a block, and return how much of it is passed on."""
        setattr(self._tally, direction, getattr(self._tally, direction) + size)
        exchange = self._exchanges.setdefault(link, _Exchange())
        if direction == "up":
            exchange.sent = size if exchange.answering else exchange.sent + size
        exchange.answering = direction == "down"
        if not self._distances or self._distances[0] >= size:
            self._distances[:1] = [self._distances[0] - size] if self._distances else []
            return size
        self._tally.in_flight.append(exchange.sent)
        return self._distances.pop(0)


def _keep_little(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
