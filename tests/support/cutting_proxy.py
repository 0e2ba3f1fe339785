"""A proxy whose first connections end after some bytes."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence

from attrs import frozen

from support.tcp_proxy import Direction, Link, TcpProxy, reset


@frozen
class Cut:
    """Where one connection ends: after `count` bytes `up` to the server or `down` to the client."""

    direction: Direction
    count: int


class CuttingProxy(TcpProxy):
    """Passes TCP connections on to `address`, each of the first ones up to its cut.

    The server sees a reset; the client too, or the end after what it was sent. A context
    manager.
    """

    def __init__(self, address: str, cuts: Sequence[Cut]) -> None:
        super().__init__(address)
        self._cuts = list(cuts)

    @property
    def uncut(self) -> int:
        """How many of the cuts have not happened."""
        return len(self._cuts)

    def _forward(self, link: Link, direction: Direction, block: bytes) -> bool:
        cut = self._cut_within(direction, link.passed[direction])
        if cut is None:
            return super()._forward(link, direction, block)
        source, sink = link.ends(direction)
        before = link.passed[direction] - len(block)
        sink.sendall(block[: max(cut.count - before, 0)])
        reset(source)
        if direction == "up":
            reset(sink)
        else:
            # No reset: it would take back what the client has not read yet.
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)
        return False

    def _cut_within(self, direction: Direction, count: int) -> Cut | None:
        with self._lock:
            if self._cuts and self._cuts[0].direction == direction and self._cuts[0].count < count:
                return self._cuts.pop(0)
        return None
