from __future__ import annotations

import gzip
import io
import os
import tarfile
import tempfile
import threading
import zlib
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oras_adapters.files.local_files import LocalFileTree
from oras_core.archives import links as archive_links
from oras_core.archives import policy as archive_policy
from oras_core.archives import tar_reader
from oras_core.archives.archive import unpack
from oras_core.archives.decompression import decompressed
from oras_core.archives.gzip_streams import GZIP
from oras_core.content.read_ahead import read_ahead
from oras_core.content.reading import CHUNK_SIZE
from oras_core.content.verify import VerifyingReader
from oras_core.errors import (
    DigestMismatchError,
    OrasError,
    SizeLimitError,
    SizeMismatchError,
    TransportError,
    UnsafeArchiveError,
    UnsafePathError,
)
from oras_core.model.descriptor import Descriptor
from oras_core.model.digest import Digest
from oras_core.model.limits import Limits
from oras_core.testing.contracts.tree_access import at, kind_at, names, read, write
from oras_core.testing.memory_files import MemoryFileTree
from support.tar_archives import directory, hardlink, headers, member, symlink, tar, tgz

LIMITS = Limits()


def unpacked(content, *, limits=LIMITS, prefix=None, tar_digest=None, tree=None):
    tree = MemoryFileTree() if tree is None else tree
    prefix = None if prefix is None else at(prefix)
    unpack(io.BytesIO(content), tree, limits=limits, prefix=prefix, tar_digest=tar_digest)
    return tree


def refusal(content, **options):
    with pytest.raises(UnsafeArchiveError) as caught:
        unpacked(content, **options)
    return caught.value


# --- What is unpacked -----------------------------------------------------------------------


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("make", [tar, tgz])
def test_files_folders_and_links_are_unpacked(make, form):
    tree = unpacked(
        make(
            directory("d"),
            member("d/f", b"content"),
            member("d/run", b"#!", mode=0o755),
            member("implied/folder/f", b"x" * 1500),
            symlink("d/link", "../implied/folder/f"),
            hardlink("d/hard", "d/run"),
            member("empty"),
            form=form,
        )
    )
    assert names(tree) == ["d", "empty", "implied"]
    assert names(tree, "d") == ["d/f", "d/hard", "d/link", "d/run"]
    assert [read(tree, f) for f in ("d/f", "d/hard", "empty")] == [b"content", b"#!", b""]
    assert read(tree, "implied/folder/f") == b"x" * 1500
    assert tree.entry(at("d/link")).link_target == "../implied/folder/f"
    assert [tree.entry(at(f)).executable for f in ("d/f", "d/run", "d/hard")] == [False, True, True]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize(
    "name", ["n" * 200, "/".join(["folder"] * 30), "日本語/ü", "d" * 150 + "/" + "f" * 100]
)
def test_long_and_non_ascii_names_are_unpacked(form, name):
    tree = unpacked(tar(member(name, b"x"), symlink("link", name), hardlink("h", name), form=form))
    assert read(tree, name) == read(tree, "h") == b"x"
    assert tree.entry(at("link")).link_target == name


def test_pax_records_override_the_header():
    info, content = member("short", b"12345", pax_headers={"path": "other", "size": "5"})
    assert read(unpacked(tar((info, content))), "other") == b"12345"


def test_attributes_are_ignored():
    odd = member(
        "f",
        b"x",
        mode=0o6777,
        uid=2**33,
        gid=5,
        uname="root",
        mtime=1e9 + 0.5,
        pax_headers={"SCHILY.xattr.user.evil": "1", "comment": "hello"},
    )
    assert read(unpacked(tar(odd)), "f") == b"x"


def test_a_global_header_is_ignored():
    comment = tarfile.TarInfo.create_pax_global_header({"comment": "0123456789"})
    assert read(unpacked(comment + tar(member("f", b"x"))), "f") == b"x"


def test_an_old_directory_is_a_directory():
    # Before POSIX: a regular file whose name ends in a slash.
    block = bytearray(headers(member("d")))
    block[1:2] = b"/"
    block[156:157] = b"\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block[:512])
    assert kind_at(unpacked(bytes(block) + bytes(1024)), "d") == "directory"


