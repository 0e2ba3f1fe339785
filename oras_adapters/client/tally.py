"""Counting what a copy does, for its result."""

from __future__ import annotations

from collections import Counter

from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.ports.progress import ProgressListener, SkipReason

__all__ = ["Tally"]


class Tally(ProgressListener):
    """Counts what a copy does, and passes each event on. Thread-safe."""

    def __init__(self, listener: ProgressListener) -> None:
        """Begin at zero, and pass events on to `listener`."""
        self._counts: Counter[str] = Counter()
        self._listener = listener
        self._lock = ForkSafeLock()

    @property
    def counts(self) -> dict[str, int]:
        """The counts by the names that results give them."""
        names = ("moved", "skipped", "mounted", "bytes")
        with self._lock:
            return {name: self._counts[name] for name in names}

    def planned(self, contents: int, size: int) -> None:
        """Pass on."""
        self._listener.planned(contents, size)

    def started(self, descriptor: Descriptor) -> None:
        """Pass on."""
        self._listener.started(descriptor)

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        """Pass on."""
        self._listener.advanced(descriptor, count)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        """Pass on."""
        self._listener.resumed(descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        """Pass on."""
        self._listener.restarted(descriptor, moved)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        """Pass on."""
        self._listener.failed(descriptor, error)

    def finished(self, descriptor: Descriptor) -> None:
        """Count a transfer."""
        with self._lock:
            self._counts["moved"] += 1
            self._counts["bytes"] += descriptor.size
        self._listener.finished(descriptor)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        """Count what needed no transfer."""
        with self._lock:
            self._counts["mounted" if reason == "mounted" else "skipped"] += 1
        self._listener.skipped(descriptor, reason)
