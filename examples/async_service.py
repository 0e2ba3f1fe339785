"""Handle many requests in one event loop while a large blob is transferred.

Run it with the address of a registry: `python examples/async_service.py localhost:5001`. A
second argument is the size of the large blob in MiB, 1024 by default. The program prints the
delay of the event loop during the transfer.
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import oras

REQUESTS = 200
MIB = 1024 * 1024


async def handle(client: oras.AsyncClient, registry: str, folder: Path, number: int) -> None:
    """Push a small artifact and pull it, like a request to a service."""
    place = f"{registry}/examples/service/{number}:v1"
    note = folder / f"{number}.txt"
    note.write_text(f"note {number}\n")
    await client.push(place, [note])
    await client.pull(place, folder / "pulled" / str(number))


async def latencies(late: list[float]) -> None:
    """Record the delay of the event loop repeatedly, in seconds."""
    while True:
        wanted = time.perf_counter() + 0.005
        await asyncio.sleep(0.005)
        late.append(time.perf_counter() - wanted)


def large_file(folder: Path, size: int) -> Path:
    """Write an incompressible file."""
    path = folder / "large.bin"
    with path.open("wb") as file:
        for _ in range(size):
            file.write(os.urandom(MIB))
    return path


async def serve(registry: str, folder: Path, size: int) -> list[float]:
    """Transfer a large blob and handle many requests at the same time."""
    late: list[float] = []
    large = f"{registry}/examples/service/large:v1"
    async with oras.AsyncClient() as client:
        watch = asyncio.create_task(latencies(late))
        async with asyncio.TaskGroup() as group:
            for number in range(REQUESTS):
                group.create_task(handle(client, registry, folder, number))
            await client.push(large, [folder / "large.bin"])
            await client.pull(large, folder / "pulled")
        watch.cancel()
    print(f"moved {size} MiB and handled {REQUESTS} requests")
    return sorted(late)


def main(argv: Sequence[str]) -> None:
    """Serve with the registry `argv[0]`, and a blob of `argv[1]` MiB."""
    size = int(argv[1]) if len(argv) > 1 else 1024
    with tempfile.TemporaryDirectory() as name:
        large_file(Path(name), size)
        late = asyncio.run(serve(argv[0], Path(name), size))
    print(f"the event loop was late by {late[len(late) * 99 // 100] * 1000:.0f} ms at most in 99 %")


if __name__ == "__main__":
    main(sys.argv[1:])
