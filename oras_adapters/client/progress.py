"""Listeners of the progress of a client's operations."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Protocol, runtime_checkable

from oras_core.errors import InvalidConfigurationError, UnsupportedError
from oras_core.forks import ForkSafeLock
from oras_core.ports.progress import ProgressListener

__all__ = ["Watch", "watch_for"]

_LOGGER = logging.getLogger(__name__)


@runtime_checkable
class Watch(Protocol):
    """Gives each operation the listener that watches it."""

    def watching(self) -> AbstractContextManager[ProgressListener]:
        """Return a context manager, entered for the time of one operation."""
        ...


def watch_for(progress: bool | ProgressListener | Watch | None) -> Watch:  # noqa: FBT001 - `True` is a value here
    """Return the listener of an operation.

    Args:
        progress: a listener for all operations; True for a bar on a terminal, and lines of
            the log elsewhere; False or None for none.

    Raises:
        InvalidConfigurationError: for anything else.
    """
    if progress is True:
        return _Display()
    if progress is False or progress is None:
        return _Listening(ProgressListener())
    if isinstance(progress, ProgressListener):
        return _Listening(progress)
    if not isinstance(progress, Watch):
        raise InvalidConfigurationError("progress", "expected True or a ProgressListener")
    return progress


class _Listening:
    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener

    def watching(self) -> AbstractContextManager[ProgressListener]:
        return nullcontext(self._listener)


class _Display:
    """Shows the bars while at least one operation runs: a terminal has room for one display."""

    def __init__(self) -> None:
        self._lock = ForkSafeLock()
        self._count = 0
        self._listener = ProgressListener()
        self._shown = ExitStack()

    @contextmanager
    def watching(self) -> Iterator[ProgressListener]:
        with self._lock:
            if not self._count:
                self._listener = _begin(self._shown)
            self._count += 1
        try:
            yield self._listener
        finally:
            with self._lock:
                self._count -= 1
                if not self._count:
                    self._shown.close()


def _begin(shown: ExitStack) -> ProgressListener:
    if sys.stdout.isatty():
        from oras_adapters.progress.rich_progress import RichProgress  # noqa: PLC0415 - rich is large

        try:
            return shown.enter_context(RichProgress())
        except UnsupportedError as error:
            _LOGGER.warning("%s", error)
    from oras_adapters.progress.log_progress import LogProgress  # noqa: PLC0415 - few programs show lines

    return LogProgress()