def test_member_for_the_folder_itself_is_ignored():
    tree = unpacked(tar(directory("."), directory("./"), member("./f", b"x"), directory("./d/.")))
    assert names(tree) == ["d", "f"]


def test_a_name_may_occur_again():
    """`tar -r` and `tar -u` append what has changed."""
    tree = unpacked(
        tar(
            directory("d"),
            member("d/f", b"old", mode=0o755),
            symlink("l", "old"),
            directory("d"),
            member("d/f", b"new"),
            symlink("l", "d/f"),
        )
    )
    assert read(tree, "d/f") == b"new"
    assert tree.entry(at("d/f")).executable is False
    assert tree.entry(at("l")).link_target == "d/f"


def test_a_link_that_leads_out_is_refused_even_if_another_follows():
    with pytest.raises(UnsafeArchiveError, match="outside"):
        unpacked(tar(member("b", b""), symlink("a", ".."), symlink("a", "b")))


def test_a_hard_link_is_a_copy():
    tree = unpacked(tar(member("a", b"1"), hardlink("b", "a"), member("a", b"2")))
    assert (read(tree, "a"), read(tree, "b")) == (b"2", b"1")


def test_several_gzip_members_are_one_stream():
    content = tar(member("f", b"x" * 10_000))
    parts = [gzip.compress(content[start : start + 3000]) for start in range(0, len(content), 3000)]
    assert read(unpacked(b"".join(parts)), "f") == b"x" * 10_000
    assert read(unpacked(b"".join(parts) + bytes(700)), "f") == b"x" * 10_000


@pytest.mark.parametrize("ending", [512, 1024, 10_240, 100_000])
def test_the_end_may_be_padded(ending):
    assert read(unpacked(headers(member("f", b"x")) + bytes(ending)), "f") == b"x"


@pytest.mark.parametrize("make", [tar, tgz])
def test_stream_with_short_reads_is_unpacked(make):
    content = make(directory("d"), member("d/f", b"abc" * 500))

    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 7))

    tree = MemoryFileTree()
    unpack(Slow(content), tree, limits=LIMITS)
    assert read(tree, "d/f") == b"abc" * 500


# --- The prefix -----------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["models/v1", "v1"])
def test_prefix_is_removed(root):
    """All of it, as oras packs, or its last component, as oras-py does."""
    tree = unpacked(
        tar(
            directory(root),
            member(f"{root}/a/f", b"x"),
            hardlink(f"{root}/h", f"{root}/a/f"),
            symlink(f"{root}/l", "a/f"),
        ),
        prefix="models/v1",
    )
    assert names(tree) == ["a", "h", "l"]
    assert read(tree, "h") == b"x"


def test_folders_above_the_prefix_are_skipped():
    content = tar(
        directory("."), directory("models"), directory("models/v1"), member("models/v1/f")
    )
    assert names(unpacked(content, prefix="models/v1")) == ["f"]


def test_archive_without_the_prefix_is_unpacked_unchanged():
    assert names(unpacked(tar(member("f"), member("d/g")), prefix="data")) == ["d", "f"]


def test_file_named_like_the_folder_is_unpacked_into_it():
    assert names(unpacked(tar(member("data", b"x")), prefix="data")) == ["data"]


@pytest.mark.parametrize("other", ["f", "datax/f", "other/f", "dat"])
def test_member_outside_the_prefix_is_refused(other):
    error = refusal(tar(member("data/a"), member(other)), prefix="data")
    assert (error.member, error.reason) == (other, "it is outside of 'data'")


def test_link_to_a_path_outside_the_prefix_is_refused():
    for evil in (symlink("data/l", "../other"), hardlink("data/h", "other")):
        refusal(tar(member("data/a"), evil), prefix="data")


def test_names_stay_safe_after_the_prefix_is_removed():
    assert "drive letter" in refusal(tar(member("data/c:/x")), prefix="data").reason


# --- What is refused ------------------------------------------------------------------------

FIFO, CHAR, BLOCK_DEVICE = tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE

