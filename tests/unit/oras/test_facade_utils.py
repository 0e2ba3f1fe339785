from __future__ import annotations

import io
import os
import pickle
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import oras.utils
from oras.utils.fileio import is_within_directory
from oras.utils.paths import OutsideDirectoryError
from oras_core.errors import UnsafePathError

# --- sanitize_path ------------------------------------------------------------------------


def test_sanitize_path_returns_absolute_paths(tmp_path, monkeypatch):
    base = tmp_path.resolve()
    monkeypatch.chdir(base)
    assert oras.utils.sanitize_path(base, base) == str(base)
    assert oras.utils.sanitize_path(str(base), str(base / "a" / "b")) == str(base / "a" / "b")
    assert oras.utils.sanitize_path(base, base / "a" / ".." / "." / "b") == str(base / "b")
    assert oras.utils.sanitize_path("", "") == str(base)
    assert oras.utils.sanitize_path("out", "out/file") == str(base / "out" / "file")
    assert oras.utils.sanitize_path("/", "/etc") == str(Path("/etc").resolve())


@pytest.mark.parametrize(
    "title", ["..", "../x", "a/../../x", "/etc/passwd", "../out-evil/x", "nul\0", "loop/x"]
)
def test_sanitize_path_refuses_paths_outside(tmp_path, title):
    base = tmp_path / "out"
    base.mkdir()
    (base / "loop").symlink_to("loop")
    with pytest.raises(UnsafePathError) as caught:
        oras.utils.sanitize_path(base, os.path.join(base, title))
    assert isinstance(caught.value, ValueError)


def test_sanitize_path_has_oras_py_s_message(tmp_path):
    base = (tmp_path / "out").resolve()
    with pytest.raises(OutsideDirectoryError) as caught:
        oras.utils.sanitize_path(base, base / "..")
    assert str(caught.value) == f"Filename {base.parent} is not in {base} directory"
    again = pickle.loads(pickle.dumps(caught.value))
    assert (str(again), again.value, again.directory) == (
        str(caught.value),
        str(base.parent),
        str(base),
    )


def test_sanitize_path_refuses_links_to_the_outside(tmp_path):
    base = tmp_path / "out"
    base.mkdir()
    (base / "link").symlink_to(tmp_path)
    with pytest.raises(UnsafePathError):
        oras.utils.sanitize_path(base, base / "link" / "x")
    assert not is_within_directory(str(base), str(base / "link"))
    assert is_within_directory(str(base), str(base / "x"))
    assert not is_within_directory(str(base), f"{base}-evil")


@given(
    st.lists(st.sampled_from(["..", ".", "", "a", "b", "link", "up", "/", "~", "out"]), max_size=8)
)
def test_sanitize_path_never_returns_a_path_outside(tmp_path_factory, parts):
    top = tmp_path_factory.mktemp("top").resolve()
    base = top / "out"
    (base / "a").mkdir(parents=True)
    (base / "link").symlink_to("a")
    (base / "up").symlink_to("..")
    try:
        path = oras.utils.sanitize_path(base, os.path.join(base, *parts))
    except UnsafePathError:
        return
    assert os.path.isabs(path)
    assert os.path.commonpath([os.path.realpath(path), base]) == str(base)


# --- split_path_and_content ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("ref", "path", "content"),
    [
        ("path/to/config:application/x+json", "path/to/config", "application/x+json"),
        ("/dev/null:application/x+json", "/dev/null", "application/x+json"),
        ("/dev/null", "/dev/null", None),
        ("a:b:c/d", "a:b", "c/d"),
        ("x:", "x", ""),
        ("", "", None),
    ],
)
def test_path_and_media_type_are_split_at_the_last_colon(ref, path, content):
    split = oras.utils.split_path_and_content(ref)
    assert (split.path, split.content) == (path, content)


def test_existing_path_with_a_colon_is_not_split(tmp_path):
    path = tmp_path / "with:colon"
    path.touch()
    assert oras.utils.split_path_and_content(str(path)).path == str(path)
    split = oras.utils.split_path_and_content(f"{path}:x/y")
    assert (split.path, split.content) == (str(path), "x/y")


