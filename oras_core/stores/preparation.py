"""Report the preparation of a push: the hashing of large files, the packing of directories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.progress import ProgressListener

__all__ = ["REPORTED_SIZE", "ReportedSource", "preparing"]

REPORTED_SIZE: Final = 32 * 1024 * 1024
"""Bytes from which the hashing of a file is reported; smaller files take a fraction of a second."""


@contextmanager
def preparing(listener: ProgressListener, title: str, size: int) -> Iterator[Callable[[int], None]]:
    """Report a preparation for the time of a context; yield a function that reports bytes."""
    listener.preparation_started(title, size)
    try:
        yield partial(listener.preparation_advanced, title)
    finally:
        listener.preparation_ended(title)


class ReportedSource:
    """A source that passes the size of each chunk to a function."""

    def __init__(self, source: ByteSource, on_read: Callable[[int], object]) -> None:
        """Report the reads of `source` to `on_read`."""
        self._source = source
        self._on_read = on_read

    @property
    def size(self) -> int | None:
        """The size of the source."""
        return self._source.size

    def open(self) -> ByteStream:
        """Open the source."""
        return _ReportedStream(self._source.open(), self._on_read)


class _ReportedStream:
    def __init__(self, stream: ByteStream, on_read: Callable[[int], object]) -> None:
        self._stream = stream
        self._on_read = on_read

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        if chunk:
            self._on_read(len(chunk))
        return chunk

    def close(self) -> None:
        self._stream.close()