EVIL = {
    "parent": [member("../evil")],
    "parent within": [member("a/../../evil")],
    "parent in the middle": [member("a/../b")],
    "parent folder": [directory("..")],
    "absolute": [member("/evil")],
    "root": [directory("/")],
    "two slashes": [member("//evil")],
    "backslash": [member("..\\evil")],
    "drive": [member("C:/evil")],
    "newline": [member("a\nb")],
    "escape": [member("a\x1b[2J")],
    "right to left": [member("a\u202egpj.exe")],
    "not UTF-8": [member("caf\udce9")],
    "no name": [member("")],
    "file named as the folder": [member(".")],
    "link named as the folder": [symlink("./", "x")],
    "too long a component": [member("n" * 256)],
    "too long a path": [member("/".join(["n" * 200] * 21))],
    "too deep": [member("/".join("d" * 257))],
    "absolute symlink": [symlink("l", "/etc/passwd")],
    "root symlink": [symlink("l", "/")],
    "parent symlink": [symlink("l", "..")],
    "parent symlink below": [symlink("a/l", "../../x")],
    "backslash symlink": [symlink("l", "..\\..\\x")],
    "empty symlink": [symlink("l", "")],
    "control symlink": [symlink("l", "a\x1bb")],
    "symlink out and in again": [symlink("l", "../l")],
    "through a symlink": [directory("d"), symlink("l", "d"), member("l/evil", b"x")],
    "through a dangling symlink": [symlink("l", "nowhere"), member("l/evil", b"x")],
    "symlink over file": [member("f", b"x"), symlink("f", "g")],
    "symlink over folder": [directory("d"), symlink("d", "g")],
    "symlink over implied folder": [member("d/f"), symlink("d", "g")],
    "file over symlink": [symlink("l", "x"), member("l", b"evil")],
    "folder over symlink": [symlink("l", "x"), directory("l")],
    "folder over file": [member("f"), directory("f")],
    "file over folder": [directory("f"), member("f")],
    "through a file": [member("f"), member("f/g")],
    "symlink chain": [symlink("a", "."), symlink("b", "a/a/a/..")],
    "symlink chain, the other way round": [symlink("b", "a/a/a/.."), symlink("a", ".")],
    "symlink chain in folders": [
        directory("a/b/c"),
        symlink("s", "a/b/c"),
        symlink("t", "s/../../../.."),
    ],
    "symlink made deep by a link that comes later": [
        symlink("t", "s/s/../../x"),
        symlink("s", "d"),
        symlink("d", "."),
    ],
    "symlink replaced by a worse one": [symlink("l", "x"), symlink("l", "../x")],
    "circle": [symlink("a", "b"), symlink("b", "a")],
    "circle of one": [symlink("a", "a")],
    "circle that grows": [symlink("a", "a/a")],
    "absolute hard link": [hardlink("h", "/etc/passwd")],
    "parent hard link": [hardlink("h", "../x")],
    "hard link to nothing": [hardlink("h", "x")],
    "empty hard link": [hardlink("h", "")],
    "hard link to itself": [hardlink("h", "h")],
    "hard link to the folder": [hardlink("h", ".")],
    "hard link to what comes later": [hardlink("h", "f"), member("f", b"x")],
    "hard link to a symlink": [symlink("l", "x"), hardlink("h", "l")],
    "hard link through a symlink": [symlink("l", "d"), member("d/f"), hardlink("h", "l/f")],
    "hard link to a folder": [directory("d"), hardlink("h", "d")],
    "hard link over a symlink": [member("f"), symlink("l", "x"), hardlink("l", "f")],
    "FIFO": [member("f", type=FIFO)],
    "character device": [member("f", type=CHAR)],
    "block device": [member("f", type=BLOCK_DEVICE)],
    "unknown type": [member("f", b"x", type=b"Q")],
    "GNU multi-volume": [member("f", type=b"M")],
    "pax sparse 0.1": [member("f", b"x", pax_headers={"GNU.sparse.map": "0,1"})],
    "pax sparse 1.0": [
        member("f", b"1\n0\n1\n", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})
    ],
    "pax path": [member("f", pax_headers={"path": "../evil"})],
    "pax link": [symlink("l", "x", pax_headers={"linkpath": "../evil"})],
    "pax path with an end": [member("f", pax_headers={"path": "a\0b"})],
}


