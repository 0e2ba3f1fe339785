"""A way to a registry over a network that fails: it resets, stalls, says 503, and cuts answers.

    python benchmarks/failing_proxy.py ADDRESS SHARE SEED STALL

Passes HTTP on to ADDRESS; of SHARE of all requests (0.05 is one in twenty) it makes a failure of
one kind or another. Its own address is the first line that it prints; when its input ends it
prints how many of each there were, as JSON, and ends.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter

HEAD = 256 * 1024
PIECE = 64 * 1024


class FailingProxy:
    """Answers for a registry, or fails to."""

    def __init__(self, address: str, share: float, seed: int, stall: float) -> None:
        self._host, _, self._port = address.rpartition(":")
        self._share = share
        self._chance = random.Random(seed)
        self._stall = stall
        self._serving: set[asyncio.Task[None] | None] = set()
        self.counted: Counter[str] = Counter()

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        # Once the connection is gone nobody else holds the task, and it would go unfinished.
        self._serving.add(task := asyncio.current_task())
        try:
            await self._serve(client, back)
        finally:
            self._serving.discard(task)

    async def _serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        writers = [back]
        try:
            registry, there = await asyncio.open_connection(self._host, int(self._port))
            writers.append(there)
            while await self._exchange(client, back, registry, there):
                pass
        except asyncio.CancelledError:
            return  # everything ends
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            self.counted["hung up by the client"] += 1
        finally:
            for writer in writers:
                writer.close()

    async def _exchange(
        self,
        client: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        registry: asyncio.StreamReader,
        there: asyncio.StreamWriter,
    ) -> bool:
        head = await client.readuntil(b"\r\n\r\n")
        self.counted["requests"] += 1
        fault = ""
        if self._chance.random() < self._share:
            fault = self._chance.choice(
                ["reset", "reset midway", "stall", "stall midway", "503", "cut", "cut request"]
            )
            self.counted[fault] += 1
        if fault == "reset":
            back.transport.abort()
            return False
        if fault == "stall":
            await asyncio.sleep(self._stall)
            return False
        if fault == "503":
            back.write(
                b"HTTP/1.1 503 Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await back.drain()
            return False
        there.write(head)
        length = _length(head)
        if fault == "cut request":
            await _pump(client, there, length // 2)
            back.transport.abort()
            return False
        # A registry may answer before it has read everything, and read no more.
        sending = asyncio.create_task(_pump(client, there, length))
        try:
            goes_on = await self._answer(head, back, registry, fault)
            return goes_on and sending.done() and sending.exception() is None
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _answer(
        self, head: bytes, back: asyncio.StreamWriter, registry: asyncio.StreamReader, fault: str
    ) -> bool:
        answer = await registry.readuntil(b"\r\n\r\n")
        if fault == "reset midway":
            back.transport.abort()
            return False
        back.write(answer)
        status = int(answer.split(b" ", 2)[1])
        empty = head.startswith(b"HEAD ") or status in (204, 304)
        length = 0 if empty else _length(answer)
        if fault in ("cut", "stall midway"):
            await _pump(registry, back, length // 2)
            if fault == "stall midway":
                await asyncio.sleep(self._stall)
            return False
        await _pump(registry, back, length)
        return b"transfer-encoding: chunked" not in answer.lower() or empty


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 2**62 if b"transfer-encoding: chunked" in head.lower() else 0


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, length: int) -> None:
    while length > 0 and (piece := await source.read(min(length, PIECE))):
        sink.write(piece)
        await sink.drain()
        length -= len(piece)


async def main(address: str, share: str, seed: str, stall: str) -> None:
    """Serve until the standard input ends."""
    proxy = FailingProxy(address, float(share), int(seed), float(stall))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0, limit=HEAD)
    print(f"127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()
    print(json.dumps(proxy.counted), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
