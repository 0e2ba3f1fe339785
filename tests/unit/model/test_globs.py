"""Patterns choose files as shells and `.gitignore` files do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidInputError
from oras_core.model.globs import PathPattern, PathSelection, any_of

MATCHED = [
    ("*.md", "card.md"),
    ("*.md", "docs/deep/card.md"),
    ("weights", "weights"),
    ("weights", "weights/layer0.bin"),
    ("weights/", "weights/layer0.bin"),
    ("weights/*.bin", "weights/layer0.bin"),
    ("./weights/*.bin", "weights/layer0.bin"),
    ("**/*.bin", "layer0.bin"),
    ("**/*.bin", "weights/deep/layer0.bin"),
    ("weights/**", "weights/deep/layer0.bin"),
    ("weights/**/*.bin", "weights/layer0.bin"),
    ("a/**/b/**/c", "a/b/c"),
    ("a/**/b/**/c", "a/x/b/y/z/c"),
    ("part-[0-9].parquet", "part-3.parquet"),
    ("layer?.bin", "layer0.bin"),
    ("docs/*", "docs/a/b.txt"),
]

UNMATCHED = [
    ("*.md", "card.txt"),
    ("weights/*.bin", "other/weights/layer0.bin"),
    ("weights/*.bin", "weights"),
    ("weights/?.bin", "weights/a/b.bin"),
    ("part-[0-9].parquet", "part-x.parquet"),
    ("a/**/c", "a/b"),
    ("Card.md", "card.md"),
]


@pytest.mark.parametrize(("pattern", "path"), MATCHED)
def test_pattern_matches_its_paths(pattern, path):
    assert PathPattern(pattern).matches(path)


@pytest.mark.parametrize(("pattern", "path"), UNMATCHED)
def test_pattern_does_not_match_other_paths(pattern, path):
    assert not PathPattern(pattern).matches(path)


@pytest.mark.parametrize("pattern", ["", "/", "./"])
def test_an_empty_pattern_is_refused(pattern):
    with pytest.raises(InvalidInputError, match="empty pattern"):
        PathPattern(pattern)


WORDS = st.lists(st.sampled_from(["a", "b", "ab"]), min_size=1, max_size=4)


@given(st.lists(st.sampled_from(["a", "b", "*", "**", "?"]), min_size=1, max_size=4), WORDS)
def test_folder_with_a_match_is_never_ruled_out(parts, words):
    pattern = PathPattern("/".join(parts))
    path = "/".join(words)
    for depth in range(1, len(words)):
        if pattern.matches(path):
            assert pattern.may_match_within("/".join(words[:depth]))


@pytest.mark.parametrize(
    ("pattern", "folder", "expected"),
    [
        ("weights/*.bin", "weights", True),
        ("weights/*.bin", "docs", False),
        ("*.bin", "weights", True),
        ("weights", "weights", True),
        ("a/b/c", "a/b", True),
        ("a/b", "a/b/c", True),
        ("a/b", "a/c", False),
    ],
)
def test_folder_without_a_possible_match_is_ruled_out(pattern, folder, expected):
    assert PathPattern(pattern).may_match_within(folder) is expected


def test_single_pattern_equals_a_list_of_one():
    assert [p.text for p in any_of("*.md")] == [p.text for p in any_of(["*.md"])] == ["*.md"]


# --- Selections ----------------------------------------------------------------------------

PATTERNS = st.lists(
    st.lists(st.sampled_from(["a", "b", "*", "**", "?"]), min_size=1, max_size=3).map("/".join),
    max_size=2,
)


@given(PATTERNS, PATTERNS, WORDS)
def test_selection_within_a_folder_agrees_with_that_of_its_files(include, exclude, words):
    selection = PathSelection.of(include, exclude)
    path = "/".join(words)
    for depth in range(len(words)):
        folder = "/".join(words[:depth])
        within = selection.within(folder)
        is_chosen = within is None or within("/".join(words[depth:]))
        assert is_chosen is selection.has(path)
        assert selection.may_have_some_in(folder) or not selection.has(path)


@pytest.mark.parametrize(
    ("include", "exclude", "folder", "is_whole"),
    [
        ((), (), "", True),
        ((), (), "data", True),
        ("data", (), "data", True),
        ("data/*.md", (), "data", False),
        ("*.md", (), "", False),
        ((), "other/*", "data", True),
        ((), "*.md", "data", False),
        ((), "a", "", False),
    ],
)
def test_selection_knows_that_it_has_a_whole_folder(include, exclude, folder, is_whole):
    assert (PathSelection.of(include, exclude).within(folder) is None) is is_whole