@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
def test_unsafe_member_is_refused(members):
    tree = MemoryFileTree()
    error = refusal(tar(*members, form=tarfile.PAX_FORMAT), tree=tree)
    assert error.reason
    assert "\x1b" not in str(error)
    # Links come last, so there is none before all are judged.
    assert all(kind_at(tree, name) != "symlink" for name in names(tree))


@pytest.mark.parametrize("members", EVIL.values(), ids=EVIL)
def test_refused_archive_leaves_nothing(members, tmp_path):
    """Neither in the folder nor beside it, and an older file stays."""
    (tmp_path / "victim").write_text("old")
    (tmp_path / "out/data").mkdir(parents=True)
    (tmp_path / "out/data/kept").write_text("old")
    with LocalFileTree(tmp_path / "out").create_directory(at("data")) as pending:
        refusal(tgz(member("kept", b"new"), *members), tree=pending.tree)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "out",
        "out/data",
        "out/data/kept",
        "victim",
    ]
    assert (tmp_path / "out/data/kept").read_text() == "old"


def test_existing_links_in_the_folder_are_not_followed(tmp_path):
    (tmp_path / "outside").mkdir()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/link").symlink_to("../outside")
    (tmp_path / "in/file").symlink_to("../outside/file")
    for evil in (member("link/evil", b"x"), member("file", b"x"), directory("link")):
        with pytest.raises(UnsafePathError):
            unpacked(tar(evil), tree=LocalFileTree(tmp_path / "in"))
    assert list((tmp_path / "outside").iterdir()) == []


# --- tarfile as the oracle ------------------------------------------------------------------

PARTS = st.sampled_from(["a", "b", "c", "..", ".", "", "a", "b"])
WAYS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)
MEMBERS = st.one_of(
    st.builds(member, WAYS, st.sampled_from([b"", b"x"])),
    st.builds(directory, WAYS),
    st.builds(symlink, WAYS, WAYS),
    st.builds(symlink, WAYS, WAYS),
    st.builds(hardlink, WAYS, WAYS),
)


def assert_contained(root):
    """Nothing below `root` leads out of it, by whichever way."""
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            assert Path(folder, name).resolve().is_relative_to(root), (folder, name)


def refused_by_tarfile(content, folder):
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        try:
            archive.extractall(folder, filter="data")
        except tarfile.FilterError:
            return True
        except (OSError, KeyError, RecursionError):
            return False  # nothing that its filter had to say anything about
    return False


@settings(deadline=None, max_examples=300)
@given(st.lists(MEMBERS, min_size=1, max_size=6))
def test_members_refused_by_tarfile_are_refused(members):
    content = tar(*members)
    with tempfile.TemporaryDirectory() as temporary:
        ours, theirs = Path(temporary, "deep/ours").resolve(), Path(temporary, "deep/theirs")
        theirs.mkdir(parents=True)
        tree = LocalFileTree(ours, create=True)
        try:
            unpacked(content, tree=tree)
        except UnsafeArchiveError:
            refused = True
        else:
            refused = False
        assert refused or not refused_by_tarfile(content, theirs)
        assert_contained(ours)
        assert sorted(os.listdir(temporary)) == ["deep"]


@settings(deadline=None, max_examples=300)
@given(st.dictionaries(st.sampled_from(["a", "b", "c", "d/e", "d/f", "d/g/h"]), WAYS))
def test_accepted_links_stay_inside(links):
    found = archive_links.find_unsafe_link(links)
    targets_allowed = not any(archive_links.objection_to_target(link) for link in links.values())
    if found or not targets_allowed:
        return
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary).resolve() / "root"
        for path, target in links.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).symlink_to(target)
        root.mkdir(exist_ok=True)
        assert_contained(root)


# --- Damage ---------------------------------------------------------------------------------

SOME = (directory("d"), member("d/f", b"content" * 1000), symlink("d/l", "f"), member("g", b"x"))


