"""`Value`: equality, hash and repr are those that attrs would generate."""

from __future__ import annotations

import pytest
from attrs import field, frozen

from oras_core.model.values import Value


def _stars(secret: str) -> str:
    return "*" * len(secret)


def declared(*bases, **options):
    @frozen(**options)
    class Fields(*bases):
        name: str
        count: int = 0
        secret: str = field(default="", repr=_stars)
        hidden: str = field(default="", repr=False)
        owner: object = field(default=None, eq=id)
        note: str = field(default="", eq=False)
        tags: list[str] = field(factory=list, hash=False)

    return Fields


Ours = declared(Value, eq=False, repr=False)
Theirs = declared()

OWNER = object()
ARGUMENTS = [
    {"name": "a"},
    {"name": "b"},
    {"name": "a", "count": 1},
    {"name": "a", "secret": "abc"},
    {"name": "a", "hidden": "abc"},
    {"name": "a", "owner": OWNER},
    {"name": "a", "note": "ignored"},
    {"name": "a", "tags": ["v1"]},
]


@pytest.mark.parametrize("first", ARGUMENTS, ids=",".join)
@pytest.mark.parametrize("second", ARGUMENTS, ids=",".join)
def test_values_are_equal_where_those_of_attrs_are(first, second):
    assert (Ours(**first) == Ours(**second)) == (Theirs(**first) == Theirs(**second))
    if Ours(**first) == Ours(**second):
        assert hash(Ours(**first)) == hash(Ours(**second))


@pytest.mark.parametrize("arguments", ARGUMENTS, ids=",".join)
def test_the_repr_is_that_of_attrs(arguments):
    assert repr(Ours(**arguments)) == repr(Theirs(**arguments))


def test_a_value_does_not_equal_one_of_another_class():
    @frozen(eq=False, repr=False)
    class Other(Value):
        name: str

    @frozen(eq=False, repr=False)
    class Same(Value):
        name: str

    assert Other("a") != Same("a")
    assert Other("a") != "a"


def test_fields_without_a_hash_do_not_count_for_it():
    assert hash(Ours("a", tags=["v1"])) == hash(Ours("a", tags=["v2"]))
    assert Ours("a", tags=["v1"]) != Ours("a", tags=["v2"])
