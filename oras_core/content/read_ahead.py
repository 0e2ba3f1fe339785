"""Reading in a thread while the caller processes earlier chunks."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread, current_thread
from typing import Final

from oras_core.cancellation import CancelToken, current_token, interrupts_cancelling
from oras_core.ports.content import ByteStream
from oras_core.threads import can_start_threads

__all__ = ["ReadAhead", "read_ahead"]

DEPTH: Final = 4
"""Chunks in the queue: enough to even out delays, few enough to save memory."""


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Yield the same chunks while a thread reads the next ones.

    Reading, decompressing and hashing release the interpreter lock, so they run in parallel
    with the writing of files. An exception of `chunks` is raised here. Closing the iterator
    ends the thread once the chunk it is reading has arrived. Where no thread can be started,
    nothing overlaps.

    Raises:
        CancelledError: instead of the next chunk, if the thread's token is cancelled.
    """
    token = current_token()
    if not can_start_threads():
        yield from _one_by_one(chunks, token)
        return
    ready: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
    # A queue: `threading.Semaphore` takes several locks for each chunk.
    room: SimpleQueue[None] = SimpleQueue()
    for _ in range(DEPTH):
        room.put(None)
    closed = False

    def fetch() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
                room.get()
                if closed:
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by the reader
            ready.put(error)

    # The token also governs a connection that is opened while reading.
    thread = Thread(target=copy_context().run, args=(fetch,), name="oras-read-ahead", daemon=True)
    thread.start()
    try:
        with interrupts_cancelling():
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                token.raise_if_cancelled("read the next chunk")
                room.put(None)
                yield item
    finally:
        closed = True
        room.put(None)
        if thread is not current_thread():  # the garbage collector may close it in any thread
            thread.join()


def _one_by_one(chunks: Iterator[bytes], token: CancelToken) -> Iterator[bytes]:
    for chunk in chunks:
        token.raise_if_cancelled("read the next chunk")
        yield chunk


class ReadAhead:
    """A stream that a thread reads while the caller processes earlier chunks."""

    def __init__(self, stream: ByteStream, chunk_size: int) -> None:
        """Read `stream` in chunks of at most `chunk_size` bytes; the caller closes `stream`."""
        self._chunks = read_ahead(iter(lambda: stream.read(chunk_size), b""))
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes of the next chunk; all remaining bytes for -1."""
        if size < 0:
            return self._rest + b"".join(self._chunks)
        chunk = self._rest or next(self._chunks, b"")
        self._rest = chunk[size:]
        return chunk[:size] if self._rest else chunk

    def close(self) -> None:
        """End the thread once the chunk it is reading has arrived."""
        self._chunks.close()
