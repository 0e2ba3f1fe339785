"""Annotations, and the annotation file of ORAS."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final, TypeVar, overload

from attrs import field, frozen

from oras_core.errors import InvalidAnnotationError
from oras_core.model.values import Value

__all__ = ["AnnotationSet", "Annotations"]

T = TypeVar("T")

MANIFEST_SECTION: Final = "$manifest"
CONFIG_SECTION: Final = "$config"

MAX_ANNOTATION_FILE: Final = 4 * 1024 * 1024
"""Bytes of an annotation file: its content goes into a manifest, which has the same limit."""


class Annotations(Mapping[str, str]):
    """An immutable mapping of strings to strings (image spec, annotations.md)."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str] | None = None) -> None:
        """Copy `items`.

        Raises:
            InvalidAnnotationError: if a key is empty, or key or value is not a string.
        """
        copied = dict(items or {})
        for key, value in copied.items():
            if not isinstance(key, str) or not key:
                raise InvalidAnnotationError(key, "a key is a string that is not empty")
            if not isinstance(value, str):
                raise InvalidAnnotationError(key, f"its value {value!r} is not a string")
        self._items = copied

    def __getitem__(self, key: str) -> str:
        """Return the value of `key`."""
        return self._items[key]

    @overload
    def get(self, key: str, default: None = None, /) -> str | None: ...
    @overload
    def get(self, key: str, default: str | T, /) -> str | T: ...
    def get(self, key: str, default: object = None, /) -> object:
        """Return the value of `key`, or `default`."""
        # Not that of `Mapping`, which catches an error for each missing key.
        return self._items.get(key, default)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys in their original order."""
        return iter(self._items)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._items)

    def __hash__(self) -> int:
        """Hash by content."""
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        """Show the mapping."""
        return f"Annotations({self._items!r})"

    def __or__(self, other: Mapping[str, str]) -> Annotations:
        """Return the union; for a key in both, the value on the right wins."""
        return Annotations({**self._items, **other})


def _sections(sections: Mapping[str, Mapping[str, str]]) -> Mapping[str, Annotations]:
    frozen_sections = {}
    for name, items in sections.items():
        if not isinstance(items, Mapping):
            raise InvalidAnnotationError(name, "its section is not a mapping of strings")
        frozen_sections[name] = items if isinstance(items, Annotations) else Annotations(items)
    return frozen_sections


@frozen(eq=False, repr=False)
class AnnotationSet(Value):
    """The annotations of an artifact: of the manifest, of the config, and of layers by title."""

    _by_section: Mapping[str, Annotations] = field(factory=dict, converter=_sections, hash=False)

    @classmethod
    def parse(cls, content: bytes) -> AnnotationSet:
        """Read an annotation file: `{"$manifest": {…}, "$config": {…}, "TITLE": {…}}`.

        Raises:
            InvalidAnnotationError: if it is not such a JSON object.
        """
        if len(content) > MAX_ANNOTATION_FILE:
            raise InvalidAnnotationError("file", f"it exceeds {MAX_ANNOTATION_FILE} bytes")
        try:
            document = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise InvalidAnnotationError("file", f"it is not JSON: {error}") from error
        if not isinstance(document, dict):
            raise InvalidAnnotationError(
                "file", 'expected an object such as {"$manifest": {…}, "FILE": {…}}'
            )
        return cls(document)

    @property
    def manifest(self) -> Annotations:
        """Annotations of the manifest, from the section `$manifest`."""
        return self.section(MANIFEST_SECTION)

    @property
    def config(self) -> Annotations:
        """Annotations of the config, from the section `$config`."""
        return self.section(CONFIG_SECTION)

    def section(self, name: str) -> Annotations:
        """Return the annotations of a title, `$manifest` or `$config`; empty if there are none."""
        return self._by_section.get(name) or Annotations()

    def get(self, name: str) -> Annotations | None:
        """Return the annotations of one section; None if the section does not exist."""
        return self._by_section.get(name)

    def sections(self) -> Mapping[str, Annotations]:
        """Return all sections by name."""
        return dict(self._by_section)

    def with_section(self, name: str, items: Mapping[str, str]) -> AnnotationSet:
        """Return a copy with `items` added to one section; equal keys are replaced."""
        return AnnotationSet({**self._by_section, name: self.section(name) | items})
