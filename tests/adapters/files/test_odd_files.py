"""Files of odd kinds on the real disk: of /proc, with links, without permissions, in any locale."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.files.local_sources import LocalFiles
from oras_adapters.files.portable import PortableFileTree
from oras_core.content.sources import BytesSource, FileSource
from oras_core.content.verify import hash_source
from oras_core.errors import (
    FileAccessError,
    NotFoundError,
    SourceChangedError,
    UnsafePathError,
)
from oras_core.stores.memory import MemoryStore
from oras_core.testing.contracts.tree_access import at
from oras_core.testing.memory_files import MemoryFileTree
from oras_core.verbs.pull import pull
from oras_core.verbs.push import Directory, File, push

NOBODY = 65534


def as_ordinary_user(function):
    """Run `function` in a child process that permissions apply to; fail if it raises."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            function()
            status = 0
        except BaseException as error:  # noqa: BLE001 - shown here, and told by the status
            os.write(2, f"{type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


# --- Sizes that lie -----------------------------------------------------------------------


@pytest.mark.skipif(not os.path.exists("/proc/version"), reason="there is no /proc")
def test_file_of_unknown_size_is_not_pushed_as_empty():
    store = MemoryStore()
    with pytest.raises(FileAccessError, match="given as 0 bytes, but it has more; push a copy"):
        push(store, "v1", File("version", LocalFiles().source("/proc/version")))
    with pytest.raises(NotFoundError):
        store.resolve("v1")


# --- Hard links ---------------------------------------------------------------------------


def test_new_hard_link_is_not_a_change(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    source = FileSource(LocalFileTree(tmp_path), at("a"))
    os.link(tmp_path / "a", tmp_path / "b")
    assert hash_source(source)[1] == 7


def test_write_is_a_change_even_with_a_new_hard_link(tmp_path):
    (tmp_path / "a").write_bytes(b"content")
    source = FileSource(LocalFileTree(tmp_path), at("a"))
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b").write_bytes(b"changed")
    os.utime(tmp_path / "a", ns=(0, 0))
    with pytest.raises(SourceChangedError):
        hash_source(source)


# --- Modification times -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [LocalFileTree, PortableFileTree])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EROFS])
def test_refused_touch_is_not_an_error(tmp_path, monkeypatch, kind, number):
    (tmp_path / "a").write_bytes(b"content")
    refused = []

    def refuse(*_, **__):
        refused.append(number)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "utime", refuse)
    kind(tmp_path).touch(at("a"))
    assert refused


@pytest.mark.parametrize("kind", [LocalFileTree, PortableFileTree])
def test_touch_changes_no_file_behind_a_link(tmp_path, kind):
    (tmp_path / "a").write_bytes(b"content")
    (tmp_path / "l").symlink_to("a")
    os.utime(tmp_path / "a", ns=(0, 0))
    with pytest.raises(UnsafePathError):
        kind(tmp_path).touch(at("l"))
    assert (tmp_path / "a").stat().st_mtime_ns == 0


# --- Permissions --------------------------------------------------------------------------


@pytest.fixture
def reachable():
    """A folder that every user can reach, unlike pytest's."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        os.chmod(name, 0o711)
        yield Path(name)


def test_folder_without_read_permission_is_read_by_file_name(reachable, monkeypatch):
    folder = reachable / "drop"
    (folder / "inner").mkdir(parents=True)
    (folder / "a").write_bytes(b"content")
    (folder / "inner" / "b").write_bytes(b"content")
    (folder / "inner").chmod(0o311)
    folder.chmod(0o311)
    monkeypatch.chdir(folder)

    def read():
        tree = LocalFileTree(".")
        for path in ("a", "inner/b"):
            assert hash_source(FileSource(tree, at(path)))[1] == 7
        assert LocalFiles().source("a").size == 7
        for path in (None, at("inner")):
            with pytest.raises(FileAccessError, match=r"cannot list .*Permission denied"):
                list(tree.entries(path))

    try:
        as_ordinary_user(read)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("older", [b"same size", b"another size"])
def test_pull_over_an_unreadable_file_is_an_error_for_every_size(tmp_path, monkeypatch, older):
    store = MemoryStore()
    push(store, "v1", File("a", BytesSource(b"size same")))
    folder = tmp_path / "out"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    (folder / "a").write_bytes(older)
    (folder / "a").chmod(0)
    monkeypatch.chdir(folder)

    def pull_over():
        with pytest.raises(FileAccessError, match="cannot open 'a': Permission denied"):
            pull(store, "v1", LocalFileTree("."))

    as_ordinary_user(pull_over)
    assert (folder / "a").stat().st_size == len(older)


# --- Locales ------------------------------------------------------------------------------

PACK = r"""
import io, sys
from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.files.local_sources import LocalFiles, utf8_name
from oras_core.archives.archive import pack_directory
from oras_core.model.paths import sanitize_path
tree = LocalFileTree("data")
print(pack_directory(tree, lambda data: None, prefix="data").digest.encoded)
print([ascii(str(entry.path)) for entry in tree.entries()])
out = LocalFileTree("out", create=True)
name = sanitize_path("\u00fc/\u00e9")
with out.create(name) as file:
    file.commit()
out.make_symlink(sanitize_path("\u00fc/l"), "\u00e9")
print(ascii(out.entry(sanitize_path("\u00fc/l")).link_target), out.entry(name).kind)
"""

LOCALES = [
    {"LC_ALL": "C.UTF-8"},
    {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "POSIX", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
    {"LC_ALL": "C", "PYTHONUTF8": "1"},
]


def test_digests_are_independent_of_the_locale(tmp_path):
    folder = os.fsencode(tmp_path / "data")
    os.makedirs(folder + "/d\u00e9".encode())
    for name in ("\u00fc", "z", "d\u00e9/\U0001f382"):
        with open(folder + b"/" + name.encode(), "wb") as file:
            file.write(b"content")
    os.symlink("\u00fc".encode(), folder + "/\u00e4".encode())
    seen = set()
    for number, locale in enumerate(LOCALES):
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **locale}
        run = subprocess.run(
            [sys.executable, "-c", PACK],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        seen.add(run.stdout)
        assert os.listdir(os.fsencode(tmp_path / "out")) == ["\u00fc".encode()], number
    (output,) = seen
    assert "xfc" in output


def test_folder_is_packed_with_names_in_utf8(tmp_path):
    (tmp_path / "\u00e9").write_bytes(b"content")
    contents = [Directory("data", LocalFileTree(tmp_path))]
    root = push(MemoryStore(), "v1", contents, scratch=MemoryFileTree())
    memory = MemoryFileTree()
    with memory.create(at("\u00e9")) as file:
        file.write(b"content")
        file.commit()
    assert push(MemoryStore(), "v1", [Directory("data", memory)], scratch=MemoryFileTree()) == root


@pytest.mark.parametrize("tree_kind", [LocalFileTree, PortableFileTree])
def test_a_listing_names_the_file_that_cannot_be_looked_at(tmp_path, monkeypatch, tree_kind):
    """A 32-bit system cannot represent a time after 2038."""
    for name in ("a", "late", "z"):
        (tmp_path / name).write_bytes(b"text")

    def overflow(path, *arguments, real=os.lstat, **options):
        if os.path.basename(os.fsdecode(path)) == "late":
            raise OSError(errno.EOVERFLOW, os.strerror(errno.EOVERFLOW), path)
        return real(path, *arguments, **options)

    tree = tree_kind(tmp_path)
    monkeypatch.setattr(sys.modules[tree_kind.__module__].os, "lstat", overflow)
    with pytest.raises(FileAccessError, match="cannot look at 'late': Value too large"):
        list(tree.entries())
