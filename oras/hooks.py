"""Which methods a subclass, or a patch, has put in the place of the client's own.

`push` and `pull` run on the engine of the core, in parallel and verified. A method that
somebody has replaced is called instead, as oras-py would call it. This is the one place
that decides it.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from oras.base import BaseClient

__all__ = [
    "PULL_HOOKS",
    "PUSH_HOOKS",
    "REQUEST_HOOK",
    "UPLOAD_HOOKS",
    "is_overridden",
    "replaceable",
]

UPLOAD_HOOKS: Final = ("put_upload", "chunked_upload", "blob_exists")
"""What `upload_blob` is made of."""

PUSH_HOOKS: Final = ("upload_blob", "upload_manifest", *UPLOAD_HOOKS)
"""Replacing one of these makes `push` go step by step."""

PULL_HOOKS: Final = ("get_manifest", "get_blob", "download_blob")
"""Replacing one of these makes `pull` go step by step."""

REQUEST_HOOK: Final = "do_request"
"""Replacing it makes every request go through it."""

C = TypeVar("C", bound="BaseClient")


def replaceable(cls: type[C]) -> type[C]:
    """Decorate the client: note which methods are its own, as long as nobody replaces them."""
    names = (*PUSH_HOOKS, *PULL_HOOKS, REQUEST_HOOK)
    cls._own_methods = MappingProxyType({name: inspect.getattr_static(cls, name) for name in names})
    return cls


def is_overridden(client: BaseClient, *names: str) -> bool:
    """Tell whether one of the methods `names` is not the client's own.

    A static look-up sees what a subclass defines, what is set on the object, and mocks. The
    function itself is compared: what wraps it, or a mock with its signature, copies its name
    and module.
    """
    own = client._own_methods
    return any(inspect.getattr_static(client, name) is not own[name] for name in names)
