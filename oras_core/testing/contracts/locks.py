"""The contract of `oras_core.ports.files.Locker`."""

from __future__ import annotations

from threading import Thread

from oras_core.ports.files import FileTree, HeldLock, Locker
from oras_core.testing.contracts.tree_access import at

__all__ = ["LockerContract"]


class LockerContract:
    """The contract of every tree with locks; give it a fixture `tree`."""

    def test_one_owner_at_a_time(self, tree: FileTree) -> None:
        """A held lock is refused, to the same thread too."""
        with _taken(tree):
            assert _locker(tree).try_lock(at("lock")) is None
            assert _locker(tree).try_lock(at("lock"), shared=True) is None
        _taken(tree).release()

    def test_shared_owners_exclude_an_exclusive_one(self, tree: FileTree) -> None:
        """Shared owners exclude an exclusive one until the last of them releases the lock."""
        one, two = _taken(tree, shared=True), _taken(tree, shared=True)
        assert _locker(tree).try_lock(at("lock")) is None
        one.release()
        assert _locker(tree).try_lock(at("lock")) is None
        two.release()
        _taken(tree).release()

    def test_a_second_release_does_nothing(self, tree: FileTree) -> None:
        """The next owner keeps the lock."""
        first = _taken(tree)
        first.release()
        second = _taken(tree)
        first.release()
        assert _locker(tree).try_lock(at("lock")) is None
        second.release()

    def test_locks_of_different_paths_are_independent(self, tree: FileTree) -> None:
        """Locks are independent in one folder and in different folders."""
        with _taken(tree, "a"), _taken(tree, "b"), _taken(tree, "c/a"):
            assert _locker(tree).try_lock(at("c/a")) is None

    def test_an_exception_releases_the_lock(self, tree: FileTree) -> None:
        """The exception passes through."""
        try:
            with _taken(tree):
                raise KeyError
        except KeyError:
            pass
        _taken(tree).release()

    def test_an_unreferenced_lock_is_released(self, tree: FileTree) -> None:
        """A lock is released when its last reference is deleted."""
        lock = _taken(tree)
        del lock
        _taken(tree).release()

    def test_many_threads_take_turns(self, tree: FileTree) -> None:
        """Two threads never hold the lock at the same time."""
        inside: list[int] = []
        most: list[int] = []

        def enter() -> None:
            entered = 0
            while entered < 20:
                lock = _locker(tree).try_lock(at("lock"))
                if lock is None:
                    continue
                with lock:
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()
                entered += 1

        threads = [Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 1
        assert len(most) == 80


def _locker(tree: FileTree) -> Locker:
    assert isinstance(tree, Locker)
    return tree


def _taken(tree: FileTree, path: str = "lock", *, shared: bool = False) -> HeldLock:
    lock = _locker(tree).try_lock(at(path), shared=shared)
    assert lock is not None
    return lock
