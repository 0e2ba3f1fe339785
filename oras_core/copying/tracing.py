"""Trace the reads of a copy: report progress, and note whether the source failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from oras_core.cancellation import CancelToken
from oras_core.content.sources import RangedSource
from oras_core.errors import CancelledError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.progress import ProgressListener

__all__ = ["TracedSource", "traced"]


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


class TracedSource:
    """A source that notes whether it was opened or failed, and reports progress."""

    def __init__(
        self,
        source: ByteSource,
        descriptor: Descriptor,
        listener: ProgressListener,
        token: CancelToken,
    ) -> None:
        """Report reads of `source` to `listener`, until `token` is cancelled."""
        self._source = source
        self._descriptor = descriptor
        self._listener = listener
        self._token = token
        self.opened = False
        self.failed = False
        self._moved = 0

    @property
    def size(self) -> int | None:
        """The size of the source."""
        return self._source.size

    def open(self) -> ByteStream:
        """Open the source."""
        self.begin()
        with self.noticing_failure():
            return _TracedStream(self._source.open(), self)

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

    def advance(self, chunk: bytes) -> bytes:
        """Report a chunk and return it."""
        if chunk:
            self._moved += len(chunk)
            self._listener.advanced(self._descriptor, len(chunk))
        return chunk

    @contextmanager
    def noticing_failure(self) -> Iterator[None]:
        """Note a failure of the source; raise if the copy is cancelled."""
        if self._token.cancelled:
            raise CancelledError(f"copy {self._descriptor}")
        try:
            yield
        except BaseException:
            self.failed = True
            raise


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
        with self.noticing_failure():
            return _TracedStream(self._resumable.open_from(start), self)


class _TracedStream:
    def __init__(self, stream: ByteStream, source: TracedSource) -> None:
        self._stream = stream
        self._source = source

    def read(self, size: int = -1, /) -> bytes:
        with self._source.noticing_failure():
            chunk = self._stream.read(size)
        return self._source.advance(chunk)

    def close(self) -> None:
        self._stream.close()
