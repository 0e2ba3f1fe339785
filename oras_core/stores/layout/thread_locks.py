"""Locks between the threads of one process, for folders without locks."""

from __future__ import annotations

from attrs import define

from oras_core.forks import ForkSafeLock
from oras_core.model.paths import SafePath
from oras_core.ports.files import HeldLock, Locker

__all__ = ["ThreadLocks"]


@define
class _State:
    sharing: int = 0
    exclusive: bool = False


class ThreadLocks(Locker):
    """The locks of one folder, by path. Thread-safe."""

    def __init__(self) -> None:
        """Start with no lock held."""
        self._states: dict[SafePath, _State] = {}
        self._mutex = ForkSafeLock()

    def try_lock(self, path: SafePath, *, shared: bool = False) -> HeldLock | None:
        """Take the lock at `path`, or return None if another owner holds it."""
        with self._mutex:
            state = self._states.setdefault(path, _State())
            if state.exclusive or (state.sharing and not shared):
                return None
            if shared:
                state.sharing += 1
            else:
                state.exclusive = True
        return _ThreadLock(self, path, shared=shared)

    def give_back(self, path: SafePath, *, shared: bool) -> None:
        """Release the hold of one owner."""
        with self._mutex:
            state = self._states[path]
            if shared:
                state.sharing -= 1
            else:
                state.exclusive = False


class _ThreadLock(HeldLock):
    def __init__(self, locks: ThreadLocks, path: SafePath, *, shared: bool) -> None:
        self._locks = locks
        self._path = path
        self._shared = shared
        self._held = True

    def release(self) -> None:
        """Release the lock."""
        if self._held:
            self._held = False
            self._locks.give_back(self._path, shared=self._shared)

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release the lock."""
        self.release()

    def __del__(self) -> None:
        """Release the lock, as the system does for a process that ends."""
        self.release()
