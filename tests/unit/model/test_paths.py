from __future__ import annotations

import copy
import ntpath
import pickle
import posixpath
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oras_core.errors import UnsafePathError
from oras_core.model.names import WINDOWS_NAMES
from oras_core.model.paths import SafePath, sanitize_folder, sanitize_path


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a",)),
        ("a/b/c.txt", ("a", "b", "c.txt")),
        ("./a", ("a",)),
        ("a/./b", ("a", "b")),
        ("a//b", ("a", "b")),
        ("a/", ("a",)),
        ("a/.", ("a",)),
        (".hidden/..x/y..", (".hidden", "..x", "y..")),
        ("...", None),
        ("-rf", ("-rf",)),
        ("a b/ c ", ("a b", " c ")),
        ("~/x", ("~", "x")),
        ("$HOME/%PATH%", ("$HOME", "%PATH%")),
        ("*?<>|\"'", ("*?<>|\"'",)),
        ("sha256:" + "0" * 64, ("sha256:" + "0" * 64,)),
        ("日本語/ünï/🎂", ("日本語", "ünï", "🎂")),
        ("x.oras-partial.txt", ("x.oras-partial.txt",)),
        ("oras-partial", ("oras-partial",)),
        ("a" * 255, ("a" * 255,)),
        ("/".join(["a" * 255] * 16), ("a" * 255,) * 16),
        ("./" * 2000 + "a", ("a",)),
    ],
)
def test_path_inside_the_folder_is_normalised(text, parts):
    if parts is None:
        with pytest.raises(UnsafePathError):
            sanitize_path(text)
        return
    path = sanitize_path(text)
    assert path.parts == parts
    assert str(path) == "/".join(parts)
    assert sanitize_path(str(path)) == path


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        # The folder itself, or nothing.
        ("", "it is empty"),
        (".", "the folder itself"),
        ("./", "the folder itself"),
        ("././.", "the folder itself"),
        # Upwards.
        ("..", r"by '\.\.'"),
        ("../x", r"by '\.\.'"),
        ("a/..", r"by '\.\.'"),
        ("a/../b", r"by '\.\.'"),
        ("a/../../b", r"by '\.\.'"),
        ("./../x", r"by '\.\.'"),
        ("a/b/../../../c", r"by '\.\.'"),
        ("../folder-evil/x", r"by '\.\.'"),
        # Windows drops trailing dots and spaces.
        (".. /x", r"by '\.\.'"),
        ("a/.. ./b", r"by '\.\.'"),
        # Absolute, here or elsewhere.
        ("/", "it is absolute"),
        ("/etc/passwd", "it is absolute"),
        ("//server/share", "it is absolute"),
        ("///x", "it is absolute"),
        ("C:", "drive letter"),
        ("C:/x", "drive letter"),
        ("./C:/x", "drive letter"),
        ("a/C:/x", "drive letter"),
        ("a/C:", "drive letter"),
        ("C:\\x", "drive letter"),
        ("\\\\server\\share", "it is absolute"),
        ("\\\\?\\C:\\x", "it is absolute"),
        ("..\\x", r"by '\.\.'"),
        ("a\\..\\..\\x", r"by '\.\.'"),
        # What ends strings, steers terminals or shows a name as another one.
        ("a\0", r"character '\\x00'"),
        ("a\0/../x", r"character '\\x00'"),
        ("a\nb", r"character '\\n'"),
        ("a\rb", r"character '\\r'"),
        ("a\tb", r"character '\\t'"),
        ("\x1b[2Jx", r"character '\\x1b'"),
        ("a\x7f", r"character '\\x7f'"),
        ("a\x9b31m", r"character '\\x9b'"),
        ("a\x85b", r"character '\\x85'"),
        ("invoice\u202efdp.exe", r"character '\\u202e'"),
        ("a\u2066b", r"character '\\u2066'"),
        ("a\u2028b", r"character '\\u2028'"),
        ("a\ud800", r"character '\\ud800'"),
        ("a\udcff/..", r"character '\\udcff'"),
        # Names of partial files, in every spelling that a file system accepts.
        (".0123456789abcdef.oras-partial", "reserved for partial files"),
        (".sha256-" + "0" * 64 + ".oras-partial", "reserved for partial files"),
        ("a/x.oras-partial", "reserved for partial files"),
        ("x.oras-partial/a", "reserved for partial files"),
        ("x.oras-partial/", "reserved for partial files"),
        ("x.Oras-PARTIAL", "reserved for partial files"),
        ("x.ora\u017f-partial", "reserved for partial files"),
        ("x.oras-partial. .", "reserved for partial files"),
        # Too long for any file system.
        ("a" * 256, "a component is longer than 255 bytes"),
        ("b/" + "ü" * 128, "a component is longer than 255 bytes"),
        ("/".join(["a" * 255] * 16) + "/a", "longer than 4096 bytes"),
    ],
)
def test_path_outside_the_folder_is_refused(text, reason):
    with pytest.raises(UnsafePathError, match=reason) as caught:
        sanitize_path(text)
    assert caught.value.value == text[:200] + ("…" if len(text) > 200 else "")
    assert all(character.isprintable() for character in str(caught.value))


