"""Knowledge of the referrers of one registry, and the lists that threads share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, TypeAlias

from oras_core.cancellation import acquired
from oras_core.errors import CancelledError
from oras_core.forks import ForkSafeLock, PerProcess
from oras_core.model.digest import Digest

if TYPE_CHECKING:
    from oras_core.registry.referrers_list import ReferrersList

__all__ = ["ListChange", "ReferrersMemory"]

ListChange: TypeAlias = "Callable[[ReferrersList], ReferrersList]"
"""A change of a list. Applied to a list that has the change, it returns an equal list."""


class _Line:
    """The threads that change one list."""

    def __init__(self) -> None:
        self.turn = ForkSafeLock()
        self.waiting: list[tuple[ListChange, Future[None]]] = []
        self.threads = 0


class ReferrersMemory:
    """Which repositories have a referrers API, and which thread may write a list. Thread-safe."""

    def __init__(self) -> None:
        """Start with no knowledge."""
        self._available: dict[str, bool] = {}
        # A forked child has none of the threads that wait in its parent.
        self._lines: PerProcess[dict[tuple[str, Digest], _Line]] = PerProcess(dict)
        self._lock = ForkSafeLock()

    def has_api(self, repository: str) -> bool | None:
        """Tell whether `repository` has a referrers API; None if that is not known yet."""
        return self._available.get(repository)

    def learn(self, repository: str, *, has_api: bool) -> None:
        """Remember whether `repository` has a referrers API."""
        self._available[repository] = has_api

    def change(
        self,
        repository: str,
        subject: Digest,
        change: ListChange,
        write: Callable[[Sequence[ListChange]], None],
    ) -> None:
        """Write a change of a list, together with those of threads that change it as well.

        Only one thread at a time writes one list. It writes all changes that wait.

        Args:
            repository: the repository of the list.
            subject: the subject of the list.
            change: the change.
            write: writes changes to the list.

        Raises: what `write` raises, and `CancelledError` while the thread waits.
        """
        key = repository, subject
        written: Future[None] = Future()
        lines = self._lines.get()
        with self._lock:
            line = lines.setdefault(key, _Line())
            line.threads += 1
            line.waiting.append((change, written))
        try:
            with acquired(line.turn):
                self._write_waiting(line, write)
            written.result()
        finally:
            with self._lock:
                line.threads -= 1
                if not line.threads:
                    del lines[key]

    def _write_waiting(self, line: _Line, write: Callable[[Sequence[ListChange]], None]) -> None:
        with self._lock:
            batch, line.waiting = line.waiting, []
        if not batch:
            return  # another thread has written the change of this one
        try:
            write([change for change, _ in batch])
        except BaseException as error:
            if not isinstance(error, Exception) or isinstance(error, CancelledError):
                # It ends this thread alone: the next one writes the changes.
                with self._lock:
                    line.waiting = batch + line.waiting
                raise
            for _, written in batch:
                written.set_exception(error)
        else:
            for _, written in batch:
                written.set_result(None)
