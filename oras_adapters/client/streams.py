"""A file of an artifact, opened for reading."""

from __future__ import annotations

import io
from contextlib import ExitStack
from typing import Final

from oras_core.content.random_access import RandomAccess
from oras_core.model.descriptor import Descriptor

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
        super().__init__(raw, BUFFER_SIZE)
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
