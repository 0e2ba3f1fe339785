"""Progress as log lines, for programs without a terminal."""

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
"""Seconds between two lines."""


class LogProgress(ProgressListener):
    """Logs the progress of a copy at INFO every few seconds, and each failed transfer.

    Thread-safe. One object reports on one copy, or on several that belong together.
    """

    def __init__(
        self,
        logger: logging.Logger | None = None,
        *,
        interval: float = INTERVAL,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with all counters at zero.

        Args:
            logger: logger for the lines; None for the logger of this module.
            interval: seconds between two lines.
            now: a monotonic clock, in seconds.
        """
        self._logger = logger or logging.getLogger(__name__)
        self._interval = interval
        self._now = now
        self._lock = Lock()
        self._preparations: dict[str, tuple[int, int]] = {}
        self._contents = self._size = self._done = self._skipped = self._moved = 0
        self._last = now()

    def preparation_started(self, title: str, size: int) -> None:
        """Log the title and the size."""
        with self._lock:
            self._preparations[title] = 0, size
        self._logger.info("preparing %r, %d bytes", title, size)

    def preparation_advanced(self, title: str, count: int) -> None:
        """Count the bytes, and log a line if the last one is old enough."""
        with self._lock:
            before, size = self._preparations[title]
            done = before + count
            self._preparations[title] = done, size
            if not self._is_time():
                return
        self._logger.info("preparing %r, %d of %d bytes", title, done, size)

    def preparation_ended(self, title: str) -> None:
        """Forget the preparation."""
        with self._lock:
            self._preparations.pop(title, None)

    def planned(self, contents: int, size: int) -> None:
        """Log the number of blobs and bytes."""
        with self._lock:
            self._contents += contents
            self._size += size
        self._logger.info("%d blobs with %d bytes to transfer", contents, size)

    def advanced(self, descriptor: Descriptor, count: int) -> None:  # noqa: ARG002 - the port's
        """Count the bytes, and log a line if the last one is old enough."""
        with self._lock:
            self._moved += count
            if not self._is_time():
                return
            line = self._line()
        self._logger.info(*line)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Count the bytes of the earlier attempt, and log them."""
        with self._lock:
            self._moved += kept
        self._logger.info("%s resumes after %d bytes", descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """Subtract the lost bytes, and log the restart."""
        with self._lock:
            self._moved -= moved
        self._logger.info("%s restarts", descriptor)

    def finished(self, descriptor: Descriptor) -> None:  # noqa: ARG002 - the port's
        """Count the blob, and log a summary after the last one."""
        self._count(skipped=False, size=0)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:  # noqa: ARG002 - the port's
        """Count the skipped blob."""
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

    def _is_time(self) -> bool:
        if self._now() - self._last < self._interval:
            return False
        self._last = self._now()
        return True

    def _line(self) -> tuple[str, int, int, int, int, int]:
        return (
            "%d of %d blobs done (%d skipped), %d of %d bytes",
            self._done,
            self._contents,
            self._skipped,
            self._moved,
            self._size,
        )
