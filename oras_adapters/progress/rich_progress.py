"""Progress as bars on a terminal, by the library rich: the extra `progress`."""

from __future__ import annotations

from threading import Lock
from types import TracebackType
from typing import Final

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TransferSpeedColumn,
)

from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.progress import ProgressListener, SkipReason

__all__ = ["RichProgress"]

SHOWN: Final = 32
"""Characters of a content's name: a bar needs its room too."""


class RichProgress(ProgressListener):
    """A bar for the whole, and one for each content that moves.

    Thread-safe; a context manager, which shows the bars while it lasts.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        """Show the bars on the terminal, or as `progress` does."""
        self._progress = progress or Progress(
            TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        )
        self._whole = self._progress.add_task("all", total=0)
        self._bars: dict[Digest, TaskID] = {}
        self._lock = Lock()

    def planned(self, contents: int, size: int) -> None:  # noqa: ARG002 - the port's
        """Make the whole as long as there is to do."""
        with self._lock:
            total = self._progress.tasks[self._whole].total or 0
            self._progress.update(self._whole, total=total + size)

    def started(self, descriptor: Descriptor) -> None:
        """Add a bar."""
        # Plain text: a stranger's title is no markup.
        name = ascii(descriptor.title or str(descriptor.digest))[1 : SHOWN + 1].replace("[", "(")
        bar = self._progress.add_task(name, total=descriptor.size)
        with self._lock:
            self._bars[descriptor.digest] = bar

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """Let both bars grow."""
        self._progress.advance(self._bars[descriptor.digest], count)
        self._progress.advance(self._whole, count)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Let both bars grow by what was here."""
        self.advanced(descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """Let both bars shrink."""
        self.advanced(descriptor, -moved)

    def finished(self, descriptor: Descriptor) -> None:
        """Take the bar away: what is done needs no room."""
        self._remove(descriptor)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:  # noqa: ARG002 - the port's
        """Take the bar away."""
        self._remove(descriptor)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:  # noqa: ARG002 - the port's
        """Let the whole grow by what needs not be moved."""
        self._progress.advance(self._whole, descriptor.size)

    def _remove(self, descriptor: Descriptor) -> None:
        with self._lock:
            bar = self._bars.pop(descriptor.digest, None)
        if bar is not None:
            self._progress.remove_task(bar)

    def __enter__(self) -> RichProgress:
        """Show the bars."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last state on the terminal."""
        self._progress.stop()
