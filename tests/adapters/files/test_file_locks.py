"""Locks between processes, in a folder on the local disk."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_core.errors import FileAccessError, UnsafePathError
from oras_core.model.paths import sanitize_path
from support.processes import python_running

LOCK = sanitize_path("sub/lock")

HOLDER = """
import sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model.paths import sanitize_path
tree = LocalFileTree(sys.argv[1])
lock = tree.try_lock(sanitize_path("sub/lock"), shared=sys.argv[2] == "shared")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def tree(tmp_path):
    return LocalFileTree(tmp_path)


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock until its standard input is closed."""
    with ExitStack() as running:

        def start(kind):
            process = running.enter_context(python_running("-c", HOLDER, str(tmp_path), kind))
            assert process.stdout.readline() == "held\n"
            return process

        yield start


def test_lock_is_exclusive_until_its_process_ends(tree, holder):
    process = holder("alone")
    assert tree.try_lock(LOCK) is None
    assert tree.try_lock(LOCK, shared=True) is None
    process.stdin.close()
    process.wait()
    with tree.try_lock(LOCK):
        pass


def test_lock_of_a_killed_process_is_released(tree, holder):
    process = holder("alone")
    process.kill()
    process.wait()
    with tree.try_lock(LOCK):
        pass


def test_shared_lock_is_shared_with_another_process(tree, holder):
    holder("shared")
    assert tree.try_lock(LOCK) is None
    with tree.try_lock(LOCK, shared=True):
        pass


def test_lock_file_is_kept(tree, tmp_path):
    with tree.try_lock(LOCK):
        pass
    assert (tmp_path / "sub" / "lock").read_bytes() == b""


def test_read_permission_is_enough_to_lock(tree, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "lock").touch(0o444)
    with tree.try_lock(LOCK):
        assert tree.try_lock(LOCK) is None


def test_symbolic_link_is_refused_as_a_lock_file(tree, tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileAccessError, match="lock 'sub/lock'"):
        tree.try_lock(LOCK)
    assert not (tmp_path / "elsewhere").exists()


def test_lock_file_below_a_link_is_refused(tree, tmp_path):
    (tmp_path / "sub").symlink_to("/tmp")
    with pytest.raises(UnsafePathError):
        tree.try_lock(LOCK)


def test_system_without_locks_is_an_error(tree, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(FileAccessError, match="No locks available"):
        tree.try_lock(LOCK)


def test_a_file_system_that_locks_only_files_open_for_writing(tree, monkeypatch):
    """As NFS does for exclusive locks; see `flock(2)`."""
    fcntl = pytest.importorskip("fcntl")
    flock = fcntl.flock

    def refuse_readers(descriptor, kind):
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        if kind & fcntl.LOCK_EX and flags & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        flock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", refuse_readers)
    with tree.try_lock(LOCK):
        pass
