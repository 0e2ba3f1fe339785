"""Patterns of file names, as shells and `.gitignore` files have them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate

from attrs import frozen

from oras_core.errors import InvalidInputError
from oras_core.model.values import Value

__all__ = ["PathPattern", "PathSelection", "any_of"]


class PathPattern:
    """A pattern of paths such as `*.md`, `weights/*.bin` or `data/**/part-[0-9].parquet`.

    `*` and `?` match within one component, `**` is any number of components. A pattern
    without `/` matches the last component, wherever the file is. A pattern that matches a
    folder matches what is in it.
    """

    __slots__ = ("_expressions", "text")

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Raises:
            InvalidInputError: if it is empty.
        """
        self.text: str = text
        components = [part for part in text.split("/") if part not in ("", ".")]
        if not components:
            raise InvalidInputError(text, "it is an empty pattern; name files as in '*.md'")
        if len(components) == 1 and "/" not in text.rstrip("/"):
            components.insert(0, "**")
        self._expressions = [
            None if part == "**" else re.compile(translate(part)) for part in components
        ]

    def __repr__(self) -> str:
        """Show the text."""
        return f"PathPattern({self.text!r})"

    def matches(self, path: str) -> bool:
        """Tell whether the file at `path`, or a folder that it is in, matches."""
        return any(len(self._expressions) in reached for reached in self._read(path))

    def may_match_within(self, folder: str) -> bool:
        """Tell whether a file in `folder`, whatever its name, could match."""
        last = frozenset[int]()
        for last in self._read(folder):
            if len(self._expressions) in last:
                return True
        return bool(last)

    def _read(self, path: str) -> Iterator[frozenset[int]]:
        """Yield, after each component, how many expressions may have been used up."""
        reached = self._across({0})
        for component in path.split("/"):
            following = set()
            for position in reached:
                if position < len(self._expressions):
                    expression = self._expressions[position]
                    if expression is None:
                        following.add(position)
                    elif expression.match(component):
                        following.add(position + 1)
            reached = self._across(following)
            yield reached

    def _across(self, positions: set[int]) -> frozenset[int]:
        """Add the positions after each `**`, which may be no component at all."""
        found = set(positions)
        for position in positions:
            while position < len(self._expressions) and self._expressions[position] is None:
                position += 1  # noqa: PLW2901
                found.add(position)
        return frozenset(found)


def any_of(patterns: str | Iterable[str]) -> tuple[PathPattern, ...]:
    """Return the patterns of a text, or of several."""
    texts = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    return tuple(PathPattern(text) for text in texts)


@frozen(eq=False, repr=False)
class PathSelection(Value):
    """A choice of paths by patterns.

    Attributes:
        included: patterns of the chosen paths; empty for all paths.
        excluded: patterns of paths that are left out, even if `included` matches them.
    """

    included: tuple[PathPattern, ...] = ()
    excluded: tuple[PathPattern, ...] = ()

    @classmethod
    def of(
        cls, include: str | Iterable[str] = (), exclude: str | Iterable[str] = ()
    ) -> PathSelection:
        """Return the selection for the texts of patterns.

        Raises:
            InvalidInputError: if a pattern is empty.
        """
        return cls(any_of(include), any_of(exclude))

    def has(self, path: str) -> bool:
        """Tell whether the file at `path` is chosen."""
        is_included = not self.included or any(one.matches(path) for one in self.included)
        return is_included and not any(one.matches(path) for one in self.excluded)

    def may_have_some_in(self, folder: str) -> bool:
        """Tell whether a file in `folder` could be chosen, whatever its name; "" is the root."""
        is_included = not self.included or any(_reaches(one, folder) for one in self.included)
        return is_included and not (folder and any(one.matches(folder) for one in self.excluded))

    def within(self, folder: str) -> Callable[[str], bool] | None:
        """Return a test of paths that begin in `folder`; None if all of them are chosen."""
        is_included = not self.included or (
            bool(folder) and any(one.matches(folder) for one in self.included)
        )
        if is_included and not any(_reaches(one, folder) for one in self.excluded):
            return None
        return lambda path: self.has(f"{folder}/{path}" if folder else path)


def _reaches(pattern: PathPattern, folder: str) -> bool:
    return not folder or pattern.may_match_within(folder)
