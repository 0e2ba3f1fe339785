"""A file of an artifact, opened for reading."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from oras_adapters.client.advice import advising
from oras_core.content.random_access import RandomAccess
from oras_core.model.descriptor import Descriptor

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["LayerStream"]

BUFFER_SIZE: Final = 64 * 1024
"""Bytes read at once for small reads: a block of `RandomAccess`."""


class LayerStream(io.BufferedReader):
    """A file of an artifact: a binary file that seeks, and a context manager.

    A layer that is read from the start to the end is verified: the last of its bytes are
    returned only if the digest is right. A part cannot be verified.

    Attributes:
        descriptor: of the layer. If the file is in a packed folder, the layer is the folder.
        size: of the file, in bytes.
    """

    def __init__(self, raw: io.RawIOBase, layer: Descriptor, held: ExitStack) -> None:
        """Read from `raw`, a part or all of `layer`; leave `held` when the stream is closed."""
        super().__init__(_Advising(raw), BUFFER_SIZE)
        self.descriptor = layer
        self.size: int = raw.seek(0, io.SEEK_END)
        raw.seek(0)
        self._access = raw if isinstance(raw, RandomAccess) else None
        self._held = held

    @property
    def verified(self) -> bool:
        """Whether all bytes of a layer were read in sequence, and the digest is right."""
        return self._access is not None and self._access.verified

    def close(self) -> None:
        """Close the connection and the files of the place."""
        try:
            super().close()
        finally:
            self._held.close()


class _Advising(io.RawIOBase):
    """A file whose errors say what to do."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._raw.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        with advising():
            return self._raw.seek(offset, whence)

    def readinto(self, buffer: WriteableBuffer, /) -> int | None:
        with advising():
            return self._raw.readinto(buffer)

    def readall(self) -> bytes:
        with advising():
            return self._raw.readall()

    def close(self) -> None:
        try:
            self._raw.close()
        finally:
            super().close()
