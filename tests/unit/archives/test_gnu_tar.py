"""What GNU tar writes beyond POSIX: sparse files, labels, incremental backups."""

from __future__ import annotations

import io
import os
import subprocess

import pytest

from oras_core.archives import sparse
from oras_core.archives.archive import unpack
from oras_core.archives.tar_reader import TarReader
from oras_core.errors import SizeLimitError, UnsafeArchiveError
from oras_core.model.limits import Limits
from oras_core.testing.contracts.tree_access import at, names, read
from oras_core.testing.memory_files import MemoryFileTree
from support.artifacts import all_files
from support.tar_archives import directory, member, tar

SPARSE = [
    ["--format=gnu"],
    ["--format=posix", "--sparse-version=0.0"],
    ["--format=posix", "--sparse-version=0.1"],
    ["--format=posix", "--sparse-version=1.0"],
]


GNU_TAR = (
    "GNU tar"
    in subprocess.run(["tar", "--version"], capture_output=True, text=True, check=False).stdout
)
needs_gnu_tar = pytest.mark.skipif(not GNU_TAR, reason="tar is not GNU tar")


def unpacked(content, prefix=None, limits=None):
    tree = MemoryFileTree()
    prefix = None if prefix is None else at(prefix)
    unpack(io.BytesIO(content), tree, prefix=prefix, limits=limits or Limits())
    return tree


def made(folder, *arguments):
    command = ["tar", "-c", "-f", "-", *arguments]
    return subprocess.run(command, cwd=folder, check=True, capture_output=True).stdout


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data"
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "inner").write_bytes(b"inner")
    (folder / "plain").write_bytes(b"plain" * 200)
    with (folder / "holes").open("wb") as file:
        for number in range(30):  # more than a header of the old format has room for
            file.seek(number * 200_000)
            file.write(b"segment %d" % number)
        file.truncate(8_000_000)
    with (folder / "hole").open("wb") as file:
        file.truncate(1_000_000)
    return folder


@needs_gnu_tar
@pytest.mark.parametrize("arguments", SPARSE)
def test_sparse_files_are_expanded(folder, arguments):
    content = made(folder.parent, *arguments, "-S", "data")
    assert len(content) < 1_000_000
    tree = unpacked(content, "data")
    assert names(tree) == ["data", "hole", "holes", "plain"]
    for name in ("holes", "hole", "plain", "data/inner"):
        assert read(tree, name) == (folder / name).read_bytes()


@needs_gnu_tar
@pytest.mark.parametrize("arguments", SPARSE)
def test_holes_count_against_the_limit(folder, arguments):
    content = made(folder.parent, *arguments, "-S", "data/holes")
    with pytest.raises(SizeLimitError):
        unpacked(content, limits=Limits(archive_bytes=7_999_999))
    unpacked(content, limits=Limits(archive_bytes=8_000_000))


@needs_gnu_tar
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_labels_are_ignored(folder, form):
    tree = unpacked(made(folder.parent, f"--format={form}", "-V", "a label", "data/plain"), "data")
    assert names(tree) == ["plain"]


@needs_gnu_tar
@pytest.mark.parametrize("form", ["gnu", "posix"])
def test_incremental_backups_are_unpacked(folder, form):
    tree = unpacked(made(folder.parent, f"--format={form}", "-G", "data"), "data")
    assert names(tree) == ["data", "hole", "holes", "plain"]
    assert read(tree, "data/inner") == b"inner"


@needs_gnu_tar
def test_an_inner_folder_may_have_the_name_of_the_archive(folder):
    os.remove(folder / "holes")
    expected = {"data/inner": b"inner", "plain": b"plain" * 200, "hole": bytes(1_000_000)}
    for arguments in (["data"], ["-C", "data", "."]):
        assert all_files(unpacked(made(folder.parent, *arguments), "data")) == expected
        assert all_files(unpacked(made(folder.parent, *arguments), "a/data")) == expected


def test_member_for_the_folder_itself_means_no_prefix():
    content = tar(directory("./"), directory("./data"), member("./data/x", b"x"), member("./y"))
    assert all_files(unpacked(content, "data")) == {"data/x": b"x", "y": b""}


# --- Malformed maps -----------------------------------------------------------------------


def sparse_pax(content, **records):
    return tar(member("f", content, pax_headers={f"GNU.sparse.{k}": v for k, v in records.items()}))


@pytest.mark.parametrize(
    "records",
    [
        {"map": "0,3"},
        {"size": "10", "map": "0"},
        {"size": "10", "map": "0,2"},
        {"size": "10", "map": "0,x"},
        {"size": "10", "map": "-1,3"},
        {"size": "2", "map": "0,3"},
        {"size": "10", "map": "8,3"},
        {"size": "10", "map": "4,2,3,1"},
        {"size": "10", "map": "0,2,1,1"},
        {"size": "1" * 21, "map": "0,3"},
        {"size": "10"},
        {"major": "1", "minor": "0", "realsize": "10"},
    ],
)
def test_malformed_maps_are_refused(records):
    with pytest.raises(UnsafeArchiveError) as caught:
        unpacked(sparse_pax(b"abc", **records))
    assert caught.value.member == "f"


def test_a_map_has_a_limit(monkeypatch):
    monkeypatch.setattr(sparse, "MAX_SEGMENTS", 2)
    numbers = ",".join(f"{2 * n},1" for n in range(3))
    with pytest.raises(UnsafeArchiveError, match="more than 2 holes"):
        unpacked(sparse_pax(b"abc", size="10", map=numbers))
    in_data = b"3\n0\n1\n2\n1\n4\n1\n".ljust(512, b"\0") + b"abc"
    with pytest.raises(UnsafeArchiveError, match="more than 2 holes"):
        unpacked(sparse_pax(in_data, major="1", minor="0", realsize="10"))


def test_name_of_a_sparse_file_is_checked():
    content = sparse_pax(b"abc", size="10", map="0,3", name="../evil")
    with pytest.raises(UnsafeArchiveError, match="evil"):
        unpacked(content)


def test_a_terabyte_of_holes_takes_no_memory():
    content = sparse_pax(b"abc", size=str(10**12), map="0,3")
    reader = TarReader(iter([content]))
    assert reader.next_member().size == 10**12
    assert reader.read(100) == b"abc"
    assert reader.read(100) == bytes(100)
