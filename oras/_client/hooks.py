"""Detect methods that a subclass or a mock has overridden.

`push` and `pull` use the core's engine, in parallel and verified. An overridden method is
called instead, in the way that oras-py calls it. Only this module decides which.
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
"""The methods that `upload_blob` calls."""

PUSH_HOOKS: Final = ("upload_blob", "upload_manifest", *UPLOAD_HOOKS)
"""Overriding one of these makes `push` call the client's methods step by step."""

PULL_HOOKS: Final = ("get_manifest", "get_blob", "download_blob")
"""Overriding one of these makes `pull` call the client's methods step by step."""

REQUEST_HOOK: Final = "do_request"
"""Overriding this method sends every request through it."""

AUTH_HOOKS: Final = (
    "authenticate_request",
    "get_auth_header",
    "request_token",
    "request_anonymous_token",
)
"""A backend that overrides one of these authenticates by itself, without the core."""

C = TypeVar("C", bound="BaseClient")
B = TypeVar("B", bound="AuthBackend")


def replaceable(cls: type[C]) -> type[C]:
    """Decorate the client class: record its own methods, before anything overrides them."""
    names = (*PUSH_HOOKS, *PULL_HOOKS, REQUEST_HOOK)
    cls._own_methods = MappingProxyType({name: inspect.getattr_static(cls, name) for name in names})
    return cls


def is_overridden(client: BaseClient, *names: str) -> bool:
    """Return whether one of the methods `names` is overridden.

    The static lookup finds methods of subclasses, attributes of the object, and mocks. It
    compares the function objects, because wrappers and autospec mocks copy the name and
    the module.
    """
    own = client._own_methods
    return any(inspect.getattr_static(client, name) is not own[name] for name in names)


def replaceable_backend(cls: type[B]) -> type[B]:
    """Decorate a backend class: record its own methods of `AUTH_HOOKS`."""
    found = {name: inspect.getattr_static(cls, name, None) for name in AUTH_HOOKS}
    cls._own_methods = MappingProxyType(found)
    return cls


def authenticates_itself(backend: Any) -> bool:
    """Return whether a backend authenticates by itself, without the core.

    It does if it is not an `AuthBackend`, or if it overrides one of `AUTH_HOOKS`.
    """
    own = getattr(type(backend), "_own_methods", None)
    if own is None:
        return True
    return any(inspect.getattr_static(backend, name, None) is not own[name] for name in AUTH_HOOKS)
