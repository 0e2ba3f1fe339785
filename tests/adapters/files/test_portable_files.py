"""What the portable tree does on Windows, and what it cannot rely on there."""

from __future__ import annotations

import errno
import os
import stat
from types import SimpleNamespace

import pytest

from oras_adapters import descriptor_locks
from oras_adapters.files import entries, portable, system_errors
from oras_adapters.files.portable import PortableFileTree
from oras_core.errors import FileAccessError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.names import MACOS_NAMES, POSIX_NAMES, WINDOWS_NAMES
from oras_core.testing.contracts.tree_access import at, names, read, write
from support.other_systems import Msvcrt


@pytest.fixture
def tree(tmp_path):
    return PortableFileTree(tmp_path)


def on(monkeypatch, **changed):
    """Let the modules of the tree see another system."""
    view = SimpleNamespace(**{**vars(os), **changed})
    for module in (entries, portable):
        monkeypatch.setattr(module, "os", view)


# --- Names --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "platform", "policy"),
    [
        ("nt", "win32", WINDOWS_NAMES),
        ("posix", "darwin", MACOS_NAMES),
        ("posix", "linux", POSIX_NAMES),
    ],
)
def test_system_decides_which_names_are_valid(tree, monkeypatch, system, platform, policy):
    monkeypatch.setattr(entries, "os", SimpleNamespace(**{**vars(os), "name": system}))
    monkeypatch.setattr(entries, "sys", SimpleNamespace(platform=platform))
    assert tree.names is policy


@pytest.mark.parametrize("name", ["nul.txt", "a.", "b ", "a:stream", "d/con/x", "q?"])
def test_windows_names_are_refused_by_every_method_that_creates(tree, monkeypatch, name):
    on(monkeypatch, name="nt")
    path = at(name)
    for create in (
        lambda: tree.create(path),
        lambda: tree.create_directory(path),
        lambda: tree.make_directory(path),
        lambda: tree.make_symlink(path, "x"),
        lambda: tree.resume(path, Digest.of(b"")),
        lambda: tree.try_lock(path),
    ):
        with pytest.raises(UnsafePathError, match="which Windows does not allow"):
            create()
    assert names(tree) == []


# --- Paths of Windows ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resolved", "root"),
    [
        ("C:\\data", "\\\\?\\C:\\data"),
        ("\\\\server\\share", "\\\\?\\UNC\\server\\share"),
        ("\\\\?\\C:\\data", "\\\\?\\C:\\data"),
    ],
)
def test_roots_have_the_long_path_prefix(monkeypatch, resolved, root):
    view = SimpleNamespace(sep="\\", path=SimpleNamespace(realpath=lambda _: resolved))
    monkeypatch.setattr(portable, "os", view)
    assert portable._absolute("anything") == root


def test_link_targets_have_slashes(monkeypatch):
    view = SimpleNamespace(sep="\\", path=os.path, readlink=lambda _: "\\\\?\\..\\a\\b")
    monkeypatch.setattr(portable, "os", view)
    assert portable.PathFolder("folder").link_text("anything") == "../a/b"


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (0xA0000003, "symlink"),  # a junction
        (0xA000000C, "symlink"),
        (0x9000001A, "directory"),  # a file of OneDrive
        (0, "directory"),
    ],
)
def test_junction_is_treated_as_a_link(tag, kind):
    status = SimpleNamespace(st_mode=stat.S_IFDIR, st_reparse_tag=tag)
    assert system_errors.kind_of(status) == kind


# --- Replacing ----------------------------------------------------------------------------


def test_file_that_is_briefly_open_is_replaced(tree, monkeypatch):
    write(tree, "a", b"old")
    refusals = [PermissionError(errno.EACCES, "Access is denied")] * 3

    def replace(source, target):
        if refusals:
            raise refusals.pop()
        os.replace(source, target)

    monkeypatch.setattr(portable, "PAUSE", 0)
    on(monkeypatch, replace=replace)
    write(tree, "a", b"new")
    assert read(tree, "a") == b"new"