def test_colon_of_a_drive_does_not_split(monkeypatch):
    import ntpath

    monkeypatch.setattr("os.path.splitdrive", ntpath.splitdrive)
    split = oras.utils.split_path_and_content(r"C:\test.tar:x/y:z")
    assert (split.path, split.content) == (r"C:\test.tar", "x/y:z")
    split = oras.utils.split_path_and_content(r"C:\test.tar")
    assert (split.path, split.content) == (r"C:\test.tar", None)


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.text("abcdef/+.-"),
)
def test_joined_path_splits_into_the_same_parts(path, content):
    joined = f"/no/such/folder/{path}:{content}"
    split = oras.utils.split_path_and_content(joined)
    assert (split.path, split.content) == (f"/no/such/folder/{path}", content)


# --- folders and files --------------------------------------------------------------------


def test_workdir_is_restored_after_an_error(tmp_path):
    here = os.getcwd()

    def fail():
        with oras.utils.workdir(tmp_path):
            assert os.getcwd() == str(tmp_path.resolve())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert os.getcwd() == here


def test_temporary_folders_are_new_and_private(tmp_path):
    first, second = (oras.utils.get_tmpdir(str(tmp_path)) for _ in range(2))
    assert first != second
    assert os.path.basename(first).startswith("oras-tmp.")
    assert stat.S_IMODE(os.stat(first).st_mode) == 0o700
    assert os.path.basename(oras.utils.get_tmpdir(str(tmp_path), "name")).startswith("name.")
    assert not os.path.exists(oras.utils.get_tmpdir(str(tmp_path), create=False))


def test_temporary_files_have_their_own_folder(tmp_path):
    path = oras.utils.get_tmpfile(str(tmp_path), prefix="folder/pancakes", suffix=".json")
    folder, name = os.path.split(path)
    assert os.path.getsize(path) == 0
    assert name.startswith("pancakes")
    assert name.endswith(".json")
    assert os.listdir(folder) == [name]
    assert os.path.basename(folder).startswith("oras-tmp.")


def test_internal_temporary_files_leave_no_folder(tmp_path, monkeypatch):
    from oras._client.files import temporary_empty_config

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary_empty_config() as path:
        assert oras.utils.read_file(path) == "{}"
    assert os.listdir(tmp_path) == []


def test_mkdir_p_makes_all_parents(tmp_path):
    oras.utils.mkdir_p(str(tmp_path / "a" / "b"))
    oras.utils.mkdir_p(str(tmp_path / "a" / "b"))
    (tmp_path / "file").touch()
    for path in (str(tmp_path / "file"), str(tmp_path / "file" / "x"), ""):
        with pytest.raises(ValueError, match=f"Error creating path {path}\\."):
            oras.utils.mkdir_p(path)


def test_files_are_listed_in_a_stable_order(tmp_path):
    for name in ("b/2.txt", "b/1.log", "a.txt", "c/x.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    found = [os.path.relpath(path, tmp_path) for path in oras.utils.recursive_find(str(tmp_path))]
    assert found == ["a.txt", "b/1.log", "b/2.txt", "c/x.txt"]
    matching = oras.utils.recursive_find(str(tmp_path), r"/b/[^/]*\.txt$")
    assert [os.path.basename(path) for path in matching] == ["2.txt"]


def test_file_size_and_hash(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"{}")
    assert oras.utils.get_size(path) == 2
    assert oras.utils.get_file_hash(path) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )
    assert oras.utils.get_file_hash(path, "md5") == "99914b932bd37a50b983c5e7c90ae93b"
    with pytest.raises(AttributeError):
        oras.utils.get_file_hash(path, "sha0")


def test_copyfile_copies_content_and_refuses_bad_paths(tmp_path):
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_text("new")
    source.chmod(0o755)
    assert oras.utils.copyfile(str(source), str(destination)) == str(destination)
    assert destination.read_text() == "new"
    assert os.access(destination, os.X_OK)
    destination.write_text("old")
    oras.utils.copyfile(str(source), str(destination), force=False)
    assert destination.read_text() == "old"
    oras.utils.copyfile(str(source), str(destination))
    assert destination.read_text() == "new"
    oras.utils.copyfile(str(source), str(source))
    assert source.read_text() == "new"
    with pytest.raises(FileNotFoundError):
        oras.utils.copyfile(str(tmp_path / "absent"), str(destination))
    assert destination.read_text() == "new"


