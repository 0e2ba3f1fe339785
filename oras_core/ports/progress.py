"""The progress port: what is being moved, for whoever wants to watch."""

from __future__ import annotations

from typing import Literal

from oras_core.model.descriptor import Descriptor

__all__ = ["ProgressListener", "SkipReason"]

SkipReason = Literal["exists", "mounted"]


class ProgressListener:
    """Told how a copy goes. Every method does nothing: override what interests you.

    Methods are called from several threads at once, and should return quickly. An
    exception from one of them ends the copy.
    """

    def started(self, descriptor: Descriptor) -> None:
        """Content begins to move."""

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """`count` more bytes of it have moved; after an interruption some move again."""

    def finished(self, descriptor: Descriptor) -> None:
        """Content has arrived and is verified."""

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        """Content needs not be moved: it was there, or came from a neighbour."""

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        """Content could not be moved. What stops because other content failed is not told."""
