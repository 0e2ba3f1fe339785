"""Progress as lines of a log, for programs without a terminal."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from oras_core.model.descriptor import Descriptor
from oras_core.ports.progress import ProgressListener, SkipReason

__all__ = ["LogProgress"]

INTERVAL: Final = 5.0
"""Seconds between two lines: a log is read afterwards."""


class LogProgress(ProgressListener):
    """Logs at INFO how far a copy is, every few seconds, and each content that fails.

    Thread-safe. One object watches one copy, or several that belong together.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        interval: float = INTERVAL,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with nothing.

        Args:
            logger: takes the lines; this module's if None.
            interval: seconds between two lines.
            now: a clock in seconds, always going forwards.
        """
        self._logger = logger or logging.getLogger(__name__)
        self._interval = interval
        self._now = now
        self._lock = Lock()
        self._contents = self._size = self._done = self._skipped = self._moved = 0
        self._last = now()

    def planned(self, contents: int, size: int) -> None:
        """Say what there is to do."""
        with self._lock:
            self._contents += contents
            self._size += size
        self._logger.info("%d contents of %d bytes to move", contents, size)

    def advanced(self, descriptor: Descriptor, count: int) -> None:  # noqa: ARG002 - the port's
        """Count, and say so if the last line is old enough."""
        with self._lock:
            self._moved += count
            if self._now() - self._last < self._interval:
                return
            self._last = self._now()
            line = self._line()
        self._logger.info(*line)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Count what was here, and say so."""
        with self._lock:
            self._moved += kept
        self._logger.info("%s goes on after the %d bytes that are here", descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """Take back what does not count, and say so."""
        with self._lock:
            self._moved -= moved
        self._logger.info("%s begins again", descriptor)

    def finished(self, descriptor: Descriptor) -> None:  # noqa: ARG002 - the port's
        """Count, and sum up after the last one."""
        self._count(skipped=False, size=0)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:  # noqa: ARG002 - the port's
        """Count what needs not be moved."""
        self._count(skipped=True, size=descriptor.size)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        """Log the error."""
        self._logger.warning("%s failed: %s", descriptor, error)

    def _count(self, *, skipped: bool, size: int) -> None:
        with self._lock:
            self._done += 1
            self._skipped += skipped
            self._moved += size
            if self._done < self._contents:
                return
            line = self._line()
        self._logger.info(*line)

    def _line(self) -> tuple[str, int, int, int, int, int]:
        return (
            "%d of %d contents done (%d were there), %d of %d bytes",
            self._done,
            self._contents,
            self._skipped,
            self._moved,
            self._size,
        )
