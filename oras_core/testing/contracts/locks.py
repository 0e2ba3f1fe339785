"""The contract of `oras_core.ports.files.Locker`."""

from __future__ import annotations

from threading import Event, Thread

from oras_core.ports.files import FileTree, Locker
from oras_core.testing.contracts.tree_access import at

__all__ = ["LockerContract"]

PATIENCE = 30.0
"""Seconds until a thread that waits counts as stuck."""


class LockerContract:
    """What every folder does in which processes take turns; give it a fixture `tree`."""

    def test_one_owner_at_a_time(self, tree: FileTree) -> None:
        """Whoever asks meanwhile gets nothing, in the same thread too."""
        assert isinstance(tree, Locker)
        with tree.lock(at("lock")):
            assert tree.try_lock(at("lock")) is None
            assert tree.try_lock(at("lock"), shared=True) is None
        lock = tree.try_lock(at("lock"))
        assert lock is not None
        lock.release()

    def test_some_share(self, tree: FileTree) -> None:
        """And keep out who does not, until the last of them has left."""
        assert isinstance(tree, Locker)
        one, two = tree.lock(at("lock"), shared=True), tree.lock(at("lock"), shared=True)
        assert tree.try_lock(at("lock")) is None
        one.release()
        assert tree.try_lock(at("lock")) is None
        two.release()
        lock = tree.try_lock(at("lock"))
        assert lock is not None
        lock.release()

    def test_releasing_twice_does_no_harm(self, tree: FileTree) -> None:
        """The next owner keeps it."""
        assert isinstance(tree, Locker)
        first = tree.lock(at("lock"))
        first.release()
        second = tree.lock(at("lock"))
        first.release()
        assert tree.try_lock(at("lock")) is None
        second.release()

    def test_other_locks_are_others(self, tree: FileTree) -> None:
        """In one folder and in different ones."""
        assert isinstance(tree, Locker)
        with tree.lock(at("a")), tree.lock(at("b")), tree.lock(at("c/a")):
            assert tree.try_lock(at("c/a")) is None

    def test_an_exception_releases(self, tree: FileTree) -> None:
        """It passes through."""
        assert isinstance(tree, Locker)
        try:
            with tree.lock(at("lock")):
                raise KeyError
        except KeyError:
            pass
        with tree.lock(at("lock")):
            pass

    def test_what_nobody_holds_is_released(self, tree: FileTree) -> None:
        """A forgotten lock keeps nobody out for ever."""
        assert isinstance(tree, Locker)
        lock = tree.lock(at("lock"))
        del lock
        with tree.lock(at("lock")):
            pass

    def test_who_waits_gets_it(self, tree: FileTree) -> None:
        """As soon as it is released, not before."""
        assert isinstance(tree, Locker)
        held, got = tree.lock(at("lock")), Event()

        def wait() -> None:
            with tree.lock(at("lock")):
                got.set()

        thread = Thread(target=wait)
        thread.start()
        assert not got.is_set()
        held.release()
        assert got.wait(PATIENCE)
        thread.join()

    def test_many_threads_take_turns(self, tree: FileTree) -> None:
        """Never two inside."""
        assert isinstance(tree, Locker)
        inside: list[int] = []
        most = []

        def enter() -> None:
            for _ in range(20):
                with tree.lock(at("lock")):
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

        threads = [Thread(target=enter) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert max(most) == 1
        assert len(most) == 80
