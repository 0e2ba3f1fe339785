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

    Read from the start to the end, its bytes are verified: the last of them are returned
    only if the digest is right. A part alone cannot be verified.
    """

    def __init__(self, raw: RandomAccess, held: ExitStack) -> None:
        """Read from `raw`; leave `held` when the stream is closed."""
        super().__init__(raw, BUFFER_SIZE)
        self._access = raw
        self._held = held

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the layer."""
        return self._access.descriptor

    @property
    def verified(self) -> bool:
        """Whether all bytes were read from the start to the end, and the digest is right."""
        return self._access.verified

    def close(self) -> None:
        """Close the connection, and what the place holds open."""
        try:
            super().close()
        finally:
            self._held.close()
