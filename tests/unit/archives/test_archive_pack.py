from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oras_core.archives.archive import pack_directory, unpack
from oras_core.archives.blocks import BLOCK_SIZE
from oras_core.archives.gzip_streams import Gzip
from oras_core.errors import SourceChangedError, UnsafePathError
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.model.paths import sanitize_path
from oras_core.ports.files import FileEntry
from oras_core.testing.contracts.tree_access import at, write
from oras_core.testing.memory_files import MemoryFileTree
from support.programs import skip_or_fail
from support.tar_archives import listing

LIMITS = Limits()


def packed(tree, prefix="data", **options):
    out = io.BytesIO()
    result = pack_directory(tree, out.write, prefix=prefix, **options)
    return out.getvalue(), result


def snapshot(tree, path=None):
    """Everything in a tree, by path."""
    found = {}
    for entry in tree.entries(path):
        content = tree.open(entry.path).read() if entry.kind == "file" else None
        found[str(entry.path)] = (entry.kind, content, entry.executable, entry.link_target)
        if entry.kind == "directory":
            found |= snapshot(tree, entry.path)
    return found


@pytest.fixture
def tree():
    tree = MemoryFileTree()
    write(tree, "b/run", b"#!/bin/sh\n", executable=True)
    write(tree, "b/a.txt", b"a" * 700)
    write(tree, "a.txt", b"")
    tree.make_directory(at("empty"))
    tree.make_symlink(at("b/link"), "../a.txt")
    return tree


def test_reported_size_and_digest_match_the_archive(tree):
    content, result = packed(tree)
    assert (result.digest, result.size) == (Digest.of(content), len(content))
    assert result.tar_digest == Digest.of(gzip.decompress(content))


def test_members_are_sorted_under_the_prefix(tree):
    content, _ = packed(tree, prefix="models/v1")
    assert list(listing(content)) == [
        "models/v1",
        "models/v1/a.txt",
        "models/v1/b",
        "models/v1/b/a.txt",
        "models/v1/b/link",
        "models/v1/b/run",
        "models/v1/empty",
    ]


