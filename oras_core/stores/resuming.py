"""Write a file, resuming the partial file of an interrupted attempt or a killed process."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from functools import partial
from io import BytesIO
from typing import Final

from oras_core.content.reading import read_rest
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
from oras_core.stores.filling import fill_file

__all__ = ["forget_partial", "write_file"]

_logger = logging.getLogger(__name__)

RESUMABLE_SIZE: Final = 1024 * 1024
"""Smallest blob that keeps a partial file, in bytes: smaller blobs are faster to fetch again."""

_PASSING: Final = (401, 403, 429)
"""Statuses about the caller or the request rate, not about the blob."""


def write_file(tree: FileTree, path: SafePath, descriptor: Descriptor, source: ByteSource) -> None:
    """Write a blob to a file, which gets its name once all bytes are verified.

    After a broken connection, an interrupt or a killed process, the partial file of a large
    blob stays beside the final name, and the next attempt resumes it. The bytes of the partial
    file are hashed again, and discarded if the result does not match.

    Raises:
        ContentError: if the bytes do not match `descriptor`; nothing is kept then.
        FileAccessError: if they cannot be written; nothing is kept then.
        OrasError: an error of the source; the partial file stays after an interruption.
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
        fill_file(file, descriptor, source)
        file.commit()
    forget_partial(tree, path, descriptor)


def forget_partial(tree: FileTree, path: SafePath, descriptor: Descriptor) -> None:
    """Remove the partial file of a blob that is complete at `path`."""
    if descriptor.size >= RESUMABLE_SIZE and isinstance(tree, PartialKeeper):
        tree.forget(path, descriptor.digest)


def _fill(file: ResumableFile, descriptor: Descriptor, source: ResumableSource) -> None:
    try:
        if file.kept and _resume_partial(file, descriptor, source):
            return
        fill_file(file, descriptor, source)
    except OrasError as error:
        if not _is_interruption(error):
            file.restart()
        raise


def _resume_partial(file: ResumableFile, descriptor: Descriptor, source: ResumableSource) -> bool:
    """Complete the partial file; False if it did not match, and was emptied."""
    kept = file.kept
    rest = partial(source.open_from, kept) if kept < descriptor.size else BytesIO
    try:
        with closing(_Continued(file.reread(), rest)) as stream:
            copy_verified(stream, descriptor, _Beyond(kept, file.write))
    except (ContentError, RegistryError) as error:
        if _is_interruption(error):
            raise
        _logger.warning("discarded a partial file of %d bytes of %s: %s", kept, descriptor, error)
        file.restart()
        return False
    return True


def _is_interruption(error: OrasError) -> bool:
    """Tell whether a later attempt may resume the partial file."""
    if isinstance(error, RegistryError):
        return error.status in _PASSING or error.status >= 500
    return isinstance(error, TransportError | CancelledError)


class _Beyond:
    """Writes the bytes after the first `count`, which the file has."""

    def __init__(self, count: int, write: Callable[[bytes], object]) -> None:
        self._left = count
        self._write = write

    def __call__(self, chunk: bytes) -> None:
        known = min(self._left, len(chunk))
        self._left -= known
        if known < len(chunk):
            self._write(chunk[known:])


class _Continued:
    """A stream followed by another one, which is opened at the end of the first."""

    def __init__(self, first: ByteStream, then: Callable[[], ByteStream]) -> None:
        self._stream = first
        self._then: Callable[[], ByteStream] | None = then

    def read(self, size: int = -1, /) -> bytes:
        if size < 0:
            return read_rest(self)
        chunk = self._stream.read(size)
        if chunk or size == 0 or self._then is None:
            return chunk
        then, self._then = self._then, None
        self._stream.close()
        self._stream = then()
        return self._stream.read(size)

    def close(self) -> None:
        self._stream.close()