def test_file_that_stays_open_is_an_error_with_the_reason(tree, tmp_path, monkeypatch):
    write(tree, "a", b"old")

    def replace(source, target):
        raise PermissionError(errno.EACCES, "Access is denied")

    monkeypatch.setattr(portable, "PAUSE", 0)
    on(monkeypatch, replace=replace)
    with pytest.raises(FileAccessError, match=r"cannot write 'a': .*open in another program"):
        write(tree, "a", b"new")
    assert os.listdir(tmp_path) == ["a"]
    assert read(tree, "a") == b"old"


def test_read_only_file_is_replaced(tree, tmp_path, monkeypatch):
    write(tree, "a", b"old")
    (tmp_path / "a").chmod(0o444)

    def replace(source, target):
        if not os.stat(target).st_mode & stat.S_IWRITE:
            raise PermissionError(errno.EACCES, "Access is denied")
        os.replace(source, target)

    monkeypatch.setattr(portable, "PAUSE", 0)
    on(monkeypatch, replace=replace, name="nt")
    write(tree, "a", b"new")
    assert read(tree, "a") == b"new"


# --- Locks --------------------------------------------------------------------------------


@pytest.fixture
def msvcrt(monkeypatch):
    """Lock by `msvcrt` alone."""
    module = Msvcrt("msvcrt")
    monkeypatch.setattr(
        descriptor_locks,
        "_flock",
        lambda _, descriptor, shared: descriptor_locks._locking(module, descriptor, shared=shared),
    )


@pytest.mark.usefixtures("msvcrt")
class TestMsvcrt:
    def test_exclusive_lock_has_one_owner(self, tree):
        with tree.try_lock(at("lock")):
            assert tree.try_lock(at("lock")) is None
            assert tree.try_lock(at("lock"), shared=True) is None
        with tree.try_lock(at("lock")):
            pass

    def test_shared_lock_has_many_owners(self, tree):
        shared = [tree.try_lock(at("lock"), shared=True) for _ in range(20)]
        assert all(shared)
        assert tree.try_lock(at("lock")) is None
        for lock in shared:
            lock.release()
        assert tree.try_lock(at("lock")) is not None

    def test_partial_file_has_one_owner(self, tree):
        digest = Digest.of(b"whole")
        with tree.resume(at("a"), digest) as file:
            file.write(b"wh")
            assert tree.resume(at("a"), digest) is None
        with tree.resume(at("a"), digest) as file:
            assert file.kept == 2
            assert file.reread().read() == b"wh"
            file.write(b"ole")
            file.commit()
        assert read(tree, "a") == b"whole"


def without_locks(*_, **__):
    raise OSError(errno.ENOLCK, "this system has no locks")


def test_system_without_locks_is_an_error_and_resumes_nothing(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(descriptor_locks, "_flock", without_locks)
    monkeypatch.setattr(descriptor_locks, "_locking", without_locks)
    with pytest.raises(FileAccessError, match="this system has no locks"):
        tree.try_lock(at("lock"))
    (tmp_path / "lock").unlink()
    assert tree.resume(at("a"), Digest.of(b"")) is None
    assert os.listdir(tmp_path) == []


def replacing(tmp_path, times):
    """Return an `os.open` that first replaces the file, as another program may, up to `times`."""
    left = [f"new {number}".encode() for number in range(times)]

    def opened(name, flags, mode=0o777):
        if left and os.path.basename(name) == "a":
            (tmp_path / "b").write_bytes(left.pop())
            os.replace(tmp_path / "b", tmp_path / "a")
        return os.open(name, flags, mode)

    return opened


def test_file_that_is_replaced_while_it_is_opened_is_opened_again(tree, tmp_path, monkeypatch):
    write(tree, "a", b"old")
    on(monkeypatch, open=replacing(tmp_path, 2))
    assert read(tree, "a") == b"new 0"


def test_file_that_is_replaced_each_time_it_is_opened_is_an_error(tree, tmp_path, monkeypatch):
    write(tree, "a", b"old")
    on(monkeypatch, open=replacing(tmp_path, 1000))
    with pytest.raises(FileAccessError, match="replaced at the same moment"):
        tree.open(at("a"))
