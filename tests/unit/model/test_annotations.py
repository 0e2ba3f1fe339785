from __future__ import annotations

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oras_core.errors import InvalidAnnotationError
from oras_core.model.annotations import MAX_ANNOTATION_FILE, Annotations, AnnotationSet
from support import strategies

# --- Annotations --------------------------------------------------------------------------


def test_annotations_are_a_mapping():
    annotations = Annotations({"b": "1", "a": ""})
    assert dict(annotations) == annotations == {"b": "1", "a": ""}
    assert list(annotations) == ["b", "a"]
    assert len(annotations) == 2
    assert "c" not in annotations
    assert repr(annotations) == "Annotations({'b': '1', 'a': ''})"


def test_annotations_keep_a_copy():
    given_items = {"a": "1"}
    annotations = Annotations(given_items)
    given_items["a"] = "2"
    assert annotations["a"] == "1"
    with pytest.raises(TypeError):
        annotations["a"] = "2"


@given(strategies.annotations)
def test_equal_annotations_hash_equally(annotations):
    shuffled = Annotations(dict(reversed(list(annotations.items()))))
    assert shuffled == annotations
    assert hash(shuffled) == hash(annotations)
    assert pickle.loads(pickle.dumps(annotations)) == annotations


def test_union_prefers_the_right_side():
    left = Annotations({"a": "1", "b": "1"})
    assert left | {"b": "2", "c": "2"} == {"a": "1", "b": "2", "c": "2"}
    assert isinstance(left | {}, Annotations)
    assert left == {"a": "1", "b": "1"}


@pytest.mark.parametrize(
    "items", [{"": "x"}, {1: "x"}, {None: "x"}, {"a": 1}, {"a": None}, {"a": b"x"}, {"a": ["x"]}]
)
def test_annotations_must_be_strings(items):
    with pytest.raises(InvalidAnnotationError):
        Annotations(items)


def test_none_and_an_empty_mapping_are_empty_annotations():
    assert Annotations() == Annotations(None) == Annotations({}) == {}


# --- AnnotationSet ------------------------------------------------------------------------


def test_annotation_file_is_read():
    annotations = AnnotationSet.parse(
        b'{"$manifest": {"a": "1"}, "$config": {"b": "2"}, "cake.txt": {"c": "3"}}'
    )
    assert annotations.manifest == {"a": "1"}
    assert annotations.config == {"b": "2"}
    assert annotations.section("cake.txt") == {"c": "3"}
    assert annotations.section("other.txt") == {}
    assert set(annotations.sections()) == {"$manifest", "$config", "cake.txt"}


def test_empty_annotation_set():
    for empty in (AnnotationSet(), AnnotationSet.parse(b"{}")):
        assert empty.manifest == empty.config == {}
        assert empty.sections() == {}
    assert AnnotationSet() == AnnotationSet.parse(b"{}")
    assert hash(AnnotationSet()) == hash(AnnotationSet.parse(b"{}"))


def test_annotation_is_added_to_a_section():
    first = AnnotationSet({"f": {"a": "1", "b": "1"}})
    second = first.with_section("f", {"b": "2"}).with_section("$manifest", {"c": "3"})
    assert second.section("f") == {"a": "1", "b": "2"}
    assert second.manifest == {"c": "3"}
    assert first.section("f") == {"a": "1", "b": "1"}


def test_sections_are_copies():
    annotations = AnnotationSet({"f": {"a": "1"}})
    annotations.sections().clear()
    assert annotations.section("f") == {"a": "1"}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is not JSON"),
        (b"{", "it is not JSON"),
        (b"\xff\xfe\xfd", "it is not JSON"),
        (b"[" * 100_000, "it is not JSON"),
        (b"[]", "expected an object"),
        (b"null", "expected an object"),
        (b'"$manifest"', "expected an object"),
        (b'{"f": []}', "its section is not a mapping"),
        (b'{"f": null}', "its section is not a mapping"),
        (b'{"f": "x"}', "its section is not a mapping"),
        (b'{"f": {"a": 1}}', "its value 1 is not a string"),
        (b'{"f": {"a": null}}', "its value None is not a string"),
        (b'{"f": {"a": {"b": "c"}}}', "is not a string"),
        (b'{"f": {"": "x"}}', "a key is a string that is not empty"),
        (b" " * (MAX_ANNOTATION_FILE + 1), "it exceeds 4194304 bytes"),
    ],
)
def test_invalid_annotation_file_is_refused(content, reason):
    with pytest.raises(InvalidAnnotationError, match=reason):
        AnnotationSet.parse(content)


@given(st.dictionaries(strategies.texts, strategies.annotations, max_size=3))
def test_annotation_file_round_trips(sections):
    content = json.dumps({name: dict(items) for name, items in sections.items()}).encode()
    assert AnnotationSet.parse(content) == AnnotationSet(sections)
