from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress

import pytest

from oras_adapters.files.local_files import LocalFileTree, scratch_directory
from oras_core.errors import FileAccessError, NotFoundError, OrasError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.testing.contracts.expect import raises
from oras_core.testing.contracts.tree_access import at, names, read, write
from support.trees import describe


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    return root


@pytest.fixture
def tree(root):
    return LocalFileTree(root)


@pytest.fixture
def outside(tmp_path):
    """A folder beside the root, in which nothing may ever change."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("old")
    yield outside
    assert describe(outside).keys() == {"victim"}
    assert (outside / "victim").read_text() == "old"


@contextmanager
def umask(mask):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def file_size_limit(size):
    """Let the kernel refuse to write files beyond `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def mode(path):
    return stat.S_IMODE(path.lstat().st_mode)


# --- The root -------------------------------------------------------------------------------


def test_missing_root_is_not_found(tmp_path):
    with pytest.raises(NotFoundError, match="missing"):
        LocalFileTree(tmp_path / "missing")


def test_root_is_made_with_its_parents(tmp_path):
    write(LocalFileTree(str(tmp_path / "a/b"), create=True), "f", b"x")
    assert (tmp_path / "a/b/f").read_bytes() == b"x"


@pytest.mark.parametrize("create", [True, False])
def test_root_that_is_a_file_is_refused(tmp_path, create):
    (tmp_path / "f").touch()
    with pytest.raises(FileAccessError, match="open folder"):
        LocalFileTree(tmp_path / "f", create=create)


def test_links_in_the_path_of_the_root_are_followed(tmp_path, root):
    (tmp_path / "link").symlink_to("root")
    write(LocalFileTree(tmp_path / "link"), "f", b"x")
    assert (root / "f").read_bytes() == b"x"


def test_root_stays_the_same_folder_after_a_rename(tmp_path, root, tree, outside):
    root.rename(tmp_path / "moved")
    root.symlink_to(outside)
    write(tree, "victim", b"new")
    assert (tmp_path / "moved/victim").read_bytes() == b"new"


# --- Links made during an operation ---------------------------------------------------------


def test_folder_replaced_by_a_link_during_a_write_is_not_followed(tmp_path, root, tree, outside):
    with tree.create(at("d/victim")) as file:
        file.write(b"evil")
        (root / "d").rename(root / "e")
        (root / "d").symlink_to(outside)
        file.commit()
    assert (root / "e/victim").read_bytes() == b"evil"


def test_folder_replaced_by_a_link_while_a_directory_is_filled_is_not_followed(root, tree, outside):
    with tree.create_directory(at("d/new")) as directory:
        write(directory.tree, "deep/victim", b"evil")
        (root / "d").rename(root / "e")
        (root / "d").symlink_to(outside)
        write(directory.tree, "victim", b"evil")
        directory.commit()
    assert (root / "e/new/victim").read_bytes() == b"evil"


def test_link_created_during_a_merge_is_not_followed(root, tree, outside, monkeypatch):
    """After all was checked, somebody swaps a folder for a link."""
    write(tree, "d/sub/kept", b"kept")
    real_listdir, calls = os.listdir, []

    def listdir(folder):
        calls.append(folder)
        if len(calls) == 3:  # two to check, the third begins to move
            (root / "d/sub").rename(root / "elsewhere")
            (root / "d/sub").symlink_to(outside)
        return real_listdir(folder)

    with tree.create_directory(at("d")) as directory:
        write(directory.tree, "sub/victim", b"evil")
        monkeypatch.setattr(os, "listdir", listdir)
        with pytest.raises(UnsafePathError, match="symbolic link"):
            directory.commit()
    assert len(calls) >= 3


def test_link_swapped_repeatedly_is_never_followed(root, tree, outside):
    """A thread turns a folder into a link and back, as often as it can."""
    (root / "real").mkdir()
    (root / "real/victim").write_text("inside")
    (root / "link").symlink_to(outside)
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            for name in ("real", "link"):
                (root / name).rename(root / "d")
                (root / "d").rename(root / name)

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        for _ in range(500):
            with suppress(NotFoundError, UnsafePathError):
                seen.add(read(tree, "d/victim"))
            with suppress(UnsafePathError, FileAccessError):
                tree.remove(at("d/victim/nothing"))
            with suppress(UnsafePathError):
                tree.entry(at("d/victim"))
    finally:
        stop.set()
        thread.join()
    assert seen <= {b"inside"}


# --- Permissions and names ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "file", "program", "folder"),
    [(0o022, 0o644, 0o755, 0o755), (0o077, 0o600, 0o700, 0o700), (0o002, 0o664, 0o775, 0o775)],
)
def test_files_follow_the_umask(root, tree, mask, file, program, folder):
    with umask(mask):
        write(tree, "d/f", b"x")
        write(tree, "d/run", b"x", executable=True)
        tree.make_directory(at("e"))
        with tree.create_directory(at("g")) as directory:
            directory.commit()
    assert [mode(root / name) for name in ("d/f", "d/run")] == [file, program]
    assert [mode(root / name) for name in ("d", "e", "g")] == [folder] * 3


def test_mode_of_an_existing_folder_is_kept(root, tree):
    (root / "d").mkdir(mode=0o700)
    with tree.create_directory(at("d")) as directory:
        write(directory.tree, "f", b"x")
        directory.commit()
    assert mode(root / "d") == 0o700


def test_temporary_file_lies_next_to_its_final_name(root, tree):
    (root / "d").mkdir()
    with tree.create(at("d/f")), tree.create_directory(at("d/g")):
        unfinished = os.listdir(root / "d")
    assert len(unfinished) == 2
    assert all(name.startswith(".") and name.endswith(".oras-partial") for name in unfinished)
    assert os.listdir(root / "d") == []


def test_folder_with_a_name_that_is_not_utf_8_is_refused(root, tree):
    os.close(os.open(os.fsencode(root) + b"/caf\xe9", os.O_CREAT))
    with pytest.raises(UnsafePathError):
        tree.entries()


def test_user_file_named_like_a_partial_file_is_refused(root, tree):
    """It would be missing from the push without an error."""
    (root / "draft.oras-partial").write_bytes(b"x")
    with pytest.raises(UnsafePathError, match="reserved for partial files"):
        tree.entries()


def test_file_removed_during_a_listing_is_not_listed(root, tree, monkeypatch):
    write(tree, "f", b"x")
    monkeypatch.setattr(os, "listdir", lambda _: ["f", "gone"])
    assert names(tree) == ["f"]


def test_threads_list_one_folder_at_the_same_time(root, tree):
    made = sorted(f"{number:03}" for number in range(500))
    for name in made:
        (root / name).touch()
    with ThreadPoolExecutor(4) as pool:
        assert all(listed == made for listed in pool.map(lambda _: names(tree), range(24)))


# --- Devices, FIFOs, sockets ----------------------------------------------------------------


def test_fifo_does_not_block(root, tree):
    os.mkfifo(root / "fifo")
    assert tree.entry(at("fifo")).kind == "other"
    with pytest.raises(FileAccessError, match="not a regular file"):
        tree.open(at("fifo"))
    for operation in (tree.create, tree.create_directory, tree.make_directory):
        with pytest.raises(UnsafePathError, match="a FIFO"):
            operation(at("fifo"))
    assert os.listdir(root) == ["fifo"]
    tree.remove(at("fifo"))
    assert os.listdir(root) == []


def test_socket_is_not_a_file(root, tree, monkeypatch):
    monkeypatch.chdir(root)  # the path of a socket is short
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("socket")
    assert tree.entry(at("socket")).kind == "other"
    with pytest.raises(FileAccessError, match="cannot open 'socket'"):
        tree.open(at("socket"))


# --- Revisions ------------------------------------------------------------------------------


def test_revision_changes_if_the_modification_time_is_reset(root, tree):
    write(tree, "f", b"one")
    before, times = tree.entry(at("f")), (root / "f").stat()
    (root / "f").write_bytes(b"two")
    os.utime(root / "f", ns=(times.st_atime_ns, times.st_mtime_ns))
    after = tree.entry(at("f"))
    assert before.size == after.size
    assert before.revision != after.revision


# --- Faults ---------------------------------------------------------------------------------


def test_full_disk_keeps_the_older_file(root, tree):
    write(tree, "d/f", b"old")
    with (
        file_size_limit(1000),
        tree.create(at("d/f")) as file,
        pytest.raises(FileAccessError) as caught,
    ):
        file.write(bytes(3000))
    assert (caught.value.operation, caught.value.path) == ("write", "d/f")
    assert caught.value.reason == os.strerror(errno.EFBIG)
    assert describe(root).keys() == {"d", "d/f"}
    assert read(tree, "d/f") == b"old"


def test_short_write_is_continued(tree, monkeypatch):
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real_write(file, data[:7]))
    write(tree, "f", bytes(range(100)))
    assert read(tree, "f") == bytes(range(100))


@pytest.mark.parametrize("call", ["rename", "fsync", "close"])
def test_failed_commit_keeps_the_older_file(root, monkeypatch, call):
    tree = LocalFileTree(root, durable=True)
    write(tree, "f", b"old")
    real_close = os.close

    def fail(*arguments, **keywords):
        if call == "close":
            real_close(*arguments)
            monkeypatch.setattr(os, "close", real_close)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with tree.create(at("f")) as file:
        file.write(b"new")
        monkeypatch.setattr(os, call, fail)
        with pytest.raises(FileAccessError, match=r"cannot write 'f': Input/output error"):
            file.commit()
    assert describe(root).keys() == {"f"}
    assert read(tree, "f") == b"old"


def test_failed_merge_removes_its_temporary_files(root, tree, monkeypatch):
    write(tree, "d/a", b"old")
    write(tree, "d/b", b"old")

    def fail(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with tree.create_directory(at("d")) as directory:
        write(directory.tree, "a", b"new")
        write(directory.tree, "b", b"new")
        monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(FileAccessError, match="cannot write directory 'd': No space left"):
            directory.commit()
    assert describe(root).keys() == {"d", "d/a", "d/b"}
    assert (read(tree, "d/a"), read(tree, "d/b")) == (b"old", b"old")


def test_directory_made_meanwhile_by_another_process_is_merged(root, tree, monkeypatch):
    real_rename = os.rename

    def rename(*arguments, **keywords):
        (root / "d").mkdir(exist_ok=True)
        (root / "d/theirs").touch()
        real_rename(*arguments, **keywords)

    with tree.create_directory(at("d")) as directory:
        write(directory.tree, "ours", b"x")
        monkeypatch.setattr(os, "rename", rename)
        directory.commit()
    assert describe(root).keys() == {"d", "d/ours", "d/theirs"}


def test_failed_removal_is_logged_and_hides_no_error(root, tree, monkeypatch, caplog):
    def fail(*_, **__):
        raise OSError(errno.EIO, "no")

    with raises(KeyError), tree.create(at("f")):
        monkeypatch.setattr(os, "unlink", fail)
        raise KeyError
    assert "cannot remove the partial file" in caplog.text
    with raises(KeyError), tree.create_directory(at("d")):
        monkeypatch.setattr(os, "rmdir", fail)
        raise KeyError
    assert "cannot remove the partial entry" in caplog.text


def test_read_error_names_the_file():
    with (
        closing(LocalFileTree("/proc/self").open(at("mem"))) as memory,  # nothing lies at address 0
        pytest.raises(FileAccessError, match="cannot read 'mem'"),
    ):
        memory.read(10)


KILLED = """
import os, signal, sys
from oras_adapters.files.local_files import LocalFileTree
from oras_core.model.paths import sanitize_path

tree = LocalFileTree(sys.argv[1])
file = tree.create(sanitize_path("f")).__enter__()
file.write(b"half")
directory = tree.create_directory(sanitize_path("d")).__enter__()
directory.tree.make_directory(sanitize_path("x"))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_process_leaves_no_file_under_a_final_name(root, tree):
    write(tree, "f", b"old")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(root)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert read(tree, "f") == b"old"
    others = [name for name in os.listdir(root) if name != "f"]
    assert len(others) == 2
    assert all(name.endswith(".oras-partial") for name in others)


def test_concurrent_writers_fill_one_directory(root):
    """As several processes do: each has its own tree, and whole files come of it."""
    barrier = threading.Barrier(6)
    failures = []

    def fill(number):
        tree = LocalFileTree(root)
        try:
            with tree.create_directory(at("d")) as directory:
                for name in ("shared", f"own{number}", "sub/deep/shared", f"sub/own{number}"):
                    write(directory.tree, name, b"%d" % number * 2000)
                barrier.wait()
                directory.commit()
        except Exception as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=fill, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert os.listdir(root) == ["d"]
    whole = [b"%d" % number * 2000 for number in range(6)]
    for name in ("shared", "sub/deep/shared"):
        assert (root / "d" / name).read_bytes() in whole
    for number in range(6):
        assert (root / f"d/own{number}").read_bytes() == whole[number]
        assert (root / f"d/sub/own{number}").read_bytes() == whole[number]


# --- Durability and descriptors -------------------------------------------------------------


@pytest.mark.parametrize(("durable", "expected"), [(False, []), (True, ["file", "folder"])])
def test_fsync_is_called_only_if_requested(root, monkeypatch, durable, expected):
    synchronised = []

    def fsync(descriptor):
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        synchronised.append("folder" if is_folder else "file")
        assert (root / "f").exists() == is_folder

    monkeypatch.setattr(os, "fsync", fsync)
    write(LocalFileTree(root, durable=durable), "f", b"x")
    assert synchronised == expected


def test_no_file_descriptor_is_leaked(root):
    tree = LocalFileTree(root)
    write(tree, "d/f", b"x")
    tree.make_symlink(at("d/l"), "f")
    before = os.listdir("/proc/self/fd")
    failing = (
        lambda: tree.open(at("d/l")),
        lambda: tree.open(at("d")),
        lambda: tree.open(at("d/missing")),
        lambda: tree.create(at("d/l")),
        lambda: tree.create(at("d/f/x")),
        lambda: tree.create_directory(at("d/f")),
        lambda: tree.make_directory(at("d/f")),
        lambda: tree.make_symlink(at("d"), "x"),
        lambda: tree.remove(at("d")),
        lambda: tree.entries(at("d/f")),
        lambda: tree.entry(at("d/l/x")),
        lambda: tree.open(at("missing/f")),
    )
    for operation in failing:
        with pytest.raises(OrasError):
            operation()
    read(tree, "d/f")
    write(tree, "d/g", b"x")
    with tree.create(at("d/h")) as file:
        file.write(b"x")
    for commits in (True, True, False):
        with tree.create_directory(at("e")) as directory:
            write(directory.tree, "a/b", b"x")
            if commits:
                directory.commit()
    del directory
    assert os.listdir("/proc/self/fd") == before


# --- Scratch --------------------------------------------------------------------------------


def test_scratch_is_private_and_removed(tmp_path):
    with scratch_directory(tmp_path) as tree:
        write(tree, "a/b", b"x")
        [made] = tmp_path.iterdir()
        assert mode(made) == 0o700
        assert (made / "a/b").read_bytes() == b"x"
    assert list(tmp_path.iterdir()) == []


def test_scratch_is_removed_after_an_error(tmp_path):
    with raises(KeyError), scratch_directory(tmp_path) as tree:
        write(tree, "a/b", b"x")
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_scratch_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "f").touch()
    with (
        pytest.raises(FileAccessError, match="temporary folder"),
        scratch_directory(tmp_path / "f"),
    ):
        pass


def test_partial_entries_of_killed_processes_are_removed(root, tree):
    files = tree.create(at("d/f")), tree.resume(at("d/f"), Digest.of(b"x"))
    files[0].write(b"x")
    files[1].write(b"x")
    write(tree.create_directory(at("d/folder")).tree, "inner", b"x")
    write(tree, "d/kept", b"x")
    with tree.create(at("f")):
        before = os.listdir(root)
        tree.remove_partials(at("d"))
        assert os.listdir(root) == before
    assert os.listdir(root / "d") == ["kept"]
    tree.remove_partials(at("missing"))


def test_partial_entries_in_the_root_are_removed(root, tree):
    tree.create(at("f")).write(b"x")
    write(tree, "d/kept", b"x")
    with tree.create(at("d/f")):
        before = os.listdir(root / "d")
        tree.remove_partials()
        assert os.listdir(root / "d") == before
    assert os.listdir(root) == ["d"]


def test_no_partial_entries_are_removed_through_a_link(root, tree):
    (root / "d").mkdir()
    (root / "d" / ".x.oras-partial").touch()
    (root / "link").symlink_to("d")
    with raises(UnsafePathError):
        tree.remove_partials(at("link"))
    assert os.listdir(root / "d") == [".x.oras-partial"]
