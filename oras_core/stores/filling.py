"""Fill files with verified bytes. The operating system copies large blobs where it can."""

from __future__ import annotations

import logging
from contextlib import closing
from functools import partial
from typing import Final

from oras_core.content.reading import clone_file
from oras_core.content.verify import copy_verified, verify_stream
from oras_core.errors import ContentError, FileAccessError
from oras_core.model.descriptor import Descriptor
from oras_core.ports.content import ByteSource, ByteStream
from oras_core.ports.files import CloningFile, PendingFile

__all__ = ["fill_file"]

_logger = logging.getLogger(__name__)

CLONED_SIZE: Final = 1024 * 1024
"""Smallest blob that is cloned, in bytes. Some file systems write the original to the disk
first, which takes longer than the copy of a smaller blob."""


def fill_file(file: PendingFile, descriptor: Descriptor, source: ByteSource) -> None:
    """Write all bytes of `source` to an empty file; return only if they are verified.

    A clone is verified by its own bytes, so that a change of the original does not matter. If
    the clone is damaged, the source is opened again and read.

    Raises:
        ContentError: if the bytes do not match `descriptor`; the caller discards the file.
        OrasError: an error of the source or of the file.
    """
    if descriptor.size >= CLONED_SIZE and isinstance(file, CloningFile):
        with closing(source.open()) as stream:
            clone = clone_file(stream, partial(file.clone, size=descriptor.size))
            if clone is None:
                copy_verified(stream, descriptor, file.write)
                return
            if _is_intact(clone, descriptor):
                return
        file.restart()
    with closing(source.open()) as stream:
        copy_verified(stream, descriptor, file.write)


def _is_intact(clone: ByteStream, descriptor: Descriptor) -> bool:
    try:
        with closing(clone):
            verify_stream(clone, descriptor)
    except (ContentError, FileAccessError) as error:
        _logger.info("the clone of %s is discarded: %s", descriptor, error)
        return False
    return True
