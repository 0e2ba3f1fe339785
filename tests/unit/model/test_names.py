from __future__ import annotations

import pytest

from oras_core.errors import UnsafePathError
from oras_core.model.names import MACOS_NAMES, POSIX_NAMES, WINDOWS_NAMES
from oras_core.model.paths import sanitize_path
from oras_core.model.titles import find_collision


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("CON", "names a device"),
        ("con", "names a device"),
        ("NUL.txt", "names a device"),
        ("nul .tar.gz", "names a device"),
        ("a/AUX/b", "names a device"),
        ("COM1", "names a device"),
        ("com\u00b9.log", "names a device"),
        ("LPT9.x", "names a device"),
        ("CONOUT$", "names a device"),
        ("a.", "ends with a dot or a space"),
        ("a ", "ends with a dot or a space"),
        ("a. /b", "ends with a dot or a space"),
        ("a.txt:b", "the character ':'"),
        ("c:x", "the character ':'"),
        ("a\\b", r"the character '\\\\'"),
        ("a<b", "the character '<'"),
        ("a>b", "the character '>'"),
        ('a"b', "the character '\"'"),
        ("a|b", r"the character '\|'"),
        ("what?", r"the character '\?'"),
        ("*.txt", r"the character '\*'"),
    ],
)
def test_windows_policy_refuses_reserved_names(name, reason):
    path = sanitize_path(name)
    POSIX_NAMES.check(path)
    MACOS_NAMES.check(path)
    with pytest.raises(UnsafePathError, match=f"{reason}.* which Windows does not allow"):
        WINDOWS_NAMES.check(path)


@pytest.mark.parametrize(
    "name", ["a.txt", ".hidden", "CONTENT", "COM", "COM0", "COM10", "nulls", "a b", "x.nul", "日本"]
)
def test_windows_policy_accepts_other_names(name):
    WINDOWS_NAMES.check(sanitize_path(name))


@pytest.mark.parametrize(
    ("one", "other", "same_on"),
    [
        ("a", "a", {"posix", "macos", "windows"}),
        ("Readme", "README", {"macos", "windows"}),
        ("\u00e9", "e\u0301", {"macos"}),
        ("\u00c9", "e\u0301", {"macos"}),
        ("ÜBER", "über", {"macos", "windows"}),
        ("straße", "STRASSE", {"macos"}),
        ("a", "b", set()),
    ],
)
def test_names_that_differ_only_in_spelling_collide(one, other, same_on):
    policies = {"posix": POSIX_NAMES, "macos": MACOS_NAMES, "windows": WINDOWS_NAMES}
    for system, names in policies.items():
        assert (names.key(one) == names.key(other)) is (system in same_on), system
        collision = find_collision([sanitize_path(f"d/{one}"), sanitize_path(f"d/{other}")], names)
        assert (collision is not None) is (system in same_on), system


@pytest.mark.parametrize(
    ("titles", "collision"),
    [
        (["a", "b", "ab", "a.b"], None),
        (["a", "a/b"], ("a", "a/b")),
        (["a/b", "c", "a"], ("a", "a/b")),
        (["data/sub/x", "data"], ("data", "data/sub/x")),
        (["data-1/x", "data"], None),
        (["x", "a/b/c/d", "a/b"], ("a/b", "a/b/c/d")),
    ],
)
def test_titles_inside_one_another_collide(titles, collision):
    found = find_collision(map(sanitize_path, titles))
    assert (found and tuple(map(str, found))) == collision


def test_a_folder_collides_with_files_in_it_in_any_spelling():
    titles = [sanitize_path("Data"), sanitize_path("data/x")]
    assert find_collision(titles) is None
    assert find_collision(titles, WINDOWS_NAMES) is not None
