"""Type aliases."""

from __future__ import annotations

from typing import Union

from oras.container import Container

__all__ = ["container_type"]

container_type = Union[str, Container]  # noqa: UP007 - oras-py's form: users read `.__args__`
"""The target of a method: a name or a `Container`."""
