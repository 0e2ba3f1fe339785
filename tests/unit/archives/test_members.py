"""Files of a packed directory are found without unpacking it, within the rules of unpacking."""

from __future__ import annotations

import io

import pytest

from oras_core import Limits, sanitize_path
from oras_core.archives.archive import pack_directory
from oras_core.archives.members import PackedFiles, is_compressed, write_tar
from oras_core.archives.plain import PLAIN
from oras_core.archives.tar_format import END, TarMember, encode_header, padding_of
from oras_core.errors import NotFoundError, SizeLimitError, UnsafeArchiveError, UnsupportedError
from oras_core.testing import MemoryFileTree

PREFIX = sanitize_path("data")


def tar(*members):
    """Return an archive of members, each with its content."""
    pieces = []
    for member, content in members:
        pieces += [encode_header(member), content, bytes(padding_of(len(content)))]
    return b"".join(pieces) + END


def file(name, content):
    return TarMember(f"data/{name}", "file", len(content)), content


def link(name, target):
    return TarMember(f"data/{name}", "symlink", link_target=target), b""


def files_of(*members, **options):
    return PackedFiles(io.BytesIO(tar(*members)), prefix=PREFIX, **options)


def test_files_are_found_and_opened():
    found = files_of(file("a.txt", b"one"), file("deep/b.txt", b""), file("c.txt", b"three"))
    assert list(found.members) == ["a.txt", "deep/b.txt", "c.txt"]
    assert [found.open(path).read() for path in found.members] == [b"one", b"", b"three"]


def test_the_last_of_two_files_with_one_name_counts():
    assert files_of(file("a", b"old"), file("a", b"new")).open("a").read() == b"new"


def test_links_are_followed():
    found = files_of(file("d/a", b"one"), link("b", "d/a"), link("e", "./d"), link("d/up", "../b"))
    for path in ("b", "e/a", "d/up", "e/up"):
        assert found.open(path).read() == b"one"


@pytest.mark.parametrize("path", ["absent", "d/absent", "a/b", ""])
def test_missing_file_is_not_found(path):
    with pytest.raises(NotFoundError, match="not found in data"):
        files_of(file("a", b"one"), file("d/b", b"")).open(path)


def test_cycle_of_links_is_refused():
    with pytest.raises(UnsafeArchiveError, match="too many links"):
        files_of(link("a", "b"), link("b", "a"))


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd"])
def test_links_to_the_outside_are_refused(target):
    with pytest.raises(UnsafeArchiveError):
        files_of(link("a", target))


def test_names_outside_the_folder_are_refused():
    with pytest.raises(UnsafeArchiveError):
        files_of(file("../../x", b""))


def test_limits_apply():
    with pytest.raises(SizeLimitError):
        files_of(file("a", b""), file("b", b""), limits=Limits(archive_members=1))
    with pytest.raises(SizeLimitError):
        files_of(file("a", b"abc"), limits=Limits(archive_bytes=2))


def test_a_truncated_archive_is_refused():
    whole = tar(file("a", b"x" * 2000))
    with pytest.raises(UnsafeArchiveError, match="truncated"):
        PackedFiles(io.BytesIO(whole[:1000]), prefix=PREFIX)


def test_a_directory_is_not_opened():
    found = files_of((TarMember("data/d", "directory"), b""))
    with pytest.raises(UnsupportedError, match="it is a directory; pull it instead"):
        found.open("d")


@pytest.mark.parametrize("compression", [None, PLAIN])
def test_packed_files_are_found(compression):
    tree = MemoryFileTree()
    for name in ("a.bin", "deep/b.bin"):
        with tree.create(sanitize_path(name)) as written:
            written.write(name.encode() * 1000)
            written.commit()
    packed = io.BytesIO()
    pack_directory(tree, packed.write, prefix="data", compression=compression)
    packed.seek(0)
    assert is_compressed(packed.getvalue(), ()) is (compression is None)
    archive = io.BytesIO()
    write_tar(packed, archive, ())
    found = PackedFiles(archive, prefix=PREFIX)
    assert found.open("deep/b.bin").read() == b"deep/b.bin" * 1000
    assert found.members["a.bin"].size == 5000
