"""Values whose equality, hash and repr are computed from their fields."""

from __future__ import annotations

from typing import Any

from attrs import fields

__all__ = ["Value"]


class Value:
    """The base of attrs classes whose instances are rarely compared, hashed or shown.

    attrs would generate and compile these methods for each class, which takes most of the time
    that the class takes to load. So the classes that most programs load inherit them, and are
    declared with `eq=False, repr=False`. The options of the fields have the same effect as in
    attrs.
    """

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        """Tell whether `other` is of the same class and has equal fields."""
        if type(other) is not type(self):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __hash__(self) -> int:
        """Return a hash of the fields."""
        return hash(_compared(self, hashed=True))

    def __repr__(self) -> str:
        """Return the class and the fields, without those that are not to be shown."""
        shown = []
        for field in _fields(self):
            if field.repr:
                show = repr if field.repr is True else field.repr
                shown.append(f"{field.name}={show(getattr(self, field.name))}")
        name = type(self).__qualname__.rpartition(">.")[2]  # without the function of a local class
        return f"{name}({', '.join(shown)})"


def _fields(value: Value) -> tuple[Any, ...]:
    kind: Any = type(value)  # each subclass is an attrs class
    return tuple(fields(kind))


def _compared(value: Value, *, hashed: bool = False) -> tuple[object, ...]:
    return tuple(
        field.eq_key(getattr(value, field.name)) if field.eq_key else getattr(value, field.name)
        for field in _fields(value)
        if field.eq and not (hashed and field.hash is False)
    )
