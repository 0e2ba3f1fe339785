"""Trace the reads of a copy: stop them when it is cancelled, report progress, note failures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from oras_core.cancellation import CancelToken, current_token
from oras_core.content.reading import clone_file
from oras_core.content.sources import RangedSource
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.progress import ProgressListener

__all__ = ["CancellableSource", "TracedSource", "traced"]

T = TypeVar("T")


class CancellableSource:
    """A source whose streams raise `CancelledError` once the reading thread's token is cancelled.

    A destination may read within a `respite`, or in threads of its own, which have no token.
    """

    def __init__(self, source: ByteSource, token: CancelToken) -> None:
        """Read `source`; `token` governs the threads that have none."""
        self._source = source
        self._token = token

    @property
    def size(self) -> int | None:
        """The size of the source."""
        return self._source.size

    def open(self) -> ByteStream:
        """Open the source."""
        return _Stream(self.guarded(self._source.open), self)

    def guarded(self, read: Callable[[], T]) -> T:
        """Check the token, then open the source or read a chunk of it."""
        current_token(self._token).raise_if_cancelled("read a blob to push")
        return read()

    def advance(self, chunk: bytes) -> bytes:
        """Return a chunk that was read."""
        return chunk


class _Stream:
    def __init__(self, stream: ByteStream, source: CancellableSource) -> None:
        self._stream = stream
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        return self._source.advance(self._source.guarded(partial(self._stream.read, size)))

    def clone_into(self, clone: Callable[[ByteStream], ByteStream | None]) -> ByteStream | None:
        # The bytes count when they are read for their verification.
        cloned = self._source.guarded(partial(clone_file, self._stream, clone))
        return None if cloned is None else _Stream(cloned, self._source)

    def close(self) -> None:
        self._stream.close()


def traced(
    source: ByteSource,
    descriptor: Descriptor,
    listener: ProgressListener,
    token: CancelToken,
) -> TracedSource:
    """Return a traced `source`; it can be resumed if `source` can."""
    if isinstance(source, RangedSource):
        return _TracedResumableSource(source, descriptor, listener, token)
    return TracedSource(source, descriptor, listener, token)


class TracedSource(CancellableSource):
    """A source that notes whether it was opened or failed, and reports progress."""

    def __init__(
        self,
        source: ByteSource,
        descriptor: Descriptor,
        listener: ProgressListener,
        token: CancelToken,
    ) -> None:
        """Report reads of `source` to `listener`; `token` governs the threads that have none."""
        super().__init__(source, token)
        self._descriptor = descriptor
        self._listener = listener
        self.opened: bool = False
        self.failed: bool = False
        self._moved = 0

    def open(self) -> ByteStream:
        """Open the source."""
        self.begin()
        return super().open()

    def begin(self, kept: int = 0) -> None:
        """Report a start or restart, after `kept` bytes of an earlier attempt."""
        if self.opened:
            self._listener.restarted(self._descriptor, self._moved)
        else:
            self._listener.started(self._descriptor)
        self.opened, self._moved = True, kept
        self.failed = False
        if kept:
            self._listener.resumed(self._descriptor, kept)

    def guarded(self, read: Callable[[], T]) -> T:
        """Check the token, then open the source or read a chunk of it, and note its failure."""
        try:
            return super().guarded(read)
        except BaseException:
            self.failed = True
            raise

    def advance(self, chunk: bytes) -> bytes:
        """Report a chunk and return it."""
        if chunk:
            self._moved += len(chunk)
            self._listener.advanced(self._descriptor, len(chunk))
        return chunk


class _TracedResumableSource(TracedSource):
    def __init__(
        self,
        source: RangedSource,
        descriptor: Descriptor,
        listener: ProgressListener,
        token: CancelToken,
    ) -> None:
        super().__init__(source, descriptor, listener, token)
        self._resumable = source

    def open_from(self, start: int) -> ByteStream:
        self.begin(start)
        return _Stream(self.guarded(partial(self._resumable.open_from, start)), self)
