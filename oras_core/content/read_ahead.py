"""Reading on while what was read is being worked on."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Semaphore, Thread, current_thread
from typing import Final

from oras_core.cancellation import current_token, interrupts_cancelling
from oras_core.ports.content import ByteStream

__all__ = ["ReadAhead", "read_ahead"]

DEPTH: Final = 4
"""Chunks that may wait: enough to even out, few enough for any memory."""


def read_ahead(chunks: Iterator[bytes]) -> Generator[bytes, None, None]:
    """Give the same chunks, and let a thread fetch the next ones meanwhile.

    Reading, inflating and hashing give up the interpreter's lock, so that they happen
    beside the writing of files. What `chunks` raises is raised here. Closing the iterator
    ends the thread, when the chunk that it is waiting for has come.

    Raises:
        CancelledError: in place of a further chunk, if the thread's token is cancelled.
    """
    token = current_token()
    ready: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
    room = Semaphore(DEPTH)
    closed = False

    def fetch() -> None:
        try:
            for chunk in chunks:
                ready.put(chunk)
                room.acquire()
                if closed:
                    return
            ready.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again by whoever reads
            ready.put(error)

    # A connection that is made while reading is governed by the token, too.
    thread = Thread(target=copy_context().run, args=(fetch,), name="oras-read-ahead", daemon=True)
    thread.start()
    try:
        with interrupts_cancelling():
            while (item := ready.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                token.raise_if_cancelled("go on reading")
                room.release()
                yield item
    finally:
        closed = True
        room.release()
        if thread is not current_thread():  # the collector closes what was forgotten anywhere
            thread.join()


class ReadAhead:
    """A stream that a thread reads on while what came is being worked on."""

    def __init__(self, stream: ByteStream, chunk_size: int) -> None:
        """Read `stream`, which stays the caller's to close, in chunks of at most this size."""
        self._chunks = read_ahead(iter(lambda: stream.read(chunk_size), b""))
        self._rest = b""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, whatever is there first; all that are left for -1."""
        if size < 0:
            return self._rest + b"".join(self._chunks)
        chunk = self._rest or next(self._chunks, b"")
        self._rest = chunk[size:]
        return chunk[:size] if self._rest else chunk

    def close(self) -> None:
        """End the thread, when the chunk that it is waiting for has come."""
        self._chunks.close()
