"""Cancellation: a token, and the token of the current thread.

A token governs the operations of a thread within `with token.scope():`, and the threads that
these operations start. Every operation of this library, pauses between attempts included, ends
within a second of `cancel` with a `CancelledError`. The token is no argument of any function,
so that it also reaches operations inside the program's own targets and transports.

    token = CancelToken()
    signal.signal(signal.SIGTERM, lambda *_: token.cancel())
    with token.scope():
        pull(repository, "v1", folder)

Code that waits without checking `cancelled`, in a socket for example, registers a callback by
`on_cancel`. An interrupt (Ctrl-C in the calling thread) cancels the thread's token.
"""

from __future__ import annotations

import _thread
import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from oras_core.errors import CancelledError
from oras_core.forks import ForkSafeLock

if TYPE_CHECKING:
    from concurrent.futures import Future
    from threading import Lock

__all__ = [
    "Bell",
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
"""Seconds between two checks for a cancellation while a thread waits for a lock."""


class Bell:
    """Wakes one thread that waits. Any thread or signal handler may ring it, more than once.

    Not a queue: `SimpleQueue.get` may wait forever if its timeout is a few microseconds, or if
    its thread does not run for longer than its timeout (CPython 3.13 and earlier).
    """

    __slots__ = ("_lock",)

    def __init__(self) -> None:
        """Begin silent."""
        self._lock = _thread.allocate_lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake the thread that waits, or that will wait next."""
        with suppress(RuntimeError):  # it rings already
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait up to `seconds` for a ring; return whether there was one."""
        return self._lock.acquire(timeout=max(0.0, min(seconds, _thread.TIMEOUT_MAX)))


class CancelToken:
    """A token that any thread or signal handler can cancel, for good. Thread-safe.

    Attributes:
        cancelled: whether the token is cancelled; read-only.
        deadline: the latest time of cancellation, by `time.monotonic`.
    """

    __slots__ = ("_callbacks", "_forget", "_lock", "cancelled", "deadline")

    def __init__(self, parent: CancelToken | None = None) -> None:
        """Make a token that is cancelled together with `parent`."""
        self.cancelled: bool = False
        self.deadline: float = math.inf if parent is None else parent.deadline
        # Reentrant: a signal handler may cancel while its thread holds the lock.
        self._lock = ForkSafeLock()
        self._callbacks: dict[object, Callable[[], object]] = {}
        self._forget = _nothing if parent is None else parent.on_cancel(self.cancel)

    def __repr__(self) -> str:
        """Show whether the token is cancelled."""
        return f"<{type(self).__name__}{', cancelled' if self.cancelled else ''}>"

    def cancel(self) -> None:
        """Cancel the token and call its callbacks. A second call does nothing."""
        with self._lock:
            self.cancelled = True
            while self._callbacks:
                try:
                    _, callback = self._callbacks.popitem()
                except KeyError:  # its owner has taken it back
                    break
                _call(callback)

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Call `callback` once when the token is cancelled; at once if it already is.

        The callback runs in the cancelling thread. It must return quickly and must not wait
        for other threads.

        Returns:
            A function that removes the callback. After it has returned, the callback does
            not run any more.
        """
        key = object()
        with self._lock:
            self._callbacks[key] = callback
            # A signal handler of this thread may have cancelled between.
            if self.cancelled and self._callbacks.pop(key, None) is not None:
                _call(callback)

        def forget() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        return forget

    def raise_if_cancelled(self, operation: str) -> None:
        """Raise an error if the token is cancelled.

        Raises:
            CancelledError: if the token is cancelled; `operation` says what was being done.
        """
        if self.cancelled:
            raise CancelledError(operation)

    def wait(self, seconds: float) -> bool:
        """Wait `seconds`, or until the token is cancelled; return whether it is cancelled."""
        bell = Bell()
        forget = self.on_cancel(bell.ring)
        try:
            bell.wait(seconds)
        finally:
            forget()
        return self.cancelled

    @contextmanager
    def scope(self) -> Iterator[CancelToken]:
        """Make this the thread's token within the block."""
        reset = _CURRENT.set(self)
        try:
            yield self
        finally:
            _CURRENT.reset(reset)

    def close(self) -> None:
        """Detach the token from its parent."""
        self._forget()


class _Never(CancelToken):
    """The token of threads without a scope; it is never cancelled."""

    __slots__ = ()

    def cancel(self) -> None:
        """Do nothing: all threads share this token."""

    def on_cancel(self, callback: Callable[[], object]) -> Callable[[], None]:  # noqa: ARG002
        """Do nothing."""
        return _nothing

    def wait(self, seconds: float) -> bool:
        """Wait `seconds`; return False."""
        time.sleep(seconds)
        return False


def _nothing() -> None:
    """Do nothing."""


def _call(callback: Callable[[], object]) -> None:
    try:
        callback()
    except Exception:
        # The other callbacks must run, and the cancelling thread must not get this error.
        _LOGGER.exception("a callback failed; the cancelled operation may continue")


_NEVER: Final = _Never()

_CURRENT: Final[ContextVar[CancelToken]] = ContextVar("_CURRENT", default=_NEVER)


def current_token(otherwise: CancelToken = _NEVER) -> CancelToken:
    """Return the thread's token, or `otherwise` if the thread is in no scope.

    By default that is a token that is never cancelled.
    """
    return _CURRENT.get(otherwise)


def sleep(seconds: float) -> None:
    """Wait `seconds`.

    Raises:
        CancelledError: as soon as the thread's token is cancelled.
    """
    if current_token().wait(seconds):
        raise CancelledError("continue after a pause")


def wait_for(future: Future[Any]) -> None:
    """Wait until another thread has completed `future`.

    Raises:
        CancelledError: as soon as the thread's own token is cancelled.
    """
    token = current_token()
    bell = Bell()
    future.add_done_callback(lambda _: bell.ring())
    forget = token.on_cancel(bell.ring)
    try:
        bell.wait(math.inf)
    finally:
        forget()
    if not future.done():
        token.raise_if_cancelled("wait for another thread")


@contextmanager
def acquired(lock: Lock | ForkSafeLock) -> Iterator[None]:
    """Hold `lock` within the block, for locks that are held as long as a request takes.

    Raises:
        CancelledError: if the thread's token is cancelled while it waits for the lock.
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
    """Cancel the thread's token if the block is interrupted.

    An outer block may wait for threads on its exit: these threads must end first.
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
    """Delay a cancellation within the block by `seconds`."""
    governing = current_token()
    if governing is _NEVER:
        yield
        return
    own = CancelToken()
    over = Bell()
    forget = governing.on_cancel(lambda: _cancel_later(own, seconds, over))
    try:
        with own.scope():
            yield
    finally:
        forget()
        over.ring()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Cancel the block after `seconds`, independently of the thread's token."""
    own = CancelToken()
    own.deadline = time.monotonic() + seconds
    over = Bell()
    _cancel_later(own, seconds, over)
    try:
        with own.scope():
            yield
    finally:
        over.ring()


def _cancel_later(token: CancelToken, seconds: float, over: Bell) -> None:
    """Cancel `token` after `seconds`, unless `over` rings before."""

    def end() -> None:
        if not over.wait(seconds):
            token.cancel()

    # Not `threading.Thread`: its start takes a lock, and a token may be cancelled in a signal
    # handler.
    _thread.start_new_thread(end, ())
