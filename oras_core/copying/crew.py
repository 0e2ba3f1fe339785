"""The thread pool of a copy."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import ExitStack
from typing import TypeVar

from oras_core.cancellation import CancelToken, current_token
from oras_core.forks import ForkSafeLock
from oras_core.threads import can_start_threads

__all__ = ["Crew"]

T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """A few threads that work through items, and stop together. Tasks never wait for tasks.

    A context manager. Its token governs the calling thread and the threads of the pool.

    Attributes:
        token: cancelled by the first failure, by an interrupt of the calling thread, and by
            the token that governs the calling thread.
    """

    def __init__(self, size: int) -> None:
        """Use up to `size` threads; a single one, or where none starts, is the caller's thread."""
        self._alone = size <= 1 or not can_start_threads()
        self._executor = ThreadPoolExecutor(max(1, size), thread_name_prefix="oras-copy")
        self._lock = ForkSafeLock()
        self._failure: BaseException | None = None
        self.token: CancelToken = CancelToken(current_token())
        self._governing = ExitStack()

    def __enter__(self) -> Crew:
        """Return the crew itself."""
        self._governing.enter_context(self.token.scope())
        return self

    def __exit__(self, *exception: object) -> None:
        """Cancel the tasks, and wait until all threads have ended."""
        # Also after an interrupt: no thread outlives the block.
        self.token.cancel()
        self.token.close()
        try:
            self._executor.shutdown(wait=True, cancel_futures=True)
        finally:
            self._governing.close()

    def each(self, task: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Run `task` on every item and return the results in order.

        The first failure cancels the other tasks; they have ended when the block is left.
        """
        todo = list(items)
        if self._alone or len(todo) == 1:
            return [task(item) for item in todo]
        futures = [self._executor.submit(self._run, task, item) for item in todo]
        wait(futures, return_when=FIRST_EXCEPTION)
        if self._failure is not None:
            raise self._failure
        return [future.result() for future in futures]

    def _run(self, task: Callable[[T], R], item: T) -> R:
        try:
            self.token.raise_if_cancelled("start the next step of a copy")
            with self.token.scope():
                return task(item)
        except BaseException as error:
            with self._lock:
                self._failure = self._failure or error
            self.token.cancel()
            raise
