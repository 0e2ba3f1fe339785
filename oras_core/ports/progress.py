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

    def planned(self, contents: int, size: int) -> None:
        """So many more contents, of so many bytes altogether, are to be moved or skipped.

        Told before the first of them; more than once where one copy follows another.
        """

    def started(self, descriptor: Descriptor) -> None:
        """Content begins to move."""

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """`count` more bytes of it have moved."""

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Its first `kept` bytes are here from an earlier attempt, and count as moved."""

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """It moves again from its first byte: the `moved` bytes so far do not count."""

    def finished(self, descriptor: Descriptor) -> None:
        """Content has arrived and is verified."""

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        """Content needs not be moved: it was there, or came from a neighbour."""

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        """Content could not be moved. What stops because other content failed is not told."""
