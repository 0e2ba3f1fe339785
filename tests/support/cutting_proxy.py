"""A way to a server that breaks off: the first connections end after some bytes."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Sequence
from typing import Literal

from attrs import frozen

_BLOCK = 16 * 1024


@frozen
class Cut:
    """Where one connection ends: after `count` bytes `up` to the server or `down` to the client."""

    direction: Literal["up", "down"]
    count: int


class CuttingProxy:
    """Passes TCP connections on to `address`, each of the first ones up to its cut.

    The server sees a reset; the client too, or the end after what it was sent. A context
    manager.
    """

    def __init__(self, address: str, cuts: Sequence[Cut]) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._cuts = list(cuts)
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> CuttingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _reset(each)
        for thread in self._threads:
            thread.join(5)

    @property
    def address(self) -> str:
        """Where to connect to, as in a reference."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def uncut(self) -> int:
        """How many of the cuts have not happened."""
        return len(self._cuts)

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
        passed = 0
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                cut = self._cut_within(direction, passed + len(block))
                if cut is not None:
                    sink.sendall(block[: max(cut.count - passed, 0)])
                    break
                sink.sendall(block)
                passed += len(block)
            else:
                sink.shutdown(socket.SHUT_WR)
                return
        _reset(source)
        if direction == "up":
            _reset(sink)
        else:
            # No reset: it would take back what the client has not read yet.
            with contextlib.suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def _cut_within(self, direction: str, count: int) -> Cut | None:
        with self._lock:
            if self._cuts and self._cuts[0].direction == direction and self._cuts[0].count < count:
                return self._cuts.pop(0)
        return None


def _reset(each: socket.socket) -> None:
    with contextlib.suppress(OSError):
        each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        each.shutdown(socket.SHUT_RDWR)
    each.close()