def test_archive_has_no_owner_and_no_times(tree):
    content, _ = packed(tree)
    for info in listing(content).values():
        owner = (info.uid, info.gid, info.uname, info.gname, info.mtime, info.devmajor)
        assert owner == (0, 0, "", "", 0, 0)
    # RFC 1952: no flags, so neither name nor comment; no time; unknown operating system.
    assert content[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"


def test_modes_are_644_or_755(tree):
    found = listing(packed(tree)[0])
    modes = {name: info.mode for name, info in found.items() if not info.issym()}
    assert modes == {
        "data": 0o755,
        "data/a.txt": 0o644,
        "data/b": 0o755,
        "data/b/a.txt": 0o644,
        "data/b/run": 0o755,
        "data/empty": 0o755,
    }


def test_archive_bytes_equal_the_recorded_ones(tree):
    """A new digest for the same files breaks every cache: change this only by decision."""
    _, result = packed(tree)
    assert result.tar_digest.encoded == (
        "558f4ff5b6d9a48450096ea7a465bbc07864c650950392febc2f9aef42e48104"
    )


def test_order_of_creation_does_not_change_the_archive(tree):
    other = MemoryFileTree()
    other.make_symlink(at("b/link"), "../a.txt")
    other.make_directory(at("empty"))
    for path in ("a.txt", "b/a.txt"):
        write(other, path, tree.open(at(path)).read())
    write(other, "b/run", b"#!/bin/sh\n", executable=True)
    assert packed(other) == packed(tree)


def test_sizes_of_reads_do_not_change_the_archive():
    """Short reads must not move the borders between blocks."""
    content = b"".join(b"line %d\n" % number for number in range(200_000))

    class Stuttering(MemoryFileTree):
        def open(self, path):
            stream = super().open(path)
            whole_read = stream.read

            class Short:
                def read(self, size=-1):
                    return whole_read(min(size, 77_777))

                def close(self):
                    stream.close()

            return Short()

    plain, stuttering = MemoryFileTree(), Stuttering()
    for tree in (plain, stuttering):
        write(tree, "log", content)
    assert len(content) > 2 * BLOCK_SIZE
    assert packed(plain) == packed(stuttering)


def test_the_level_changes_the_archive_but_not_the_tar(tree):
    write(tree, "log", b"".join(b"line %d\n" % number for number in range(20_000)))
    fast, small = (packed(tree, compression=Gzip("zlib", zlib, level)) for level in (1, 9))
    assert fast[1].size > small[1].size
    assert fast[1].tar_digest == small[1].tar_digest


def test_compression_blocks_share_their_history():
    """Otherwise, each block of a repetitive file would compress without the block before."""
    tree = MemoryFileTree()
    write(tree, "f", os.urandom(30_000) * 100)
    assert packed(tree)[1].size < 100_000


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, BLOCK_SIZE - 512, BLOCK_SIZE, 3_000_000])
def test_files_of_every_size_round_trip(size):
    tree, content = MemoryFileTree(), bytes(range(251)) * (size // 251 + 1)
    write(tree, "f", content[:size])
    archive, _ = packed(tree)
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as found:
        assert found.extractfile("data/f").read() == content[:size]


NAMES = {
    "long": "n" * 200,
    "at the limit": "n" * 94,
    "over the limit": "n" * 96,
    "deep": "/".join(["folder"] * 30) + "/file",
    "split": "d" * 150 + "/" + "f" * 100,
    "unsplittable": "d" * 160 + "/" + "f" * 90,
    "other scripts": "Ünï çødé/日本語.txt",
    "digits count themselves": "é" * 44,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_long_and_non_ascii_names_round_trip(name):
    tree = MemoryFileTree()
    write(tree, name, b"x")
    tree.make_symlink(at("link"), name)
    archive, _ = packed(tree)
    found = listing(archive)
    assert found[f"data/{name}"].size == 1
    assert found["data/link"].linkname == name
    assert f"data/{at(name).parent}" in found or at(name).parent is None


def test_gnu_tar_reads_the_archive(tree, tmp_path):
    program = shutil.which("tar") or skip_or_fail("tar is not installed")
    write(tree, NAMES["other scripts"], b"x")
    write(tree, NAMES["long"], b"x")
    (tmp_path / "a.tgz").write_bytes(packed(tree)[0])
    subprocess.run([program, "-xzf", "a.tgz"], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "data/b/link").read_bytes() == b""
    assert (tmp_path / "data" / NAMES["other scripts"]).read_bytes() == b"x"
    assert (tmp_path / "data" / NAMES["long"]).read_bytes() == b"x"


def test_an_empty_directory_is_packed():
    assert list(listing(packed(MemoryFileTree())[0])) == ["data"]


SAFE_LINKS = [
    "a.txt",
    "./a.txt",
    "b/../a.txt",
    "nowhere",
    "b",
    ".",
    "b/link",
    "a\\b",
    "c:x",
    "../data/a.txt",
    "../data",
    "b/../../data/./b/link",
]
UNSAFE_LINKS = [
    "..",
    "../x",
    "b/../../x",
    "/etc/passwd",
    "/",
    "b/link/../..",
    "x\ny",
    "../datax/a.txt",
    "../data/../x",
    "../../data/a.txt",
    "../data/b/up/..",
]


@pytest.mark.parametrize("target", SAFE_LINKS)
def test_a_link_that_stays_inside_is_kept(tree, target):
    tree.make_symlink(at("new"), target)
    assert listing(packed(tree)[0])["data/new"].linkname == target


@pytest.mark.parametrize("target", UNSAFE_LINKS)
def test_link_to_the_outside_is_refused(tree, target):
    tree.make_symlink(at("b/up"), "..")
    tree.make_symlink(at("new"), target)
    with pytest.raises(UnsafePathError, match="link") as caught:
        packed(tree)
    assert caught.value.value == "new"


def test_links_that_combine_to_the_outside_are_refused(tree):
    tree.make_symlink(at("x"), ".")
    tree.make_symlink(at("y"), "x/x/x/..")
    with pytest.raises(UnsafePathError) as caught:
        packed(tree)
    assert caught.value.value == "y"


def test_cycle_of_links_is_refused(tree):
    tree.make_symlink(at("x"), "y")
    tree.make_symlink(at("y"), "x")
    with pytest.raises(UnsafePathError, match="too many links"):
        packed(tree)


def test_a_refusal_comes_before_anything_is_written(tree):
    tree.make_symlink(at("zzz"), "/etc/passwd")
    written = []
    with pytest.raises(UnsafePathError):
        pack_directory(tree, written.append, prefix="data")
    assert written == []


def test_devices_and_sockets_are_refused():
    class Odd(MemoryFileTree):
        def entries(self, path=None):
            yield FileEntry(at("pipe"), "other")

    with pytest.raises(UnsafePathError, match="pipe"):
        packed(Odd())


def test_folders_beyond_the_nesting_limit_are_refused():
    tree = MemoryFileTree()
    write(tree, "/".join("d" * 256), b"")
    packed(tree)
    write(tree, "/".join("e" * 257), b"")
    with pytest.raises(UnsafePathError, match="256 nested folders"):
        packed(tree)


@pytest.mark.parametrize("prefix", ["", "..", "/abs", "a/../../b"])
def test_prefix_outside_the_folder_is_refused(tree, prefix):
    with pytest.raises(UnsafePathError):
        packed(tree, prefix=prefix)


def test_a_file_that_changes_meanwhile_is_an_error(tree):
    def write_and_change(_):
        write(tree, "b/run", b"changed")

    with pytest.raises(SourceChangedError, match="b/run"):
        pack_directory(tree, write_and_change, prefix="data")


def test_a_directory_that_vanishes_is_an_error(tree):
    class Vanishing(MemoryFileTree):
        def entries(self, path=None):
            if path is None:
                return iter([FileEntry(at("gone"), "directory")])
            return super().entries(path)

    with pytest.raises(SourceChangedError, match="gone"):
        packed(Vanishing())


def test_error_of_the_writer_is_raised_unchanged(tree):
    write(tree, "large", bytes(range(256)) * 10_000)

    def full(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        pack_directory(tree, full, prefix="data")


COMPONENTS = st.text(
    st.characters(exclude_categories=["C", "Z"], exclude_characters="/\\:.\u202e"), min_size=1
).filter(lambda text: len(text.encode()) < 200)
PATHS = st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(PATHS, st.tuples(st.binary(max_size=1500), st.booleans()), max_size=8)


def planted(files):
    tree = MemoryFileTree()
    for path, (content, executable) in files.items():
        try:
            write(tree, path, content, executable=executable)
        except (UnsafePathError, OSError):  # a folder and a file of one name
            continue
    return tree


@settings(deadline=None)
@given(FILES, PATHS)
def test_every_tree_round_trips(files, prefix):
    tree = planted(files)
    archive, result = packed(tree, prefix=prefix)
    other = MemoryFileTree()
    unpack(
        io.BytesIO(archive),
        other,
        prefix=sanitize_path(prefix),
        limits=LIMITS,
        tar_digest=result.tar_digest,
    )
    assert snapshot(other) == snapshot(tree)
    assert packed(other, prefix=prefix) == (archive, result)


@settings(deadline=None)
@given(FILES)
def test_tarfile_reads_the_same_members(files):
    tree = planted(files)
    expected = snapshot(tree)
    with tarfile.open(fileobj=io.BytesIO(packed(tree)[0])) as archive:
        for info in archive:
            if info.isreg():
                path = info.name.removeprefix("data/")
                content = archive.extractfile(info).read()
                assert expected[path] == ("file", content, info.mode == 0o755, "")
        assert len(archive.getmembers()) == len(expected) + 1
