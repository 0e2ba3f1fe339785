"""Writing a file that goes on where an earlier attempt, or a killed process, has broken off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import partial
from io import BytesIO
from typing import Final

from oras_core.content.sources import CHUNK_SIZE
from oras_core.content.verify import copy_verified
from oras_core.errors import (
    CancelledError,
    ContentError,
    OrasError,
    RegistryError,
    TransportError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.paths import SafePath
from oras_core.ports.content import ByteSource, ByteStream, ResumableSource
from oras_core.ports.files import FileTree, PartialKeeper, ResumableFile

__all__ = ["forget_beginning", "write_file"]

_logger = logging.getLogger(__name__)

RESUMABLE_SIZE: Final = 1024 * 1024
"""Bytes from which on a beginning is kept: fewer are sooner fetched than looked for."""

_PASSING: Final = (401, 403, 429)
"""Refusals that say nothing about the content: of who asks, or how often."""


def write_file(tree: FileTree, path: SafePath, descriptor: Descriptor, source: ByteSource) -> None:
    """Write content to a file, which gets its name when all of it is verified.

    What was there of large content when a connection broke, the copy was interrupted or the
    process was killed is kept beside the final name, and not fetched again. All of it is
    hashed again, and thrown away if it turns out to be something else.

    Raises:
        ContentError: if the bytes are not what `descriptor` promises; nothing is kept then.
        FileAccessError: if they cannot be written; nothing is kept either.
        OrasError: whatever the source raises; the part is kept if it is an interruption.
    """
    if (
        descriptor.size >= RESUMABLE_SIZE
        and isinstance(source, ResumableSource)
        and isinstance(tree, PartialKeeper)
        and (resumable := tree.resume(path, descriptor.digest)) is not None
    ):
        with resumable:
            _fill(resumable, descriptor, source)
            resumable.commit()
        return
    with tree.create(path) as file:
        with closing(source.open()) as stream:
            copy_verified(stream, descriptor, file.write)
        file.commit()
    forget_beginning(tree, path, descriptor)


def forget_beginning(tree: FileTree, path: SafePath, descriptor: Descriptor) -> None:
    """Remove what an earlier attempt left of content that is whole at `path` now."""
    if descriptor.size >= RESUMABLE_SIZE and isinstance(tree, PartialKeeper):
        tree.forget(path, descriptor.digest)


def _fill(file: ResumableFile, descriptor: Descriptor, source: ResumableSource) -> None:
    try:
        if file.kept and _go_on(file, descriptor, source):
            return
        with closing(source.open()) as stream:
            copy_verified(stream, descriptor, file.write)
    except OrasError as error:
        if not _is_interruption(error):
            file.restart()
        raise


def _go_on(file: ResumableFile, descriptor: Descriptor, source: ResumableSource) -> bool:
    """Complete what is kept; False if that was of no use, and the file is empty again."""
    kept = file.kept
    rest = partial(source.open_from, kept) if kept < descriptor.size else BytesIO
    try:
        with closing(_Continued(file.reread(), rest)) as stream:
            copy_verified(stream, descriptor, _Beyond(kept, file.write))
    except (ContentError, RegistryError) as error:
        if _is_interruption(error):
            raise
        _logger.warning("%d bytes kept of %s are of no use: %s", kept, descriptor, error)
        file.restart()
        return False
    return True


def _is_interruption(error: OrasError) -> bool:
    """Tell whether another attempt, later, may go on from here."""
    if isinstance(error, RegistryError):
        return error.status in _PASSING or error.status >= 500
    return isinstance(error, TransportError | CancelledError)


class _Beyond:
    """Writes what comes after the first bytes, which are there already."""

    def __init__(self, count: int, write: Callable[[bytes], object]) -> None:
        self._left = count
        self._write = write

    def __call__(self, chunk: bytes) -> None:
        known = min(self._left, len(chunk))
        self._left -= known
        if known < len(chunk):
            self._write(chunk[known:])


class _Continued:
    """One stream, and after its end another, which is opened only then."""

    def __init__(self, first: ByteStream, then: Callable[[], ByteStream]) -> None:
        self._stream = first
        self._then: Callable[[], ByteStream] | None = then

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_SIZE), b""))
        chunk = self._stream.read(size)
        if chunk or size == 0 or self._then is None:
            return chunk
        then, self._then = self._then, None
        self._stream.close()
        self._stream = then()
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
