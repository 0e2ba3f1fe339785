"""Partial files on disk: they are found again, and never lead to other files."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import socket
import subprocess
import sys

import pytest

from oras_adapters.files.kept_files import resume_in
from oras_adapters.files.local_files import LocalFileTree
from oras_core.errors import FileAccessError
from oras_core.model.digest import Digest
from oras_core.testing.contracts.tree_access import at

DIGEST = Digest.of(b"the whole")
NAME = f".sha256-{DIGEST.encoded}.oras-partial"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return LocalFileTree(root)


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "root" / NAME


def test_partial_file_lies_next_to_the_final_name_and_is_removed_by_commit(tree, partial):
    with tree.resume(at("a"), DIGEST) as file:
        file.write(b"the ")
    assert partial.read_bytes() == b"the "
    with tree.resume(at("a"), DIGEST) as file:
        file.write(b"whole")
        file.commit()
    assert [entry.name for entry in partial.parent.iterdir()] == ["a"]
    assert (partial.parent / "a").read_bytes() == b"the whole"


def test_empty_partial_file_is_removed(tree, partial):
    with tree.resume(at("a"), DIGEST):
        pass
    with tree.resume(at("a"), DIGEST) as file:
        file.write(b"x")
        file.restart()
    assert list(partial.parent.iterdir()) == []


@pytest.mark.parametrize("mask", [0o077, 0o022])
def test_partial_file_follows_the_umask(tree, partial, mask):
    before = os.umask(mask)
    try:
        with tree.resume(at("a"), DIGEST) as file:
            file.write(b"x")
            file.commit()
    finally:
        os.umask(before)
    assert (partial.parent / "a").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize("kind", ["symlink", "hard link", "FIFO", "socket", "directory"])
def test_foreign_file_at_a_partial_name_is_not_written(tree, tmp_path, partial, monkeypatch, kind):
    victim = tmp_path / "victim"
    victim.write_text("old")
    if kind == "symlink":
        partial.symlink_to(victim)
    elif kind == "hard link":
        partial.hardlink_to(victim)
    elif kind == "FIFO":
        os.mkfifo(partial)
    elif kind == "directory":
        partial.mkdir()
    else:
        # Its name within the folder: the whole path is longer than an address may be.
        monkeypatch.chdir(partial.parent)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(NAME)
    assert tree.resume(at("a"), DIGEST) is None
    assert victim.read_text() == "old"
    assert not (partial.parent / "a").exists()


@pytest.mark.parametrize("number", [errno.ENXIO, errno.EOPNOTSUPP])
def test_error_of_any_system_for_a_socket_means_that_nothing_is_resumed(number):
    """Linux has one error for the opening of a socket, macOS another."""

    class Folder:
        closed = 0

        def kind(self, name):
            return None

        def open(self, name, flags):
            raise OSError(number, os.strerror(number))

        def close(self):
            self.closed += 1

    folder = Folder()
    assert resume_in(folder, at("a"), DIGEST, durable=False) is None
    assert folder.closed == 1


def test_partial_file_of_another_user_is_not_resumed(tree, partial, monkeypatch):
    partial.write_bytes(b"the ")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert tree.resume(at("a"), DIGEST) is None
    assert partial.read_bytes() == b"the "


def test_commit_while_opening_starts_a_new_partial_file(tree, partial, monkeypatch):
    """The owner commits between our opening and our locking."""
    first = tree.resume(at("a"), DIGEST)
    first.write(b"the whole")
    opened = os.open

    def open_and_let_commit(name, *arguments, **options):
        descriptor = opened(name, *arguments, **options)
        if os.fsdecode(name) == NAME:
            monkeypatch.setattr(os, "open", opened)
            first.commit()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_let_commit)
    with tree.resume(at("b"), DIGEST) as second:
        assert second.kept == 0
        second.write(b"x")
    assert (partial.parent / "a").read_bytes() == b"the whole"
    assert partial.read_bytes() == b"x"


def test_replaced_partial_file_is_not_committed(tree, partial):
    """What was verified is what was written, and not what its name has come to mean."""
    (partial.parent / "a").write_bytes(b"old")
    with tree.resume(at("a"), DIGEST) as file:
        file.write(b"the whole")
        partial.unlink()
        partial.write_bytes(b"evil")
        with pytest.raises(FileAccessError, match="was replaced by another file"):
            file.commit()
    assert (partial.parent / "a").read_bytes() == b"old"
    assert partial.read_bytes() == b"evil"


def test_replaced_partial_file_is_not_removed(tree, partial):
    with tree.resume(at("a"), DIGEST):
        partial.unlink()
        partial.write_bytes(b"theirs")
    assert partial.read_bytes() == b"theirs"


def test_partial_file_follows_its_renamed_folder(tree, tmp_path):
    """A link that replaces the folder leads no write out of it."""
    folder, outside = tmp_path / "root" / "d", tmp_path / "outside"
    outside.mkdir()
    with tree.resume(at("d/a"), DIGEST) as file:
        file.write(b"the ")
        folder.rename(tmp_path / "root" / "moved")
        folder.symlink_to(outside)
        file.write(b"whole")
        file.commit()
    assert list(outside.iterdir()) == []
    assert (tmp_path / "root" / "moved" / "a").read_bytes() == b"the whole"
    assert [path.name for path in (tmp_path / "root" / "moved").iterdir()] == ["a"]


def test_partial_files_are_not_listed(tree, partial):
    with tree.resume(at("a"), DIGEST) as file:
        file.write(b"the ")
    assert partial.exists()
    assert list(tree.entries()) == []


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("kept", [b"", b"the "])
def test_file_system_without_locks_resumes_nothing(tree, partial, monkeypatch, number, kept):
    def refuse(*_):
        raise OSError(number, os.strerror(number))

    if kept:
        partial.write_bytes(kept)
    monkeypatch.setattr(fcntl, "flock", refuse)
    assert tree.resume(at("a"), DIGEST) is None
    assert [path.name for path in partial.parent.iterdir()] == ([NAME] if kept else [])
    tree.forget(at("a"), DIGEST)


@pytest.mark.parametrize("kind", ["symlink", "hard link", "FIFO", "directory"])
def test_foreign_file_in_place_of_a_partial_file_is_not_deleted(tree, tmp_path, partial, kind):
    victim = tmp_path / "victim"
    victim.write_text("old")
    makers = {
        "symlink": lambda: partial.symlink_to(victim),
        "hard link": lambda: partial.hardlink_to(victim),
        "FIFO": lambda: os.mkfifo(partial),
        "directory": partial.mkdir,
    }
    makers[kind]()
    tree.forget(at("a"), DIGEST)
    assert [path.name for path in partial.parent.iterdir()] == [NAME]
    assert victim.read_text() == "old"


def test_failed_deletion_of_a_partial_file_is_logged(tree, partial, monkeypatch, caplog):
    partial.write_bytes(b"the ")

    def refuse(*_, **__):
        raise PermissionError(errno.EPERM, "not permitted")

    monkeypatch.setattr(os, "unlink", refuse)
    tree.forget(at("a"), DIGEST)
    assert "cannot remove the partial file" in caplog.text


KILLED = """
import os, signal, sys
from oras_adapters.files.kept_files import resume_in
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model.digest import Digest
from oras_core.model.paths import sanitize_path
file = LocalFileTree(sys.argv[1]).resume(sanitize_path("a"), Digest.of(b"the whole"))
file.write(b"the ")
print("written", flush=True)
sys.stdin.read()
"""


def test_partial_file_of_a_killed_process_is_resumed(tree, partial):
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(partial.parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)},
    ) as process:
        assert process.stdout.readline() == b"written\n"
        assert tree.resume(at("a"), DIGEST) is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    with tree.resume(at("a"), DIGEST) as file:
        assert file.kept == 4
        file.write(b"whole")
        file.commit()
    assert (partial.parent / "a").read_bytes() == b"the whole"
