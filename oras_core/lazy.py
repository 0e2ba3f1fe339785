"""Public names that are imported on first use (PEP 562), and parts that are made on first use.

A package with many public names imports none of its modules by itself. Its `__getattr__`
calls `resolve`, and its `TYPE_CHECKING` block tells type checkers where each name is.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Generic, Self, TypeVar, overload

__all__ = ["made_once", "resolve"]

T = TypeVar("T")


def resolve(package: str, module_of: Mapping[str, str], name: str) -> object:
    """Import a public name, and keep it as an attribute of its package.

    Args:
        package: the package that offers the name.
        module_of: the module of each public name, relative to `package`.
        name: the name to import.

    Raises:
        AttributeError: if the package has no such name.
    """
    module = module_of.get(name)
    if module is None:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    value: object = getattr(importlib.import_module(f"{package}.{module}"), name)
    setattr(sys.modules[package], name, value)
    return value


class made_once(Generic[T]):  # noqa: N801 - a decorator, like `property`
    """A property whose value is made on first use and kept in its object.

    Threads that ask at the same time may make several values. All get the one that was kept
    first. There is no lock, so that a fork cannot leave one behind.
    """

    def __init__(self, make: Callable[..., T]) -> None:
        """Make the value by `make`, a method without arguments."""
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Take the name of the property."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Self | T:
        """Return the value; it is made now, since the object does not have it yet."""
        if instance is None:
            return self
        value: T = vars(instance).setdefault(self._name, self._make(instance))
        return value
