"""Locks between the owners in one process: what a folder in memory has for `flock`."""

from __future__ import annotations

from threading import Condition

from attrs import define

from oras_core.model.paths import SafePath
from oras_core.ports.files import HeldLock

__all__ = ["MemoryLocks"]


@define
class _State:
    sharing: int = 0
    exclusive: bool = False


class MemoryLocks:
    """The locks of one tree. Thread-safe."""

    def __init__(self) -> None:
        """Begin with none held."""
        self._states: dict[SafePath, _State] = {}
        self._changed = Condition()

    def take(self, path: SafePath, *, shared: bool, waits: bool) -> HeldLock | None:
        """Take a lock; None if another owner has it, unless the caller `waits`."""
        with self._changed:
            state = self._states.setdefault(path, _State())

            def is_free() -> bool:
                return not state.exclusive and (shared or not state.sharing)

            if not waits and not is_free():
                return None
            self._changed.wait_for(is_free)
            if shared:
                state.sharing += 1
            else:
                state.exclusive = True
        return _MemoryLock(self, path, shared=shared)

    def give_back(self, path: SafePath, *, shared: bool) -> None:
        """End one owner's hold."""
        with self._changed:
            state = self._states[path]
            if shared:
                state.sharing -= 1
            else:
                state.exclusive = False
            self._changed.notify_all()


class _MemoryLock(HeldLock):
    def __init__(self, locks: MemoryLocks, path: SafePath, *, shared: bool) -> None:
        self._locks = locks
        self._path = path
        self._shared = shared
        self._held = True

    def release(self) -> None:
        """Let others have it."""
        if self._held:
            self._held = False
            self._locks.give_back(self._path, shared=self._shared)

    def __enter__(self) -> HeldLock:
        """Return the lock itself."""
        return self

    def __exit__(self, *exception: object) -> None:
        """Release it."""
        self.release()

    def __del__(self) -> None:
        """Release it, as the system does with a process that ends."""
        self.release()