@pytest.mark.parametrize("make", [tar, tgz])
def test_an_archive_cut_anywhere_is_refused(make):
    content = make(*SOME)
    whole = len(content) if make is tgz else len(headers(*SOME)) + 512
    steps = range(0, whole, 1 if make is tgz else 97)
    for length in [*steps, whole - 1]:
        error = refusal(content[:length])
        assert error.reason


def test_truncation_error_names_the_member():
    error = refusal(tar(*SOME)[: 512 * 4])
    assert (error.member, error.reason) == ("d/f", "the archive is truncated in it")


@pytest.mark.parametrize("make", [tar, tgz])
def test_changed_byte_is_an_error_or_has_no_effect(make):
    """Whatever is damaged: no foreign exception, no hang."""
    content = make(*SOME, member("h", pax_headers={"path": "日本"}))
    for place in range(0, len(content), 1 if make is tgz else 13):
        for bit in (0x01, 0x80):
            changed = bytearray(content)
            changed[place] ^= bit
            try:
                unpacked(bytes(changed))
            except OrasError:
                continue


@given(st.binary(max_size=2000))
def test_random_bytes_are_refused(content):
    if not any(content):
        return
    refusal(content)


@given(st.binary(max_size=600), st.binary(max_size=100))
def test_random_header_bytes_are_an_error_or_have_no_effect(rubbish, records):
    header = headers(member("f", b"x"))
    extension = bytearray(tarfile.TarInfo.create_pax_global_header({"x": "y" * 600}))
    extension[512 : 512 + len(rubbish)] = rubbish
    for content in (header[:100] + records + header[100 + len(records) :], bytes(extension)):
        try:
            unpacked(content + header + bytes(1024))
        except OrasError:
            continue


def patched(**fields):
    """Return a header with fields replaced, and the right checksum."""
    places = {"mode": 100, "size": 124, "kind": 156}
    block = bytearray(headers(member("f"))[:512])
    for field, value in fields.items():
        block[places[field] : places[field] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "header",
    [
        patched(size=b"0o17\0       "),
        patched(size=b"-1\0         "),
        patched(size=b"1_0\0        "),
        patched(size=b"99999999999\0"),
        patched(size=b"\xff" * 12),
        patched(size=b"\xc0" + bytes(11)),
        patched(mode=b"rwxr-x\0\0"),
        headers(member("f"))[:148] + b"0000000\0" + headers(member("f"))[156:],
    ],
)
def test_random_header_is_refused(header):
    refusal(header + bytes(1024))


def extension(kind, content, size=None):
    info = tarfile.TarInfo("extension")
    info.type = kind
    info.size = len(content) if size is None else size
    return info.tobuf() + content + bytes(-len(content) % 512)


@pytest.mark.parametrize(
    "beginning",
    {
        "two pax headers": extension(b"x", b"9 path=a\n") * 2,
        "two long names": extension(b"L", b"a\0") * 2,
        "two ways": extension(b"L", b"a\0") + extension(b"x", b"9 path=a\n"),
        "global path": extension(b"g", b"9 path=a\n"),
        "global size": extension(b"g", b"10 size=1\n"),
        "no length": extension(b"x", b"path=a\n"),
        "no number": extension(b"x", b"x path=a\n"),
        "length zero": extension(b"x", b"0 path=a\n"),
        "too short": extension(b"x", b"5 path=a\n"),
        "too long": extension(b"x", b"99 path=a\n"),
        "huge number": extension(b"x", b"9" * 300 + b" path=a\n"),
        "no equals": extension(b"x", b"7 path\n"),
        "no newline": extension(b"x", b"9 path=abc"),
        "size of words": extension(b"x", b"12 size=abc\n"),
        "negative size": extension(b"x", b"11 size=-1\n"),
        "size in other digits": extension(b"x", "13 size=\u0663\u0664\n".encode()),
        "large": extension(b"x", b"", size=2**40),
        "large name": extension(b"L", b"", size=2**33),
        "many globals": extension(b"g", b"") * 1001,
    }.values(),
)
def test_random_pax_extension_is_refused(beginning):
    refusal(beginning + tar(member("f", b"x")))


