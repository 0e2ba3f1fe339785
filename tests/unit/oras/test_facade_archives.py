from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oras.utils
from oras.utils.archives import TarPathTraversalError
from oras.utils.fileio import reset
from oras_core.errors import UnsafeArchiveError, UnsafePathError


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def members(path):
    with tarfile.open(path, "r:gz") as archive:
        return archive.getmembers()


def fill(folder, names=("b.txt", "a/x", "a/y/z", "c/")):
    for name in names:
        path = folder / name
        (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
        if not name.endswith("/"):
            path.write_text(name)
    return folder


def archive_of(path, *infos):
    with tarfile.open(path, "w:gz") as archive:
        for info in infos:
            content = b"content" if info.isreg() else b""
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return str(path)


def member(name, kind=tarfile.REGTYPE, linkname=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


# --- Packing ------------------------------------------------------------------------------


def test_make_targz_packs_a_folder_under_its_name(tmp_path, monkeypatch):
    source = fill(tmp_path / "site")
    monkeypatch.chdir(source)
    expected = ["site", "site/a", "site/a/x", "site/a/y", "site/a/y/z", "site/b.txt", "site/c"]
    for given_path in (str(source), f"{source}/", source, ".", "../site"):
        archive = oras.utils.make_targz(given_path, str(tmp_path / "out.tar.gz"))
        assert [info.name for info in members(archive)] == expected


def test_make_targz_packs_a_single_file(tmp_path):
    source = tmp_path / "file.txt"
    source.write_text("hello!")
    source.chmod(0o755)
    (info,) = members(oras.utils.make_targz(str(source), str(tmp_path / "one.tar.gz")))
    assert (info.name, info.size, info.mode) == ("file.txt", 6, 0o755)
    source.chmod(0o700)
    os.utime(source, (1, 1))
    oras.utils.make_targz(str(source), str(tmp_path / "two.tar.gz"))
    assert sha256(tmp_path / "one.tar.gz") == sha256(tmp_path / "two.tar.gz")
    # RFC 1952: neither a name nor a time.
    assert (tmp_path / "one.tar.gz").read_bytes()[3:8] == bytes(5)


def test_make_targz_is_reproducible(tmp_path):
    names = ["b.txt", "a/x", "a/y/z", "c/"]
    first = fill(tmp_path / "one" / "site", names)
    umask = os.umask(0o077)
    try:
        second = fill(tmp_path / "two" / "site", names[::-1])
        second_archive = oras.utils.make_targz(str(second), str(tmp_path / "two.tar.gz"))
    finally:
        os.umask(umask)
    for path in second.rglob("*"):
        os.utime(path, (1, 1))
    first_archive = oras.utils.make_targz(str(first), str(tmp_path / "one.tar.gz"))
    assert sha256(first_archive) == sha256(second_archive)
    (second / "b.txt").chmod(0o755)
    oras.utils.make_targz(str(second), second_archive)
    assert sha256(first_archive) != sha256(second_archive)
    for info in members(first_archive):
        assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 0)


def test_make_targz_replaces_an_older_archive(tmp_path):
    source = fill(tmp_path / "site")
    target = tmp_path / "out.tar.gz"
    target.write_bytes(b"x" * 100_000)
    oras.utils.make_targz(str(source), str(target))
    assert target.stat().st_size < 100_000
    assert members(target)


def test_make_targz_without_a_name_makes_a_temporary_file(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    archive = oras.utils.make_targz(str(fill(tmp_path / "site")))
    assert archive.startswith(str(tmp_path / "tmp" / "oras-tmp."))
    assert archive.endswith(".tar.gz")
    assert os.listdir(os.path.dirname(archive)) == [os.path.basename(archive)]


def test_failed_make_targz_leaves_no_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    source = fill(tmp_path / "site")
    (source / "secrets").symlink_to("/etc")
    with pytest.raises(UnsafePathError):
        oras.utils.make_targz(str(source))
    assert os.listdir(tmp_path / "tmp") == []
    target = tmp_path / "out.tar.gz"
    target.write_text("older")
    with pytest.raises(UnsafePathError):
        oras.utils.make_targz(str(source), str(target))
    assert target.read_text() == "older"
    assert sorted(os.listdir(tmp_path)) == ["out.tar.gz", "site", "tmp"]


def test_make_targz_refuses_missing_paths_fifos_and_output_in_its_source(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent does not exist"):
        oras.utils.make_targz(str(tmp_path / "absent"))
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(UnsafePathError):
        oras.utils.make_targz(str(tmp_path / "fifo"))
    source = fill(tmp_path / "site")
    with pytest.raises(UnsafePathError, match="cannot lie in it"):
        oras.utils.make_targz(str(source), str(source / "a" / "out.tar.gz"))


def test_reset_works_as_a_tarfile_filter(tmp_path):
    fill(tmp_path / "site")
    with tarfile.open(tmp_path / "x.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "site", "site", filter=reset)
    assert {(i.mtime, i.uid, i.gid, i.uname) for i in members(tmp_path / "x.tar.gz")} == {
        (0, 0, 0, "")
    }


# --- Unpacking ----------------------------------------------------------------------------


@pytest.mark.parametrize("staged", [True, False], ids=["staged", "in-place"])
def test_extract_targz_merges_into_an_existing_folder(tmp_path, monkeypatch, staged):
    if not staged:
        monkeypatch.setattr("oras.utils.archives._same_file_system", lambda one, other: False)
    archive = oras.utils.make_targz(str(fill(tmp_path / "site")), str(tmp_path / "x.tar.gz"))
    out = tmp_path / "out"
    (out / "site").mkdir(parents=True)
    (out / "site" / "b.txt").write_text("older")
    (out / "kept").write_text("kept")
    oras.utils.extract_targz(archive, str(out))
    assert (out / "site" / "b.txt").read_text() == "b.txt"
    assert (out / "site" / "a" / "y" / "z").read_text() == "a/y/z"
    assert (out / "site" / "c").is_dir()
    assert (out / "kept").read_text() == "kept"
    assert sorted(os.listdir(out)) == ["kept", "site"]
    assert sorted(os.listdir(tmp_path)) == ["out", "site", "x.tar.gz"]


def test_extract_targz_makes_its_folder_and_follows_a_link_to_one(tmp_path):
    archive = oras.utils.make_targz(str(fill(tmp_path / "site")), str(tmp_path / "x.tar.gz"))
    oras.utils.extract_targz(archive, str(tmp_path / "new" / "folder"))
    assert (tmp_path / "new" / "folder" / "site" / "b.txt").exists()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    oras.utils.extract_targz(archive, str(tmp_path / "link"), numeric_owner=True)
    assert (tmp_path / "real" / "site" / "b.txt").exists()


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "../out-evil/x"])
def test_extract_targz_refuses_members_outside_its_folder(tmp_path, name):
    archive = archive_of(tmp_path / "x.tar.gz", member("good"), member(name))
    with pytest.raises(
        TarPathTraversalError, match="Attempted Path Traversal in Tar File"
    ) as caught:
        oras.utils.extract_targz(archive, str(tmp_path / "out"))
    assert caught.value.member == name
    assert os.listdir(tmp_path / "out") == []
    assert sorted(os.listdir(tmp_path)) == ["out", "x.tar.gz"]


@pytest.mark.parametrize(
    "evil",
    [
        [member("link", tarfile.SYMTYPE, ".."), member("link/evil")],
        [member("link", tarfile.SYMTYPE, "/etc")],
        [member("hard", tarfile.LNKTYPE, "../x.tar.gz")],
        [member("device", tarfile.CHRTYPE)],
        [member("fifo", tarfile.FIFOTYPE)],
    ],
    ids=["through-a-link", "absolute-link", "hard-link", "device", "fifo"],
)
def test_extract_targz_refuses_devices_and_links(tmp_path, evil):
    archive = archive_of(tmp_path / "x.tar.gz", *evil)
    with pytest.raises(UnsafeArchiveError):
        oras.utils.extract_targz(archive, str(tmp_path / "out"))
    assert os.listdir(tmp_path / "out") == []


def test_extract_targz_of_a_damaged_archive_writes_nothing(tmp_path):
    archive = oras.utils.make_targz(str(fill(tmp_path / "site")), str(tmp_path / "x.tar.gz"))
    whole = (tmp_path / "x.tar.gz").read_bytes()
    (tmp_path / "x.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnsafeArchiveError) as caught:
        oras.utils.extract_targz(archive, str(tmp_path / "out"))
    assert not isinstance(caught.value, TarPathTraversalError)
    assert os.listdir(tmp_path / "out") == []
    with pytest.raises(FileNotFoundError):
        oras.utils.extract_targz(str(tmp_path / "absent"), str(tmp_path / "never-made"))
    assert not (tmp_path / "never-made").exists()


names = st.from_regex(r"[a-zé][a-z0-9 ._-]{0,30}", fullmatch=True)
files = st.dictionaries(
    st.lists(names, min_size=1, max_size=3).map(tuple),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    max_size=6,
)


@given(files)
def test_extract_targz_restores_what_make_targz_packed(tmp_path_factory, wanted):
    top = tmp_path_factory.mktemp("trip")
    source = top / "site"
    source.mkdir()
    written = {}
    for parts, (content, executable) in wanted.items():
        path = source.joinpath(*parts)
        if path.is_dir() or any(parent.is_file() for parent in path.parents):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755 if executable else 0o644)
        written[path.relative_to(source)] = (content, executable)
    archive = oras.utils.make_targz(str(source), str(top / "x.tar.gz"))
    oras.utils.extract_targz(archive, str(top / "out"))
    found = {
        path.relative_to(top / "out" / "site"): (
            path.read_bytes(),
            bool(path.stat().st_mode & stat.S_IXUSR),
        )
        for path in (top / "out").rglob("*")
        if path.is_file()
    }
    assert found == written
    with tarfile.open(archive) as standard:
        assert len([info for info in standard if info.isfile()]) == len(written)
