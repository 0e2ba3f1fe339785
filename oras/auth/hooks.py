"""Detect methods that a custom authentication backend has overridden."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol, TypeVar

__all__ = ["AUTH_HOOKS", "authenticates_itself", "replaceable_backend"]

AUTH_HOOKS: Final = (
    "authenticate_request",
    "get_auth_header",
    "request_token",
    "request_anonymous_token",
)
"""A backend that overrides one of these authenticates by itself, without the core."""


class _OwnMethods(Protocol):
    _own_methods: ClassVar[Mapping[str, object]]


B = TypeVar("B", bound=_OwnMethods)


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