@pytest.mark.parametrize("kind", [b"x", b"L", b"K", b"g"])
def test_pax_extension_size_is_limited(kind):
    record = b"1100000 comment=" + bytes(1_100_000 - 17) + b"\n"
    content = record if kind in b"xg" else b"name" + bytes(1_100_000)
    error = refusal(extension(kind, content) + tar(member("f", b"x")))
    assert "more than 1048576 bytes" in error.reason


def test_pax_extension_without_a_member_is_refused():
    assert "no member after it" in refusal(extension(b"L", b"a\0") + bytes(1024)).reason


@pytest.mark.parametrize("make", [tar, lambda *members: gzip.compress(tar(*members) + b"x")])
def test_data_after_the_end_is_refused(make):
    content = make(member("f", b"x"))
    if make is tar:
        content += tar(member("hidden"))
    assert refusal(content).reason == "data follows its end"


def test_data_after_the_compressed_stream_is_refused():
    assert "damaged" in refusal(tgz(member("f")) + b"rubbish").reason


def test_error_of_the_whole_archive_names_the_archive():
    assert str(refusal(b"")).startswith("refusing to unpack the archive: ")


def test_error_of_zlib_is_translated():
    error = refusal(b"\x1f\x8b" + b"rubbish" * 10)
    assert isinstance(error.__cause__.__cause__.__cause__, zlib.error)


# --- Bombs ----------------------------------------------------------------------------------


def test_more_bytes_than_allowed_are_refused_before_they_are_written():
    limits = Limits(archive_bytes=1000)
    unpacked(tar(member("a", bytes(600)), member("b", bytes(400))), limits=limits)
    tree = MemoryFileTree()
    with pytest.raises(SizeLimitError, match="limit of 1000 bytes"):
        unpacked(tar(member("a", bytes(600)), member("b", bytes(401))), limits=limits, tree=tree)
    assert names(tree) == ["a"]


def test_size_beyond_the_limit_is_refused_at_once():
    with pytest.raises(SizeLimitError):
        unpacked(headers(member("a", size=2**60, pax_headers={"size": str(2**60)})))


def test_hard_links_count_against_the_size_limit():
    with pytest.raises(SizeLimitError, match="limit of 1000 bytes"):
        unpacked(
            tar(member("a", bytes(400)), hardlink("b", "a"), hardlink("c", "a")),
            limits=Limits(archive_bytes=1000),
        )


def test_more_members_than_allowed_are_refused():
    limits = Limits(archive_members=3)
    unpacked(tar(*(member(f"{number}") for number in range(1))), limits=limits)
    with pytest.raises(SizeLimitError, match="limit of 3 members"):
        unpacked(tar(*(directory(".") for _ in range(4))), limits=limits)


def test_implied_folders_count_as_members():
    with pytest.raises(SizeLimitError, match="members"):
        unpacked(tar(member("/".join("d" * 50))), limits=Limits(archive_members=20))


def test_name_length_is_limited(monkeypatch):
    monkeypatch.setattr(archive_policy, "MAX_NAMES", 500)
    with pytest.raises(SizeLimitError, match="names"):
        unpacked(tar(*(member(f"{number:0100}") for number in range(5))))


def test_many_links_are_resolved_in_bounded_time(monkeypatch):
    monkeypatch.setattr(archive_links, "MAX_STEPS", 1000)
    way = "/".join(["x"] * 100)
    chain = [symlink(f"l{number}", f"l{number + 1}/{way}") for number in range(30)]
    assert "too many links" in refusal(tar(*chain, directory("l30"))).reason


def test_zeros_after_the_end_are_limited():
    assert "zeros follow" in refusal(tgz() + gzip.compress(bytes(2_000_000))).reason
    assert tar_reader.MAX_PADDING < 2_000_000


def test_decompression_bomb_takes_bounded_memory():
    """64 MiB of zeros in 64 KiB: never more than a chunk of them is in memory."""
    bomb = gzip.compress(bytes(2**26), compresslevel=9)
    assert len(bomb) < 2**17
    stream = io.BytesIO(bomb)
    lengths = [len(piece) for piece in decompressed(stream, [GZIP])]
    assert max(lengths) <= CHUNK_SIZE
    assert sum(lengths) == 2**26


