"""Ending what goes on: a token, and the thread's knowledge of the one that governs it.

A token governs what a thread does within `with token.scope():`, and what the engine's threads
do for it: every operation of this library, its pauses between attempts included, ends within
a second of `cancel` with a `CancelledError`. No signature carries the token, so that it
reaches through targets and transports of the program's own, too.

    token = CancelToken()
    signal.signal(signal.SIGTERM, lambda *_: token.cancel())
    with token.scope():
        pull(repository, "v1", folder)

What waits where no check of `cancelled` reaches it, in a socket above all, registers how to be
woken by `on_cancel`. An interrupt, Ctrl-C in the calling thread, goes the same way: it
cancels the token of what the thread was doing.
"""

from __future__ import annotations

import _thread
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from queue import Empty, SimpleQueue
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from oras_core.errors import CancelledError

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Lock

__all__ = [
    "CancelToken",
    "acquired",
    "current_token",
    "interrupts_cancelling",
    "respite",
    "sleep",
    "wait_for",
    "within",
]

_LOGGER = logging.getLogger(__name__)

LOOK_SECONDS: Final = 0.1
"""How often a thread that waits for a lock looks whether it is cancelled."""


class CancelToken:
    """Cancelled once, by any thread or by a signal's handler, and for good. Thread-safe.

    Attributes:
        cancelled: whether it is; to be read only.
        deadline: when it will be at the latest, on the clock of `time.monotonic`.
    """

    __slots__ = ("_callbacks", "_forget", "_lock", "cancelled", "deadline")

    def __init__(self, parent: CancelToken | None = None) -> None:
        """Begin uncancelled, unless `parent` is cancelled, which cancels this one too."""
        self.cancelled = False
        self.deadline: float = math.inf if parent is None else parent.deadline
        # Entered again by a handler that cancels in the middle of one of its own sections.
        self._lock = RLock()
        self._callbacks: dict[object, Callable[[], object]] = {}
        self._forget = _nothing if parent is None else parent.on_cancel(self.cancel)

    def __repr__(self) -> str:
        """Say whether it is cancelled."""
        return f"<{type(self).__name__}{', cancelled' if self.cancelled else ''}>"

    def cancel(self) -> None:
        """End what this token governs; again does no harm. Returns at once."""
        with self._lock:
            self.cancelled = True
            while self._callbacks:
                try:
                    _, callback = self._callbacks.popitem()
                except KeyError:  # whoever registered it has seen that it is too late
                    break
                _call(callback)

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Let `callback` be called once when the token is cancelled; at once if it is.

        It is called in the thread that cancels, must return quickly and not wait for others.

        Returns:
            What takes that back: when it has returned, `callback` neither runs nor will.
        """
        key = object()
        self._callbacks[key] = callback
        if self.cancelled and self._callbacks.pop(key, None) is not None:
            _call(callback)

        def forget() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        return forget

    def raise_if_cancelled(self, operation: str) -> None:
        """Do nothing, unless the token is cancelled.

        Raises:
            CancelledError: if it is; `operation` says what was being done.
        """
        if self.cancelled:
            raise CancelledError(operation)

    def wait(self, seconds: float) -> bool:
        """Wait for so long, or until the token is cancelled; return whether it is."""
        woken: SimpleQueue[None] = SimpleQueue()
        forget = self.on_cancel(lambda: woken.put(None))
        try:
            woken.get(timeout=max(0.0, min(seconds, _thread.TIMEOUT_MAX)))
        except Empty:
            pass
        finally:
            forget()
        return self.cancelled

    @contextmanager
    def scope(self) -> Iterator[CancelToken]:
        """Govern what this thread does within the block, in place of another token."""
        reset = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(reset)

    def close(self) -> None:
        """Part from the parent, which forgets this token."""
        self._forget()


class _Never(CancelToken):
    """Governs where nobody has said otherwise."""

    __slots__ = ()

    def cancel(self) -> None:
        """Do nothing: it is everybody's."""

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:  # noqa: ARG002
        """Forget `callback`."""
        return _nothing

    def wait(self, seconds: float) -> bool:
        """Wait."""
        time.sleep(seconds)
        return False


def _nothing() -> None:
    """Take nothing back."""


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        # The others are to be called all the same, and who cancels is not to blame.
        _LOGGER.exception("what a cancellation should have ended may go on")


_NEVER: Final = _Never()

_CURRENT: Final[ContextVar[CancelToken]] = ContextVar("_CURRENT", default=_NEVER)


def current_token() -> CancelToken:
    """Return the token that governs this thread; one that is never cancelled if none does."""
    return _CURRENT.get()


def sleep(seconds: float) -> None:
    """Wait for so long.

    Raises:
        CancelledError: as soon as the thread's token is cancelled.
    """
    if current_token().wait(seconds):
        raise CancelledError("go on after a pause")


def wait_for(future: Future[Any]) -> None:
    """Wait until another thread has completed `future`.

    Raises:
        CancelledError: as soon as the thread's own token is cancelled.
    """
    token = current_token()
    woken: SimpleQueue[object] = SimpleQueue()
    future.add_done_callback(woken.put)
    forget = token.on_cancel(lambda: woken.put(None))
    try:
        woken.get()
    finally:
        forget()
    if not future.done():
        token.raise_if_cancelled("wait for another thread")


@contextmanager
def acquired(lock: Lock) -> Iterator[None]:
    """Hold `lock` for the block; another thread may hold it for as long as a request takes.

    Raises:
        CancelledError: where the thread's token is cancelled before it has the lock.
    """
    token = current_token()
    while not lock.acquire(timeout=LOOK_SECONDS):
        token.raise_if_cancelled("wait for another thread")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def interrupts_cancelling() -> Iterator[None]:
    """Let an interrupt of the block cancel the thread's token.

    For blocks within others that wait for threads when they are left: what those wait for
    has to end first.
    """
    try:
        yield
    except (Exception, GeneratorExit):
        raise
    except BaseException:
        current_token().cancel()
        raise


@contextmanager
def respite(seconds: float) -> Iterator[None]:
    """Give the block so much more time once the thread's token is cancelled."""
    governing = current_token()
    if governing is _NEVER:
        yield
        return
    own = CancelToken()
    over: SimpleQueue[None] = SimpleQueue()
    forget = governing.on_cancel(lambda: _cancel_later(own, seconds, over))
    try:
        with own.scope():
            yield
    finally:
        forget()
        over.put(None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Cancel what the block has not done in time, whatever became of the thread's token."""
    own = CancelToken()
    own.deadline = time.monotonic() + seconds
    over: SimpleQueue[None] = SimpleQueue()
    _cancel_later(own, seconds, over)
    try:
        with own.scope():
            yield
    finally:
        over.put(None)


def _cancel_later(token: CancelToken, seconds: float, over: SimpleQueue[None]) -> None:
    """Cancel `token` after a while, unless something is put into `over`."""

    def end() -> None:
        try:
            over.get(timeout=seconds)
        except Empty:
            token.cancel()

    # Not `threading.Thread`, whose start takes a lock that must not be taken by the handler
    # of a signal, where a token may be cancelled.
    _thread.start_new_thread(end, ())
