"""A line to a server on which every byte takes its time, as on one that crosses a country."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

_PIECE = 64 * 1024


@contextlib.contextmanager
def delayed_line(address: str, delay: float, rate: int = 0) -> Iterator[str]:
    """Give an address from which TCP connections go on to `address`, `delay` seconds each way.

    Bytes follow one another as in a pipe: the delay holds nothing back that comes after. A
    connection takes one round trip to open. Each connection passes on `rate` bytes a second from
    the server; 0 for no limit. Without delay and limit it is `address` itself.
    """
    if not delay and not rate:
        yield address
        return
    line = _Line(address, delay, rate)
    thread = threading.Thread(target=asyncio.run, args=(line.serve(),), name="delayed-line")
    thread.start()
    try:
        line.open.wait()
        yield f"127.0.0.1:{line.port}"
    finally:
        line.close()
        thread.join()


class _Line:
    def __init__(self, address: str, delay: float, rate: int) -> None:
        self._host, _, port = address.rpartition(":")
        self._server_port = int(port)
        self._delay = delay
        self._rate = rate
        self._ended = asyncio.Event()
        self.open = threading.Event()
        self.port = 0

    async def serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, backlog=512)
        self.port = server.sockets[0].getsockname()[1]
        self.open.set()
        await self._ended.wait()
        server.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)

    async def _connection(self, there: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        # On loopback a connection is open at once: its round trip is added to the first bytes.
        opened = self._loop.time() + 2 * self._delay
        writers = [back]
        try:
            answers, server = await asyncio.open_connection(self._host, self._server_port)
            writers.append(server)
            await asyncio.gather(
                self._way(there, server, opened, 0), self._way(answers, back, opened, self._rate)
            )
        except (OSError, asyncio.CancelledError):
            return  # one side has hung up, or everything ends
        finally:
            for writer in writers:
                writer.close()

    async def _way(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, opened: float, rate: int
    ) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        free = 0.0  # when the limited line has passed on all before
        arriving = asyncio.create_task(self._arrive(under_way, sink))
        try:
            while piece := await source.read(_PIECE):
                free = max(self._loop.time(), opened, free) + (len(piece) / rate if rate else 0)
                under_way.put_nowait((free + self._delay, piece))
                if rate:  # the sender keeps the bytes that it has not sent yet
                    await asyncio.sleep(free - self._loop.time())
            under_way.put_nowait((max(self._loop.time(), free) + self._delay, b""))
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(
        self, under_way: asyncio.Queue[tuple[float, bytes]], sink: asyncio.StreamWriter
    ) -> None:
        while True:
            due, piece = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            if not piece:
                break
            sink.write(piece)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
