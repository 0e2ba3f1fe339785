"""One blob over several connections.

Registries behind CDNs and object stores limit the speed of a connection. A large blob starts with
an ordinary GET. If that connection is slow, further connections fetch ranges ahead of it; once the
first connection reaches the first range, ranges replace it. The stream returns the bytes in order,
so that callers hash, write and resume as with one connection. A few segments are kept in memory.

If a range fails, or the server ignores `Range`, the stream continues over one connection. The
digest of the whole blob reveals a range with wrong bytes.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing
from contextvars import copy_context
from threading import Condition, Thread
from typing import Final

from attrs import define, field

from oras_core.cancellation import LOOK_SECONDS, CancelToken, current_token
from oras_core.content.reading import CHUNK_SIZE, read_rest
from oras_core.errors import OrasError
from oras_core.forks import ForkSafeLock
from oras_core.registry.blobs.resuming import ResumingStream, Span
from oras_core.threads import can_start_threads

__all__ = ["ParallelStream", "Slots"]

_logger = logging.getLogger(__name__)

MiB: Final = 1024 * 1024

SEGMENT_SIZE: Final = 7 * MiB
"""Bytes of one range: large enough to make its request cheap, small enough for the memory."""

LEAST_SEGMENT: Final = 2 * MiB
"""Bytes of the last ranges, which are smaller, so that all connections end at the same time."""

PROBE_SIZE: Final = 2 * MiB
"""Bytes after which the speed of a single connection is judged, again and again."""

FAST: Final = 64 * MiB
"""Bytes per second of a connection that needs no help: hashing and writing limit it then."""

LEAST_REST: Final = 16 * MiB
"""Bytes that must be left so that further connections are worth their requests."""

Connect = Callable[[Span], ResumingStream]
"""Requests a span and returns its stream."""


class Slots:
    """Limits the additional connections of all blobs of a repository. Thread-safe."""

    def __init__(self) -> None:
        """Start without connections."""
        self._lock = ForkSafeLock()
        self._used = 0

    def take(self, limit: int) -> bool:
        """Take a slot unless `limit` of them are in use; return whether a slot was taken."""
        with self._lock:
            if self._used >= limit:
                return False
            self._used += 1
            return True

    def give_back(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._used -= 1


class ParallelStream:
    """A span of a blob, read in order over one or several connections. For one thread."""

    def __init__(
        self,
        first: ResumingStream,
        span: Span,
        connect: Connect,
        *,
        connections: int,
        slots: Slots,
        ignores_ranges: Callable[[], object],
    ) -> None:
        """Start with the connected stream `first`.

        Args:
            first: the stream of the whole span.
            span: the bytes to read.
            connect: requests further spans.
            connections: the most connections at a time.
            slots: shared with other blobs of the repository.
            ignores_ranges: called if the server ignores `Range`.
        """
        self.what: str = first.what
        self._single: ResumingStream | None = first
        self._connect = connect
        self._offset = span.start
        self._end = span.end
        self._connections = connections
        self._slots = slots
        self._ignores_ranges = ignores_ranges
        self._ranges: _Ranges | None = None
        self._may_join = True
        self._probed = 0
        self._waited = 0.0

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes; all that are left for -1.

        Raises: as `ResumingStream.read`.
        """
        if size < 0:
            return read_rest(self)
        if self._ranges is not None and self._ranges.failure is not None:
            self._leave_ranges(self._ranges)
        ranges = self._ranges
        if ranges is not None and self._offset == ranges.start and self._single is not None:
            self._single.close()
            self._single = None
            ranges.add_worker()
        if self._single is not None:
            return self._read_single(self._single, size)
        if ranges is None or self._offset == self._end or size == 0:
            return b""
        chunk = ranges.read(size)
        if not chunk:  # a range failed
            return self.read(size)
        self._offset += len(chunk)
        return chunk

    def _read_single(self, single: ResumingStream, size: int) -> bytes:
        wanted = size if self._ranges is None else min(size, self._ranges.start - self._offset)
        start = time.monotonic()
        chunk = single.read(wanted)
        self._waited += time.monotonic() - start
        self._offset += len(chunk)
        self._probed += len(chunk)
        if self._may_join and self._probed >= PROBE_SIZE:
            if self._probed < FAST * self._waited and self._end - self._offset >= LEAST_REST:
                self._join()
            self._probed, self._waited = 0, 0.0
        return chunk

    def _join(self) -> None:
        """Let further connections fetch ranges ahead of the first connection."""
        self._may_join = False
        ahead = Span(self._offset + SEGMENT_SIZE // 2, self._end)
        ranges = _Ranges(ahead, self._connect, self._connections, self._slots)
        started = [ranges.add_worker() for _ in range(self._connections - 1)]
        if any(started):
            _logger.debug("fetching ranges of %s from byte %d", self.what, ahead.start)
            self._ranges = ranges
        else:
            ranges.close()
            self._may_join = True  # other blobs use the connections

    def _leave_ranges(self, ranges: _Ranges) -> None:
        """Continue over one connection."""
        self._ranges = None
        ranges.close()
        _logger.info("continuing %s over one connection: %s", self.what, ranges.failure)
        if isinstance(ranges.failure, _RangesIgnoredError):
            self._ignores_ranges()
        if self._single is None:
            self._single = self._connect(Span(self._offset, self._end))

    def close(self) -> None:
        """Close all connections."""
        ranges, self._ranges = self._ranges, None
        single, self._single = self._single, None
        if single is not None:
            single.close()
        if ranges is not None:
            ranges.close()


class _RangesIgnoredError(Exception):
    """The server sends the whole blob instead of a range."""


@define
class _Segment:
    span: Span
    chunks: deque[bytes] = field(factory=deque)
    is_complete: bool = False


class _Ranges:
    """Segments that threads fetch, a few ahead of the reader."""

    def __init__(self, span: Span, connect: Connect, connections: int, slots: Slots) -> None:
        self.start = span.start
        self.failure: BaseException | None = None
        self._connect = connect
        self._connections = connections
        self._slots = slots
        self._end = span.end
        self._next = span.start
        self._segments: deque[_Segment] = deque()
        self._changed = Condition()
        self._closed = False
        self._token = CancelToken(current_token())
        self._threads: list[Thread] = []

    def add_worker(self) -> bool:
        """Start another connection; False if other blobs use all of them."""
        if not can_start_threads() or not self._slots.take(self._connections):
            return False
        thread = Thread(
            target=copy_context().run, args=(self._work,), name="oras-range", daemon=True
        )
        self._threads.append(thread)
        thread.start()
        return True

    def read(self, size: int) -> bytes:
        """Return at most `size` bytes of the next segment; none after a failure."""
        token = current_token()
        with self._changed:
            while True:
                segment = self._segments[0] if self._segments else None
                if segment is not None and segment.chunks:
                    chunk = segment.chunks.popleft()
                    if len(chunk) > size:
                        segment.chunks.appendleft(chunk[size:])
                    return chunk[:size]
                if segment is not None and segment.is_complete:
                    self._segments.popleft()
                    self._changed.notify_all()
                    continue
                if self.failure is not None:
                    return b""
                self._changed.wait(LOOK_SECONDS)
                token.raise_if_cancelled("read a range of a blob")

    def _work(self) -> None:
        try:
            with self._token.scope():
                while (segment := self._claim()) is not None:
                    self._fetch(segment)
        except (OrasError, _RangesIgnoredError) as error:
            self._fail(error)
        except BaseException as error:
            self._fail(error)
            raise
        finally:
            self._slots.give_back()

    def _claim(self) -> _Segment | None:
        """Return the next segment to fetch; None at the end."""
        with self._changed:
            while len(self._segments) > self._connections and not self._is_over():
                self._changed.wait(LOOK_SECONDS)
            if self._is_over() or self._next >= self._end:
                return None
            left = self._end - self._next
            share = max(left // self._connections, LEAST_SEGMENT)
            segment = _Segment(Span(self._next, self._next + min(left, share, SEGMENT_SIZE)))
            self._next = segment.span.end
            self._segments.append(segment)
            return segment

    def _is_over(self) -> bool:
        return self._closed or self.failure is not None or self._token.cancelled

    def _fetch(self, segment: _Segment) -> None:
        with closing(self._connect(segment.span)) as stream:
            if stream.starts_over:
                raise _RangesIgnoredError("the server ignores Range")
            while chunk := stream.read(CHUNK_SIZE):
                with self._changed:
                    segment.chunks.append(chunk)
                    self._changed.notify_all()
        with self._changed:
            segment.is_complete = True
            self._changed.notify_all()

    def _fail(self, error: BaseException) -> None:
        with self._changed:
            self.failure = self.failure or error
            self._changed.notify_all()

    def close(self) -> None:
        """End all threads and their requests."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._token.cancel()
        for thread in self._threads:
            thread.join()
        self._token.close()
        self._segments.clear()
