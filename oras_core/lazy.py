"""Public names that are imported on first use (PEP 562).

A package with many public names imports none of its modules by itself. Its `__getattr__`
calls `resolve`, and its `TYPE_CHECKING` block tells type checkers where each name is.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping

__all__ = ["resolve"]


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