@pytest.mark.parametrize(
    "name",
    ["B::Deparse.3pm", "a\\x2db.slice", "\\x2d.mount", "1:intro.txt", "c:x", "a\\b", "12:/a"],
)
def test_legal_posix_names_are_accepted(name):
    path = sanitize_path(f"d/{name}")
    assert str(path) == f"d/{name}"
    with pytest.raises(UnsafePathError, match="Windows does not allow"):
        WINDOWS_NAMES.check(path)


@pytest.mark.parametrize("text", [".", "./", "././."])
def test_folder_itself_is_accepted_as_dot(text):
    path = sanitize_folder(text)
    assert (str(path), path.name, path.parts, path.parent) == (".", ".", (), None)
    assert sanitize_path("a").is_under(path)
    assert path / sanitize_path("a") == sanitize_path("a")
    assert pickle.loads(pickle.dumps(path)) == path


def test_message_is_short_for_every_path():
    with pytest.raises(UnsafePathError) as caught:
        sanitize_path("../" * 1_000_000)
    assert len(str(caught.value)) < 400


# Few characters, so that what is dangerous turns up often.
_texts = st.text("ab.C:/\\ \0\n~", max_size=12) | st.text(max_size=30)


@given(_texts)
@example("./C:/x")
@example("x/C:y")
@example("0:")
@example("x/::")
def test_accepted_paths_stay_inside(text):
    try:
        path = sanitize_path(text)
    except UnsafePathError:
        return
    systems = [(posixpath, "/srv/out")]
    with suppress(UnsafePathError):
        WINDOWS_NAMES.check(path)
        systems.append((ntpath, "D:\\srv\\out"))
    for module, root in systems:
        inside = root + module.sep
        for joined in (
            module.join(root, str(path)),
            module.join(root, *path.parts),
        ):
            normal = module.normpath(joined)
            assert normal.startswith(inside)
            assert len(normal) > len(inside)
            assert module.commonpath([root, normal]) == root
    assert path.parts
    assert not {"", ".", ".."} & set(path.parts)
    assert str(path).encode()
    assert sanitize_path(str(path)) == path


@given(_texts, _texts)
def test_joined_paths_stay_inside(first, second):
    try:
        joined = sanitize_path(first) / sanitize_path(second)
    except UnsafePathError:
        return
    assert str(joined) == f"{sanitize_path(first)}/{sanitize_path(second)}"
    assert joined.is_under(sanitize_path(first))
    assert posixpath.normpath(str(joined)) == str(joined)


def test_path_is_moved_between_folders():
    path = sanitize_path("a/b/c")
    assert path.name == "c"
    assert path.parent == sanitize_path("a/b")
    assert sanitize_path("a").parent is None
    assert path.is_under(sanitize_path("a"))
    assert path.is_under(sanitize_path("a/b"))
    assert not path.is_under(path)
    assert not path.is_under(sanitize_path("a/bb"))
    assert not sanitize_path("a-b/c").is_under(sanitize_path("a"))
    assert sanitize_path("a") < sanitize_path("a/b") < sanitize_path("b")
    assert len({sanitize_path("a"), sanitize_path("./a/")}) == 1


def test_constructor_checks_the_path():
    for arguments in ((("..",), None), (("..",), object())):
        with pytest.raises(TypeError, match="sanitize_path"):
            SafePath(*arguments)
    with pytest.raises(TypeError):
        SafePath(("..",))


def test_pickling_checks_again():
    path = sanitize_path("a/b")
    assert pickle.loads(pickle.dumps(path)) == path
    assert copy.deepcopy(path) == copy.copy(path) == path
    forged = pickle.dumps(path).replace(b"a/b", b"../")
    with pytest.raises(UnsafePathError):
        pickle.loads(forged)
