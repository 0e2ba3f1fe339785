"""Type aliases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Union

from oras._names import module_attributes
from oras.container import Container

__all__ = ["container_type"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = module_attributes(__name__, __all__)

container_type = Union[str, Container]  # noqa: UP007 - oras-py's form: users read `.__args__`
"""The target of a method: a name or a `Container`."""