def test_failed_copyfile_keeps_the_older_file(tmp_path, monkeypatch):
    def fail(reader, writer):
        writer.write(b"ha")
        raise OSError("disk full")

    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_text("new")
    destination.write_text("old")
    monkeypatch.setattr("shutil.copyfileobj", fail)
    with pytest.raises(OSError, match="disk full"):
        oras.utils.copyfile(str(source), str(destination))
    assert destination.read_text() == "old"
    assert sorted(os.listdir(tmp_path)) == ["destination", "source"]


def test_files_are_written_and_read(tmp_path):
    path = str(tmp_path / "file")
    assert oras.utils.write_file(path, "héllo\n", make_exec=True) == path
    assert oras.utils.read_file(path) == "héllo\n"
    assert oras.utils.read_file(path, "rb") == "héllo\n".encode()
    assert stat.S_IMODE(os.stat(path).st_mode) & 0o111 == 0o111
    oras.utils.write_file(path, b"\xff", mode="wb")
    assert oras.utils.read_file(path, "rb") == b"\xff"
    assert list(oras.utils.read_in_chunks(io.BytesIO(b"12345"), chunk_size=2)) == [
        b"12",
        b"34",
        b"5",
    ]


def test_json_is_written_and_read(tmp_path):
    path = str(tmp_path / "file.json")
    assert oras.utils.print_json({1: 1}) == '{\n    "1": 1\n}'
    oras.utils.write_json({"a": [True, "2", None]}, path)
    with pytest.raises(TypeError):
        oras.utils.write_json({"a": {1, 2}}, path)
    assert oras.utils.read_json(path) == {"a": [True, "2", None]}


def test_password_keeps_its_blanks(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(" pass word \r\nnext"))
    assert oras.utils.readline() == " pass word "
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert oras.utils.readline() == ""


# --- addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "twins"),
    [
        ("localhost", ["127.0.0.1"]),
        ("localhost:5000/x", ["127.0.0.1:5000/x"]),
        ("http://127.0.0.1:5000/localhost", ["http://localhost:5000/localhost"]),
        ("ghcr.io", []),
        ("mylocalhost.io", []),
        ("localhost.example.org", []),
        ("127.0.0.12", []),
    ],
)
def test_iter_localhosts_yields_both_names_of_localhost(name, twins):
    assert list(oras.utils.iter_localhosts(name)) == [name, *twins]


@pytest.mark.parametrize(
    ("url", "params", "expected"),
    [
        ("http://h/a", {"digest": "sha256:1"}, "http://h/a?digest=sha256%3A1"),
        ("http://h/a?x=1&y=2#f", {"z": "a b"}, "http://h/a?x=1&y=2&z=a+b#f"),
        ("http://h/a?x=1", {"x": 2}, "http://h/a?x=2"),
        ("http://h/a?_state&s=%2f&x=1&x=2", {"d": "1"}, "http://h/a?_state&s=%2f&x=1&x=2&d=1"),
        ("http://h/a?x=1", {}, "http://h/a?x=1"),
    ],
)
def test_parameters_are_added_to_the_query(url, params, expected):
    assert oras.utils.append_url_params(url, params) == expected


def test_docker_configuration_is_found(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "ORAS_CONFIG", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / ".docker" / "config.json"
    assert oras.utils.find_docker_config() is None
    assert oras.utils.find_docker_config(exists=False) == str(path)
    path.parent.mkdir()
    path.touch()
    assert oras.utils.find_docker_config() == str(path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "other"))
    assert oras.utils.find_docker_config(exists=False) == str(tmp_path / "other" / "config.json")


def test_docker_client_needs_the_docker_sdk(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "docker", None)
    with pytest.raises(ImportError):
        oras.utils.get_docker_client()
