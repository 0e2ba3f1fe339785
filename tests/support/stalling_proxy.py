"""A way to a server that falls silent: connections stand still after some bytes, unbroken."""

from __future__ import annotations

import contextlib
import socket
import threading

_BLOCK = 16 * 1024


class StallingProxy:
    """Passes TCP connections on to `address`, and stalls each that moves much one way.

    A connection that has moved `limit` bytes `up` to the server or `down` to the client moves
    nothing more, in neither direction; those who have moved less, and new ones, go on.
    `stalled` is released once for each. A context manager.
    """

    def __init__(self, address: str, *, up: int | None = None, down: int | None = None) -> None:
        host, _, port = address.rpartition(":")
        self._target = (host, int(port))
        self._limits = {"up": up, "down": down}
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self.stalled = threading.Semaphore(0)

    def __enter__(self) -> StallingProxy:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
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
            stopped = threading.Event()
            self._start(self._pass_on, client, server, "up", stopped)
            self._start(self._pass_on, server, client, "down", stopped)

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, direction: str, stopped: threading.Event
    ) -> None:
        count, limit = 0, self._limits[direction]
        with contextlib.suppress(OSError):
            while block := source.recv(_BLOCK):
                count += len(block)
                if limit is not None and count >= limit and not stopped.is_set():
                    stopped.set()
                    self.stalled.release()
                if stopped.is_set():
                    self._wait_for_end_of(source)
                    break
                sink.sendall(block)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _wait_for_end_of(self, source: socket.socket) -> None:
        """Read nothing more, but pass on that the other side hangs up."""
        source.settimeout(0.02)
        while not self._ended.is_set():
            try:
                # What waits unread fills the buffers: nothing moves. Its end cannot be seen
                # behind it, a reset can.
                if source.recv(1, socket.MSG_PEEK) == b"":
                    return
            except TimeoutError:
                continue
            if self._ended.wait(0.02):
                return
