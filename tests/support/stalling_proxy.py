"""A way to a server that falls silent: connections stand still after some bytes, unbroken."""

from __future__ import annotations

import contextlib
import socket
import threading

from support.tcp_proxy import Direction, Link, TcpProxy


class StallingProxy(TcpProxy):
    """Passes TCP connections on to `address`, and stalls each that moves much one way.

    A connection that has moved `limit` bytes `up` to the server or `down` to the client moves
    nothing more, in neither direction; those who have moved less, and new ones, go on.
    `stalled` is released once for each. A context manager.
    """

    def __init__(self, address: str, *, up: int | None = None, down: int | None = None) -> None:
        super().__init__(address)
        self._limits = {"up": up, "down": down}
        self._stopped: set[Link] = set()
        self._ended = threading.Event()
        self.stalled = threading.Semaphore(0)

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        super().__exit__()

    def _forward(self, link: Link, direction: Direction, block: bytes) -> bool:
        if not self._stops(link, direction):
            return super()._forward(link, direction, block)
        source, sink = link.ends(direction)
        self._wait_for_end_of(source)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        return False

    def _stops(self, link: Link, direction: Direction) -> bool:
        limit = self._limits[direction]
        with self._lock:
            if link not in self._stopped and limit is not None and link.passed[direction] >= limit:
                self._stopped.add(link)
                self.stalled.release()
            return link in self._stopped

    def _wait_for_end_of(self, source: socket.socket) -> None:
        """Read nothing more, but pass on that the other side hangs up."""
        source.settimeout(0.02)
        while not self._ended.is_set():
            try:
                # Unread bytes fill the buffers, so nothing moves. They hide the end of the
                # connection, but not a reset.
                if source.recv(1, socket.MSG_PEEK) == b"":
                    return
            except TimeoutError:
                continue
            if self._ended.wait(0.02):
                return
