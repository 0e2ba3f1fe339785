"""A way to a server that counts the bytes, and can hold them back at a given one."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

from attrs import define

_BLOCK = 16 * 1024


@define
class Count:
    """Bytes that went `up` to the server and `down` to the client."""

    up: int = 0
    down: int = 0


class CountingProxy:
    """Passes TCP connections on to `address`. A context manager."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._count = Count()
        self._limit: int | None = None
        self._act: Callable[[], object] = int
        self._go = threading.Event()

    def __enter__(self) -> CountingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self.let_go()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for each in sockets:
            each.close()

    @property
    def address(self) -> str:
        """Where to connect to, as in a reference."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

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
            server = socket.create_connection(self._target)
            with self._lock:
                self._sockets += [client, server]
            self._start(self._pass_on, client, server, "up")
            self._start(self._pass_on, server, client, "down")

    def _pass_on(self, source: socket.socket, sink: socket.socket, direction: str) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                sink.sendall(block)
                with self._lock:
                    setattr(self._count, direction, getattr(self._count, direction) + len(block))
                    limit = self._limit
                    due = limit is not None and self._count.down >= limit
                if due:
                    self._act()
                    self._go.wait(60)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
