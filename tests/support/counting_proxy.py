"""A way to a server that counts the bytes, and can hold them back at a given one."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

from attrs import define

from support.tcp_proxy import Direction, Link, TcpProxy


@define
class Count:
    """Bytes that went `up` to the server and `down` to the client."""

    up: int = 0
    down: int = 0


class CountingProxy(TcpProxy):
    """Passes TCP connections on to `address`. A context manager."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self._count = Count()
        self._limit: int | None = None
        self._act: Callable[[], object] = int
        self._go = threading.Event()

    def __exit__(self, *_: object) -> None:
        self.let_go()
        super().__exit__()

    def hold_at(self, count: int, act: Callable[[], object]) -> None:
        """Hold everything back once `count` bytes went down, and call `act`."""
        self._go.clear()
        self._limit, self._act = self._count.down + count, act

    def let_go(self) -> None:
        """Hold nothing back any more."""
        self._limit = None
        self._go.set()

    @contextlib.contextmanager
    def counting(self) -> Iterator[Count]:
        """Give the bytes of the block, known when it ends."""
        before = Count(self._count.up, self._count.down)
        count = Count()
        yield count
        with self._lock:
            count.up = self._count.up - before.up
            count.down = self._count.down - before.down

    def _forward(self, link: Link, direction: Direction, block: bytes) -> bool:
        super()._forward(link, direction, block)
        with self._lock:
            setattr(self._count, direction, getattr(self._count, direction) + len(block))
            limit = self._limit
            due = limit is not None and self._count.down >= limit
        if due:
            self._act()
            self._go.wait(60)
        return True