def test_read_ahead_is_limited():
    inflated = []

    def chunks():
        for number in range(100):
            inflated.append(number)
            yield b"x"

    with closing(read_ahead(chunks())) as ahead:
        assert next(ahead) == b"x"
    assert len(inflated) < 10


# --- Digests and streams --------------------------------------------------------------------


@pytest.mark.parametrize("make", [tar, tgz])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_digest_of_the_tar_is_checked(make, algorithm):
    plain = tar(*SOME)
    unpacked(make(*SOME), tar_digest=Digest.of(plain, algorithm))
    tree = MemoryFileTree()
    with pytest.raises(DigestMismatchError, match="uncompressed") as caught:
        unpacked(make(*SOME), tar_digest=Digest.of(b"", algorithm), tree=tree)
    assert caught.value.actual == str(Digest.of(plain, algorithm))


@pytest.mark.parametrize("make", [tar, tgz])
def test_whole_stream_is_verified(make):
    """Its last bytes too, though they are no part of any member."""
    content = make(*SOME)
    changed = content[:-1] + bytes([content[-1] ^ 1])
    descriptor = Descriptor.of(content, "application/x-tar")
    with pytest.raises(DigestMismatchError):
        unpack(VerifyingReader(io.BytesIO(changed), descriptor), MemoryFileTree(), limits=LIMITS)


def test_changed_bytes_are_reported_by_the_verifying_stream():
    """Not damage, which they cause, but another digest than promised explains the failure."""
    content = tgz(*SOME)
    descriptor = Descriptor.of(content, "application/gzip")
    for place in range(len(content)):
        changed = content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :]
        reader = VerifyingReader(io.BytesIO(changed), descriptor)
        with pytest.raises(DigestMismatchError):
            unpack(reader, MemoryFileTree(), limits=LIMITS)


def test_rest_of_the_stream_is_verified_before_damage_is_reported():
    content = tgz(*(member(f"{number}", os.urandom(2**20)) for number in range(4)))
    changed = content[:3] + b"\xff" + content[4:]
    reader = VerifyingReader(io.BytesIO(changed), Descriptor.of(content, "application/gzip"))
    with pytest.raises(DigestMismatchError):
        unpack(reader, MemoryFileTree(), limits=LIMITS)


def test_truncated_stream_is_a_size_mismatch():
    content = tgz(*SOME)
    descriptor = Descriptor.of(content, "application/gzip")
    for length in range(0, len(content), 7):
        reader = VerifyingReader(io.BytesIO(content[:length]), descriptor)
        with pytest.raises(SizeMismatchError):
            unpack(reader, MemoryFileTree(), limits=LIMITS)


@pytest.mark.parametrize("make", [tar, tgz])
def test_error_of_the_stream_is_raised_unchanged(make):
    content = make(*SOME)

    class Breaking(io.BytesIO):
        def read(self, size=-1):
            if piece := super().read(min(size, 100)):
                return piece
            raise TransportError("GET", "http://localhost/", "reset")

    with pytest.raises(TransportError):
        unpack(Breaking(content[:-300]), MemoryFileTree(), limits=LIMITS)


def test_no_thread_is_left():
    before = set(threading.enumerate())
    content = tgz(*SOME)
    unpacked(content)
    refusal(tgz(member("../evil"), *(member(f"{number}", bytes(2**20)) for number in range(9))))

    class Full(MemoryFileTree):
        def create(self, path, *, executable=False):
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        unpacked(tar(member("f", bytes(2**23))), tree=Full())
    assert set(threading.enumerate()) <= before


def test_stream_is_left_open():
    with closing(io.BytesIO(tgz(*SOME))) as stream:
        unpack(stream, MemoryFileTree(), limits=LIMITS)
        assert not stream.closed
        assert stream.read() == b""


def test_an_older_file_is_replaced():
    tree = MemoryFileTree()
    write(tree, "f", b"old")
    unpacked(tar(member("f", b"new")), tree=tree)
    assert read(tree, "f") == b"new"
