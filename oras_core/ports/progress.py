"""The progress port: callbacks about the blobs of a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from oras_core.model.descriptor import Descriptor

__all__ = ["ProgressListener", "SkipReason"]

SkipReason = Literal["exists", "mounted"]


class ProgressListener:
    """Receives the progress of a push or copy. Every method does nothing; override those you need.

    Methods are called from several threads at once and should return quickly. An exception
    from a method ends the copy.
    """

    def preparation_started(self, title: str, size: int) -> None:
        """A push begins to pack a directory or to hash a large file, of `size` bytes."""

    def preparation_advanced(self, title: str, count: int) -> None:
        """`count` more bytes were packed or hashed."""

    def preparation_ended(self, title: str) -> None:
        """The directory or file is packed or hashed, or an error ended the preparation."""

    def planned(self, contents: int, size: int) -> None:
        """`contents` more blobs and manifests, of `size` bytes together, will be moved or skipped.

        Called before they are; called again if more are found, or if another copy follows.
        """

    def started(self, descriptor: Descriptor) -> None:
        """The transfer of a blob or manifest begins."""

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """`count` more bytes were transferred."""

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """The first `kept` bytes are present from an earlier attempt; they count as transferred."""

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """The transfer starts again at the first byte; the `moved` bytes so far do not count."""

    def finished(self, descriptor: Descriptor) -> None:
        """The transfer is complete and verified."""

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        """Skipped: already present, or mounted from another repository."""

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        """The transfer failed. Not called for transfers that stop because another one failed."""
