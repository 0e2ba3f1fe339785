"""The archive of a directory as a source that can be read while it is being packed."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from secrets import token_hex
from threading import Condition, Thread
from types import TracebackType
from typing import Final, Self

from oras_core.archives.archive import PackedDirectory
from oras_core.content.reading import read_rest
from oras_core.content.sources import FileSource
from oras_core.model.paths import SafePath, sanitize_path
from oras_core.ports.content import ByteStream
from oras_core.ports.files import FileTree, PendingFile
from oras_core.threads import can_start_threads

__all__ = ["PackedSource"]

PART_SIZE: Final = 1024 * 1024
"""Bytes of one part. A reader lags behind the packing by at most one part."""


class PackedSource:
    """The archive of a directory, packed once into scratch files by a separate thread.

    Packing begins on entering the context and does not wait for readers. Every stream starts
    at the first byte and returns each part as soon as the part is complete, so sending and
    hashing overlap with packing. Every stream raises the error that ended the packing.

    A context manager: leaving it stops the packing. Packed parts stay readable afterwards.
    """

    def __init__(
        self, pack: Callable[[Callable[[bytes], object]], PackedDirectory], scratch: FileTree
    ) -> None:
        """Prepare the packing.

        Args:
            pack: packs the directory, and passes each piece of the archive to its argument.
            scratch: folder for the archive; the caller empties it.
        """
        self._pack = pack
        self._scratch = scratch
        self._name = token_hex(8)
        self._parts: list[FileSource] = []
        self._file: PendingFile | None = None
        self._filled = 0
        self._packed: PackedDirectory | None = None
        self._failure: BaseException | None = None
        self._stopped = False
        self._changed = Condition()
        # The packing thread inherits the cancel token of the thread that made this source.
        self._thread = Thread(
            target=copy_context().run, args=(self._run,), name="oras-pack", daemon=True
        )

    @property
    def size(self) -> int | None:
        """Size in bytes; None until the packing is complete."""
        return self._packed.size if self._packed else None

    @property
    def packed(self) -> PackedDirectory:
        """The result of the packing; waits for it.

        Raises:
            OrasError: the error that ended the packing.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._packed or self._failure)
            if self._failure is not None:
                raise self._failure
            assert self._packed is not None  # noqa: S101 - the wait guarantees one of the two
            return self._packed

    def open(self) -> ByteStream:
        """Return a new stream that starts at the first byte."""
        return _PartsStream(self)

    def part(self, number: int) -> FileSource | None:
        """Wait for a part and return it; None after the last part.

        Raises:
            OrasError: the error that ended the packing.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: number < len(self._parts) or self._packed or self._failure
            )
            if number < len(self._parts):
                return self._parts[number]
            if self._failure is not None:
                raise self._failure
            return None

    def __enter__(self) -> Self:
        """Start the packing; where no thread can be started, pack everything now."""
        if can_start_threads():
            self._thread.start()
        else:
            self._run()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop the packing."""
        self._stopped = True
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        packed, failure = None, None
        try:
            packed = self._pack(self._write)
            self._end_part()
        except BaseException as error:  # noqa: BLE001 - raised again by every reader
            failure = error
            self._discard_part()
        with self._changed:
            self._packed, self._failure = packed, failure
            self._changed.notify_all()

    def _write(self, piece: bytes) -> None:
        if self._stopped:
            raise _StoppedError
        if self._file is None:
            self._file = self._scratch.create(self._path())
        self._file.write(piece)
        self._filled += len(piece)
        if self._filled >= PART_SIZE:
            self._end_part()

    def _end_part(self) -> None:
        file, self._file, self._filled = self._file, None, 0
        if file is None:
            return
        with file:
            file.commit()
        part = FileSource(self._scratch, self._path())
        with self._changed:
            self._parts.append(part)
            self._changed.notify_all()

    def _discard_part(self) -> None:
        if self._file is not None:
            with self._file:
                pass

    def _path(self) -> SafePath:
        return sanitize_path(f"{self._name}.{len(self._parts)}")


class _StoppedError(Exception):
    """Stops a packing whose context was left."""


class _PartsStream:
    def __init__(self, source: PackedSource) -> None:
        self._source = source
        self._number = 0
        self._stream: ByteStream | None = None

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return read_rest(self)
        while size:
            if self._stream is None:
                part = self._source.part(self._number)
                if part is None:
                    break
                self._stream = part.open()
                self._number += 1
            if chunk := self._stream.read(size):
                return chunk
            self.close()
        return b""

    def close(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
