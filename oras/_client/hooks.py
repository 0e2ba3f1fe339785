"""Which methods a subclass, or a patch, has put in the place of the client's own.

`push` and `pull` run on the engine of the core, in parallel and verified. A method that
somebody has replaced is called instead, as oras-py would call it. This is the one place
that decides it.
"""

from __future__ import annotations

import inspect
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from oras._client.base import BaseClient
    from oras.auth.base import AuthBackend

__all__ = [
    "AUTH_HOOKS",
    "PULL_HOOKS",
    "PUSH_HOOKS",
    "REQUEST_HOOK",
    "UPLOAD_HOOKS",
    "authenticates_itself",
    "is_overridden",
    "replaceable",
    "replaceable_backend",
]

UPLOAD_HOOKS: Final = ("put_upload", "chunked_upload", "blob_exists")
"""What `upload_blob` is made of."""

PUSH_HOOKS: Final = ("upload_blob", "upload_manifest", *UPLOAD_HOOKS)
"""Replacing one of these makes `push` go step by step."""

PULL_HOOKS: Final = ("get_manifest", "get_blob", "download_blob")
"""Replacing one of these makes `pull` go step by step."""

REQUEST_HOOK: Final = "do_request"
"""Replacing it makes every request go through it."""

AUTH_HOOKS: Final = (
    "authenticate_request",
    "get_auth_header",
    "request_token",
    "request_anonymous_token",
)
"""Having one of these of its own makes a backend answer the registry's refusals itself."""

C = TypeVar("C", bound="BaseClient")
B = TypeVar("B", bound="AuthBackend")


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


def replaceable_backend(cls: type[B]) -> type[B]:
    """Decorate a backend: note likewise which methods of `AUTH_HOOKS` are its own."""
    found = {name: inspect.getattr_static(cls, name, None) for name in AUTH_HOOKS}
    cls._own_methods = MappingProxyType(found)
    return cls


def authenticates_itself(backend: Any) -> bool:
    """Tell whether a backend answers the registry's refusals itself, instead of the core.

    It does if it is no `AuthBackend`, or if one of the methods `AUTH_HOOKS` is not ours.
    """
    own = getattr(type(backend), "_own_methods", None)
    if own is None:
        return True
    return any(inspect.getattr_static(backend, name, None) is not own[name] for name in AUTH_HOOKS)
