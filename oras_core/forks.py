"""Resources of one process: how they are closed, and that no other process gets them.

A fork copies the memory of a process, but only the thread that forks. A lock that another thread
held stays locked in the child; a connection or a request in flight belongs to both. So
such state is kept by process, and a child begins with its own. A pickle carries neither
connections nor secrets.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from os import getpid
from threading import RLock
from types import TracebackType
from typing import ClassVar, Generic, Self, TypeVar

__all__ = ["ClosedOnExit", "ConnectionHolder", "ForkSafeLock", "PerProcess", "Unpicklable"]


class ClosedOnExit(ABC):
    """A context manager whose block ends with `close`."""

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Release all resources; may be called twice."""

    def __enter__(self) -> Self:
        """Return the object itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the object."""
        self.close()


T = TypeVar("T")


class PerProcess(Generic[T]):
    """A value that each process makes for itself, on first use. Thread-safe."""

    __slots__ = ("_discard", "_make", "_values")

    def __init__(self, make: Callable[[], T], discard: Callable[[T], object] | None = None) -> None:
        """Make values by `make`; `discard` is called in a child with its copy of the parent's."""
        self._make = make
        self._discard = discard
        self._values: dict[int, T] = {}

    def get(self) -> T:
        """Return this process's value."""
        process = getpid()
        value = self._values.get(process)
        return self._begin(process) if value is None else value

    def _begin(self, process: int) -> T:
        # No lock: a lock might be held by a thread that the child does not have. Both operations
        # on the dictionary are atomic.
        value = self._values.setdefault(process, self._make())
        for other in list(self._values):
            if other != process:
                inherited = self._values.pop(other, None)
                if inherited is not None and self._discard is not None:
                    self._discard(inherited)
        return value


class ForkSafeLock(PerProcess[RLock]):
    """A reentrant lock that is free in a forked child, even if a thread holds it in the parent."""

    __slots__ = ()

    def __init__(self) -> None:
        """Begin unlocked."""
        super().__init__(RLock)
        self._values[getpid()] = RLock()

    def acquire(self, *, timeout: float = -1) -> bool:
        """Acquire the lock; False if it is not free within `timeout` seconds."""
        return self.get().acquire(timeout=timeout)

    def release(self) -> None:
        """Release the lock."""
        # The thread of a child that was forked while it held the lock has nothing to release.
        try:  # noqa: SIM105 - `suppress` costs more than the lock
            self.get().release()
        except RuntimeError:
            pass

    # Without the calls of `get` and `release`: a blob that is pushed takes a dozen locks.

    def __enter__(self) -> None:
        """Acquire the lock."""
        (self._values.get(getpid()) or self.get()).acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Release the lock."""
        try:  # noqa: SIM105 - as above
            self._values[getpid()].release()
        except (KeyError, RuntimeError):  # in a child, as above
            pass


class ConnectionHolder:
    """An object that another process cannot get by a pickle, since it holds connections."""

    _in_a_worker: ClassVar[str]
    """How to make such an object in another process, a sentence."""

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled.

        Raises:
            TypeError: always; it says how to make such an object in another process.
        """
        kind = type(self).__name__
        raise TypeError(f"cannot pickle a {kind}: it holds connections. {self._in_a_worker}")

    def __copy__(self) -> Self:
        """Return a shallow copy."""
        copied = type(self).__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied


class Unpicklable:
    """A value that contains a secret and refuses to be pickled."""

    __slots__ = ()

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse: a pickle would carry the secret in clear text into files and queues.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"cannot pickle a {type(self).__name__}: it contains a secret")

    def __copy__(self) -> Self:
        """Return the same object: it is immutable."""
        return self

    def __deepcopy__(self, _: object) -> Self:
        """Return the same object: it is immutable."""
        return self
