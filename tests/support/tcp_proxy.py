"""A way to a server, on which the proxies stand that count, stall, cut and break."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import Literal

from attrs import define, field

BLOCK = 16 * 1024
"""Bytes passed on at a time."""

Direction = Literal["up", "down"]
"""To the server, or to the client."""


@define(eq=False)
class Link:
    """A connection, as the client and as the server has it.

    Attributes:
        client: the client's end.
        server: the server's.
        passed: how many bytes have come either way.
    """

    client: socket.socket
    server: socket.socket
    passed: dict[Direction, int] = field(factory=lambda: {"up": 0, "down": 0})

    def ends(self, direction: Direction) -> tuple[socket.socket, socket.socket]:
        """Return where bytes come from, and where they go."""
        return (self.client, self.server) if direction == "up" else (self.server, self.client)


class TcpProxy:
    """Passes TCP connections on to `address`. A context manager.

    What becomes of a block of bytes, `_forward` decides, in a thread for each direction.
    """

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._links: list[Link] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            ends = [end for link in self._links for end in (link.client, link.server)]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        for end in ends:
            end.close()

    @property
    def address(self) -> str:
        """Where to connect to, as in a reference."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

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
            link = Link(client, self._connect())
            with self._lock:
                self._links.append(link)
            self._start(self._pass_on, link, "up")
            self._start(self._pass_on, link, "down")

    def _connect(self) -> socket.socket:
        return socket.create_connection(self._target)

    def _pass_on(self, link: Link, direction: Direction) -> None:
        source, sink = link.ends(direction)
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                link.passed[direction] += len(block)
                if not self._forward(link, direction, block):
                    return
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _forward(self, link: Link, direction: Direction, block: bytes) -> bool:
        """Pass a block on; False if the connection has been ended by that."""
        link.ends(direction)[1].sendall(block)
        return True


def reset(end: socket.socket) -> None:
    """Close one end so that the other side sees a reset."""
    with contextlib.suppress(OSError):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        end.shutdown(socket.SHUT_RD)  # wakes the thread that reads it
    end.close()


def finish(end: socket.socket) -> None:
    """Close one end so that the other side sees the end."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
