"""Run the blocking engine for asyncio: its threads, and its cancellation."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, Final, TypeVar

from oras_adapters.client.progress import Watch, watch_for
from oras_core.cancellation import CancelToken, current_token
from oras_core.errors import CancelledError, InvalidConfigurationError
from oras_core.forks import ForkSafeLock
from oras_core.model.descriptor import Descriptor
from oras_core.ports.progress import ProgressListener, SkipReason

__all__ = ["Bridge", "watch_from_loop"]

T = TypeVar("T")

GRACE_SECONDS: Final = 1.0
"""Seconds that a cancelled task waits for the engine, which promises to take less."""

BATCH_SECONDS: Final = 0.01
"""Seconds for which a thread collects items of a listing before the event loop gets them."""

BATCH_SIZE: Final = 1000
"""Items of a listing that are collected at most."""


class Bridge:
    """Runs blocking calls in a bounded number of threads, for coroutines."""

    def __init__(self, threads: int) -> None:
        """Start no thread yet; run up to `threads`.

        Raises:
            InvalidConfigurationError: if the number is not positive.
        """
        if threads < 1:
            raise InvalidConfigurationError("threads", f"{threads!r} is not above 0")
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._owner = 0
        self._lock = ForkSafeLock()

    async def call(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread, and return its result.

        If the task is cancelled, so is the token that governs `work`. The task continues when
        `work` has ended, after `GRACE_SECONDS` at the latest.
        """
        operation = _Operation(asyncio.get_running_loop())
        future = self._threads_of_process().submit(operation.run, work)
        try:
            try:
                result = await asyncio.wrap_future(future)
            finally:
                # Since Python 3.14, a future that is already done overtakes its events.
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            operation.token.cancel()
            future.add_done_callback(_close_result)
            await _ended(future)
            raise
        except CancelledError:
            if operation.failure is not None:
                raise operation.failure from None
            raise
        if operation.failure is not None:  # the work ended before the failure could cancel it
            _close_result(future)
            raise operation.failure
        return result

    async def iterate(self, items: Iterator[T]) -> AsyncIterator[T]:
        """Iterate over `items`, a generator that runs in the threads, a batch at a time."""
        try:
            while batch := await self.call(partial(_batch, items)):
                for item in batch:
                    yield item
        finally:
            if isinstance(items, Generator):
                with suppress(ValueError):  # a thread still runs the generator
                    await self.call(items.close)

    async def close(self) -> None:
        """Wait for the running calls, and end the threads."""
        with self._lock:
            executor, self._executor = self._executor, None
        if executor is not None and self._owner == os.getpid():
            await asyncio.to_thread(executor.shutdown)

    def _threads_of_process(self) -> ThreadPoolExecutor:
        with self._lock:
            # A forked child does not have the threads of its parent.
            if self._executor is None or self._owner != os.getpid():
                self._executor = ThreadPoolExecutor(self._threads, thread_name_prefix="oras-async")
                self._owner = os.getpid()
            return self._executor


class _Operation:
    """One blocking call of a coroutine.

    Attributes:
        loop: the event loop that waits for it.
        token: governs it.
        failure: what a progress listener raised.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.token = CancelToken(current_token())
        self.failure: BaseException | None = None

    def run(self, work: Callable[[], T]) -> T:
        reset = _OPERATION.set(self)
        try:
            self.token.raise_if_cancelled("begin")
            with self.token.scope():
                return work()
        finally:
            _OPERATION.reset(reset)
            self.token.close()

    def tell(self, method: Callable[..., None], *args: object) -> None:
        """Let the event loop call a method of a listener."""
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self.loop.call_soon_threadsafe(self._listen, method, args)

    def _listen(self, method: Callable[..., None], args: tuple[object, ...]) -> None:
        if self.failure is not None:
            return
        try:
            method(*args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the verb raises it
            self.failure = error
            self.token.cancel()


_OPERATION: Final[ContextVar[_Operation]] = ContextVar("_OPERATION")


def watch_from_loop(progress: ProgressListener | bool | None) -> Watch:  # noqa: FBT001 - as `watch_for`
    """Return the listener as `watch_for`, with its methods called in the event loop."""
    return _LoopWatch(progress) if isinstance(progress, ProgressListener) else watch_for(progress)


class _LoopWatch:
    def __init__(self, listener: ProgressListener) -> None:
        self._listener = listener

    @contextmanager
    def watching(self) -> Iterator[ProgressListener]:
        yield _InLoop(self._listener, _OPERATION.get())


class _InLoop(ProgressListener):
    """Passes events from the engine's threads on to the event loop, in their order."""

    def __init__(self, listener: ProgressListener, operation: _Operation) -> None:
        self._listener = listener
        self._tell = operation.tell

    def preparation_started(self, title: str, size: int) -> None:
        self._tell(self._listener.preparation_started, title, size)

    def preparation_advanced(self, title: str, count: int) -> None:
        self._tell(self._listener.preparation_advanced, title, count)

    def preparation_ended(self, title: str) -> None:
        self._tell(self._listener.preparation_ended, title)

    def planned(self, contents: int, size: int) -> None:
        self._tell(self._listener.planned, contents, size)

    def started(self, descriptor: Descriptor) -> None:
        self._tell(self._listener.started, descriptor)

    def advanced(self, descriptor: Descriptor, count: int) -> None:
        self._tell(self._listener.advanced, descriptor, count)

    def resumed(self, descriptor: Descriptor, kept: int) -> None:
        self._tell(self._listener.resumed, descriptor, kept)

    def restarted(self, descriptor: Descriptor, moved: int) -> None:
        self._tell(self._listener.restarted, descriptor, moved)

    def finished(self, descriptor: Descriptor) -> None:
        self._tell(self._listener.finished, descriptor)

    def skipped(self, descriptor: Descriptor, reason: SkipReason) -> None:
        self._tell(self._listener.skipped, descriptor, reason)

    def failed(self, descriptor: Descriptor, error: Exception) -> None:
        self._tell(self._listener.failed, descriptor, error)


def _batch(items: Iterator[T]) -> list[T]:
    """Return the next items; none at the end."""
    batch: list[T] = []
    deadline = 0.0
    for item in items:
        batch.append(item)
        deadline = deadline or time.monotonic() + BATCH_SECONDS
        if len(batch) >= BATCH_SIZE or time.monotonic() > deadline:
            break
    return batch


async def _ended(future: Future[Any]) -> None:
    """Wait until a thread has completed `future`, even if the task is cancelled again."""
    deadline = time.monotonic() + GRACE_SECONDS
    while not future.done() and (left := deadline - time.monotonic()) > 0:
        with suppress(asyncio.CancelledError):
            await asyncio.wait([asyncio.wrap_future(future)], timeout=left)


def _close_result(future: Future[Any]) -> None:
    """Close a result that no caller awaits any more."""
    if not future.cancelled() and future.exception() is None:
        with suppress(AttributeError):
            future.result().close()
