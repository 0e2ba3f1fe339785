"""Detect methods that a subclass or a mock has overridden.

`push` and `pull` use the core's engine, in parallel and verified. An overridden method is
called instead, in the way that oras-py calls it. Only this module decides which.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final, Protocol, TypeVar

__all__ = [
    "PULL_HOOKS",
    "PUSH_HOOKS",
    "REQUEST_HOOK",
    "UPLOAD_HOOKS",
    "OwnMethods",
    "is_overridden",
    "replaceable",
]

UPLOAD_HOOKS: Final = ("put_upload", "chunked_upload", "blob_exists")
"""The methods that `upload_blob` calls."""

PUSH_HOOKS: Final = ("upload_blob", "upload_manifest", *UPLOAD_HOOKS)
"""Overriding one of these makes `push` call the client's methods step by step."""

PULL_HOOKS: Final = ("get_manifest", "get_blob", "download_blob")
"""Overriding one of these makes `pull` call the client's methods step by step."""

REQUEST_HOOK: Final = "do_request"
"""Overriding this method sends every request through it."""


class OwnMethods(Protocol):
    """A client class that `replaceable` has decorated."""

    _own_methods: ClassVar[Mapping[str, object]]


C = TypeVar("C", bound=OwnMethods)


def replaceable(cls: type[C]) -> type[C]:
    """Decorate the client class: record its own methods, before anything overrides them."""
    names = (*PUSH_HOOKS, *PULL_HOOKS, REQUEST_HOOK)
    cls._own_methods = MappingProxyType({name: inspect.getattr_static(cls, name) for name in names})
    return cls


def is_overridden(client: OwnMethods, *names: str) -> bool:
    """Return whether one of the methods `names` is overridden.

    The static lookup finds methods of subclasses, attributes of the object, and mocks. It
    compares the function objects, because wrappers and autospec mocks copy the name and
    the module.
    """
    own = client._own_methods
    return any(inspect.getattr_static(client, name) is not own[name] for name in names)
