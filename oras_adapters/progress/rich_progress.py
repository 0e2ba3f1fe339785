"""Progress bars on a terminal, with the library rich: the extra `progress`."""

from __future__ import annotations

from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Final

from oras_core.errors import UnsupportedError
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.ports.progress import ProgressListener, SkipReason

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["RichProgress"]

SHOWN: Final = 32
"""Characters of a name, so that the bar has room."""


class RichProgress(ProgressListener):
    """One bar for the whole copy, and one for each transfer.

    Thread-safe. A context manager, which shows the bars until it is left.
    """

    def __init__(self, progress: Progress | None = None) -> None:
        """Use the terminal, or an existing `progress`.

        Raises:
            UnsupportedError: if rich is not installed; the error names the extra.
        """
        self._progress = progress or _new_progress()
        self._whole = self._progress.add_task("all", total=0)
        self._bars: dict[Digest | str, TaskID] = {}
        self._lock = Lock()

    def preparation_started(self, title: str, size: int) -> None:
        """Add a bar for the preparation."""
        self._add(title, _shown(f"preparing {title}"), size)

    def preparation_advanced(self, title: str, count: int) -> None:
        """Advance the bar of the preparation."""
        self._progress.advance(self._bars[title], count)

    def preparation_ended(self, title: str) -> None:
        """Remove the bar of the preparation."""
        self._remove(title)

    def planned(self, contents: int, size: int) -> None:  # noqa: ARG002 - the port's
        """Add to the total of the whole copy."""
        with self._lock:
            total = self._progress.tasks[self._whole].total or 0
            self._progress.update(self._whole, total=total + size)

    def started(self, descriptor: Descriptor) -> None:
        """Add a bar for the transfer."""
        name = _shown(descriptor.title or str(descriptor.digest))
        self._add(descriptor.digest, name, descriptor.size)

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """Advance both bars."""
        self._progress.advance(self._bars[descriptor.digest], count)
        self._progress.advance(self._whole, count)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Advance both bars by the bytes of the earlier attempt."""
        self.advanced(descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """Move both bars back."""
        self.advanced(descriptor, -moved)

    def finished(self, descriptor: Descriptor) -> None:
        """Remove the bar of the transfer."""
        self._remove(descriptor.digest)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:  # noqa: ARG002 - the port's
        """Remove the bar of the transfer."""
        self._remove(descriptor.digest)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:  # noqa: ARG002 - the port's
        """Advance the bar of the whole copy."""
        self._progress.advance(self._whole, descriptor.size)

    def _add(self, key: Digest | str, name: str, size: int) -> None:
        bar = self._progress.add_task(name, total=size)
        with self._lock:
            self._bars[key] = bar

    def _remove(self, key: Digest | str) -> None:
        with self._lock:
            bar = self._bars.pop(key, None)
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
        """Stop, and leave the last state on the terminal."""
        self._progress.stop()


def _shown(name: str) -> str:
    # Plain text: an untrusted title must not be read as markup.
    return ascii(name)[1:-1][:SHOWN].replace("[", "(")


def _new_progress() -> Progress:
    try:
        from rich.progress import (  # noqa: PLC0415 - rich is an extra
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TransferSpeedColumn,
        )
    except ImportError as error:
        reason = "rich is not installed: pip install 'oras-sdk[progress]'"
        raise UnsupportedError("show progress bars", reason) from error
    return Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    )
