"""Files that the operating system copies, and systems that cannot."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import closing

import pytest

from oras_adapters.files.local_files import LocalFileTree
from oras_adapters.files.portable import PortableFileTree
from oras_core.cancellation import CancelToken
from oras_core.content.reading import clone_file
from oras_core.errors import CancelledError
from oras_core.model.digest import Digest
from oras_core.testing.contracts.tree_access import at, read, write

PIECE = "oras_adapters.files.posix.CLONED_AT_ONCE"
CONTENT = bytes(range(256)) * 4096

pytestmark = pytest.mark.skipif(
    not hasattr(os, "copy_file_range"), reason="Python has no copy_file_range on this system"
)


def clone(tree, file):
    """Clone the original; return the stream of the clone, and the bytes of the original."""
    with closing(tree.open(at("original"))) as original:
        return clone_file(
            original, lambda opened: file.clone(opened, len(CONTENT))
        ), original.read()


@pytest.fixture
def tree(tmp_path):
    tree = LocalFileTree(tmp_path)
    write(tree, "original", CONTENT)
    with tree.create(at("probe")) as file:
        if clone(tree, file)[0] is None:
            pytest.skip("the system of this folder copies no files")
    return tree


def pending(tree, kind):
    if kind == "created":
        return tree.create(at("copy"))
    return tree.resume(at("copy"), Digest.of(CONTENT))


@pytest.fixture(params=["created", "resumed"])
def file(request, tree):
    with pending(tree, request.param) as file:
        yield file


def test_the_system_copies_in_pieces(tree, file, monkeypatch):
    monkeypatch.setattr(PIECE, 300_000)
    copied, rest = clone(tree, file)
    assert copied.read() == CONTENT
    assert rest == CONTENT
    file.commit()
    assert read(tree, "copy") == CONTENT


def test_short_copies_of_the_system_are_continued(tree, file, monkeypatch):
    copy = os.copy_file_range
    monkeypatch.setattr(
        os, "copy_file_range", lambda a, b, count, i, j: copy(a, b, min(count, 100_001), i, j)
    )
    assert clone(tree, file)[0].read() == CONTENT


@pytest.mark.parametrize(
    "number", [errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.ENOSPC]
)
@pytest.mark.parametrize("successes", [0, 2])
def test_a_copy_that_the_system_refuses_leaves_an_empty_file(
    tree, file, monkeypatch, number, successes
):
    monkeypatch.setattr(PIECE, 300_000)
    copy, left = os.copy_file_range, [successes]

    def refuse(*arguments):
        if not left[0]:
            raise OSError(number, os.strerror(number))
        left[0] -= 1
        return copy(*arguments)

    monkeypatch.setattr(os, "copy_file_range", refuse)
    assert clone(tree, file) == (None, CONTENT)
    file.write(b"written")
    file.commit()
    assert read(tree, "copy") == b"written"


def test_a_copy_that_ends_too_early_is_refused(tree, file, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    assert clone(tree, file) == (None, CONTENT)


def test_the_bytes_to_verify_are_those_of_the_clone(tree, file, monkeypatch):
    def write_zeros(original, target, count, _, offset):
        return os.pwrite(target, bytes(count), offset)

    monkeypatch.setattr(os, "copy_file_range", write_zeros)
    assert clone(tree, file)[0].read() == bytes(len(CONTENT))


def test_a_resumed_file_appends_after_a_clone(tree):
    with pending(tree, "resumed") as file:
        copied, _ = clone(tree, file)
        with closing(copied):
            copied.read(10)
            file.write(b"more")
        file.commit()
    assert read(tree, "copy") == CONTENT + b"more"


def test_a_cancelled_copy_ends_between_two_pieces(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(PIECE, 300_000)
    token, copy, calls = CancelToken(), os.copy_file_range, []

    def cancelling(*arguments):
        calls.append(arguments)
        token.cancel()
        return copy(*arguments)

    monkeypatch.setattr(os, "copy_file_range", cancelling)
    with token.scope(), pytest.raises(CancelledError), pending(tree, "created") as file:
        clone(tree, file)
    assert len(calls) == 1
    assert os.listdir(tmp_path) == ["original"]


def test_mode_and_time_are_those_of_a_new_file(tree, tmp_path):
    os.chmod(tmp_path / "original", 0o777)
    os.utime(tmp_path / "original", (1, 1))
    earlier = os.umask(0o027)
    try:
        with tree.create(at("copy")) as file:
            assert clone(tree, file)[0] is not None
            file.commit()
    finally:
        os.umask(earlier)
    state = os.stat(tmp_path / "copy")
    assert stat.S_IMODE(state.st_mode) == 0o640
    assert state.st_mtime > 1
    assert state.st_nlink == 1
    assert state.st_ino != os.stat(tmp_path / "original").st_ino


def test_a_folder_without_directory_descriptors_refuses(tmp_path):
    tree = PortableFileTree(tmp_path)
    write(tree, "original", CONTENT)
    with tree.create(at("copy")) as file:
        assert clone(tree, file) == (None, CONTENT)
